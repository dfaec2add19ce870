// SPDX-License-Identifier: BSD-3-Clause
// The one shape nearly every request has: a UDP packet of a given payload length, IPv4 without options or
// IPv6 without extension headers, right checksums, nothing odd about its source. Recognised with a few wide
// compares; whatever is not of this shape is for net::parse, which finds out why. A frame recognised here is
// one that net::parse lets through, and the reply here is the one of net::reverse: the tests hold both to it.
// Hot path, worker threads: inline, no allocation.
#pragma once

#include <cstdint>
#include <span>

#include "net/checksum.hpp"
#include "net/frame.hpp"

namespace wiretime::net {

// What is the same in every plain reply of `kPayload` bytes.
template <std::uint16_t kPayload>
struct PlainShape {
  static constexpr std::uint16_t kUdpLength = udp::kHeaderSize + kPayload;
  static constexpr std::uint16_t kTotalLength4 = ipv4::kHeaderSize + kUdpLength;
  // Of the pseudo-header what is in no header: length and protocol.
  static constexpr std::uint64_t kPseudoSum =
      std::uint64_t{byte_swap(kUdpLength)} + byte_swap(std::uint16_t{protocol::kUdp});

  explicit PlainShape(std::uint16_t ntp_port, std::uint8_t dscp) noexcept {
    const auto tos = static_cast<std::uint64_t>(dscp) << 2 & 0xFCU;
    expected_udp = std::uint64_t{byte_swap(ntp_port)} << 16 | std::uint64_t{byte_swap(kUdpLength)} << 32;
    reply_ipv4 = kIpv4Head | tos << 8 | std::uint64_t{byte_swap(ipv4::kDontFragment)} << 48;
    reply_ipv4_sum =
        WordSum{reply_ipv4}.value() + kReplyTtlAndProtocol;  // far from overflow: its top is 0x0040
    reply_ipv6 = kIpv6Head | std::uint64_t{kReplyHopLimit} << 56 | tos >> 4 | (tos & 0xFU) << 12;
  }

  // The first 8 bytes of an IPv4 header: version and length, total length; not TOS, id, don't-fragment.
  static constexpr std::uint64_t kIpv4Mask = 0xFFBF'0000'FFFF'00FFU;
  static constexpr std::uint64_t kIpv4Head = 0x45U | std::uint64_t{byte_swap(kTotalLength4)} << 16;
  // The first 8 of an IPv6 header: version, payload length, next header; not class, label, hop limit.
  static constexpr std::uint64_t kIpv6Mask = 0x00FF'FFFF'0000'00F0U;
  static constexpr std::uint64_t kIpv6Head =
      0x60U | std::uint64_t{byte_swap(kUdpLength)} << 32 | std::uint64_t{protocol::kUdp} << 48;
  // Destination port and length, of the 8 bytes of a UDP header.
  static constexpr std::uint64_t kUdpMask = 0x0000'FFFF'FFFF'0000U;
  static constexpr std::uint16_t kReplyTtlAndProtocol = kReplyHopLimit | protocol::kUdp << 8;

  std::uint64_t expected_udp;
  std::uint64_t reply_ipv4;
  std::uint64_t reply_ipv4_sum;
  std::uint64_t reply_ipv6;
};

// What differs between the families.
struct PlainIpv4 {
  static constexpr bool kIpv6 = false;
  static constexpr std::size_t kHeaderSize = ipv4::kHeaderSize;
  static constexpr std::size_t kAddressSize = ipv4::kAddressSize;
  static constexpr std::size_t kSource = ipv4::kSource;
  static constexpr std::uint16_t kEtherType = byte_swap(ethernet::kTypeIpv4);

  // But for UDP.
  template <std::uint16_t kPayload>
  [[nodiscard]] static bool recognise(const std::byte* ip) noexcept {
    using Shape = PlainShape<kPayload>;
    const auto head = load_raw<std::uint64_t>(ip);
    const auto middle = load_raw<std::uint64_t>(ip + ipv4::kTtl);  // TTL, protocol, checksum, source
    const auto source = static_cast<std::uint32_t>(middle >> 32);
    const auto destination = load_raw<std::uint32_t>(ip + ipv4::kDestination);
    const unsigned network = source & 0xFFU;
    constexpr unsigned kLoopback = 127;
    constexpr unsigned kMulticast = 224;  // and reserved, above
    if ((head & Shape::kIpv4Mask) != Shape::kIpv4Head || (middle >> 8 & 0xFFU) != protocol::kUdp ||
        network - 1 >= kMulticast - 1 || network == kLoopback || source == destination)
      return false;
    WordSum header{destination};
    header.add_bytes<16>(ip);
    return header.verifies();
  }

  template <std::uint16_t kPayload>
  static void reverse(std::byte* ip, const PlainShape<kPayload>& shape) noexcept {
    const auto addresses = load_raw<std::uint64_t>(ip + kSource);
    WordSum sum{shape.reply_ipv4_sum};
    sum.add(addresses);
    store_raw(ip, shape.reply_ipv4);
    store_raw(ip + ipv4::kTtl,
              static_cast<std::uint32_t>(PlainShape<kPayload>::kReplyTtlAndProtocol |
                                         std::uint32_t{static_cast<std::uint16_t>(~sum.folded())} << 16));
    store_raw(ip + kSource, addresses << 32 | addresses >> 32);
  }
};

struct PlainIpv6 {
  static constexpr bool kIpv6 = true;
  static constexpr std::size_t kHeaderSize = ipv6::kHeaderSize;
  static constexpr std::size_t kAddressSize = ipv6::kAddressSize;
  static constexpr std::size_t kSource = ipv6::kSource;
  static constexpr std::uint16_t kEtherType = byte_swap(ethernet::kTypeIpv6);

  template <std::uint16_t kPayload>
  [[nodiscard]] static bool recognise(const std::byte* ip) noexcept {
    using Shape = PlainShape<kPayload>;
    const std::byte* source = ip + ipv6::kSource;
    const std::byte* destination = ip + ipv6::kDestination;
    const auto source_high = load_raw<std::uint64_t>(source);
    // With an upper half of zero: unspecified, loopback, IPv4-mapped.
    return (load_raw<std::uint64_t>(ip) & Shape::kIpv6Mask) == Shape::kIpv6Head && source_high != 0 &&
           (source_high & 0xFFU) != 0xFF &&
           (source_high != load_raw<std::uint64_t>(destination) ||
            load_raw<std::uint64_t>(source + 8) != load_raw<std::uint64_t>(destination + 8));
  }

  template <std::uint16_t kPayload>
  static void reverse(std::byte* ip, const PlainShape<kPayload>& shape) noexcept {
    store_raw(ip, shape.reply_ipv6);
    swap_bytes<ipv6::kAddressSize>(ip + ipv6::kSource, ip + ipv6::kDestination);
  }
};

// True: a packet that parse() lets through, with a payload of kPayload bytes. `length`: of what there is from
// `ip` on. Whether the destination is ours, and to whom the frame was sent, is not looked at.
template <typename Family, std::uint16_t kPayload>
[[nodiscard]] inline bool recognise_plain(const std::byte* ip, std::size_t length,
                                          const PlainShape<kPayload>& shape) noexcept {
  using Shape = PlainShape<kPayload>;
  if (length < Family::kHeaderSize + Shape::kUdpLength || !Family::template recognise<kPayload>(ip))
    return false;
  const auto udp = load_raw<std::uint64_t>(ip + Family::kHeaderSize);
  const auto port = static_cast<std::uint16_t>(udp);
  if ((udp & Shape::kUdpMask) != shape.expected_udp || port == 0 || udp >> 48 == 0) return false;
  WordSum sum{Shape::kPseudoSum};
  sum.add_bytes<2 * Family::kAddressSize + Shape::kUdpLength>(ip + Family::kSource);
  return sum.verifies();
}

// Of an Ethernet frame of kShortestPlain bytes or more: where the IP header begins behind its VLAN tags; 0:
// there are too many of them. `type`: of what is there, as it stands in memory.
inline constexpr std::size_t kShortestPlain = 64 - 4;
[[nodiscard]] inline std::size_t behind_tags(const std::byte* frame, std::uint16_t& type) noexcept {
  std::size_t l3 = ethernet::kHeaderSize;
  type = load_raw<std::uint16_t>(frame + ethernet::kEtherType);
  while (__builtin_expect(is_vlan(byte_swap(type)), false)) {
    if (l3 == ethernet::kHeaderSize + ethernet::kMaxTags * ethernet::kTagSize) return 0;
    type = load_raw<std::uint16_t>(frame + l3 + 2);
    l3 += ethernet::kTagSize;
  }
  return l3;
}

// To or from a group address.
[[nodiscard]] inline bool has_group_address(const std::byte* frame) noexcept {
  constexpr std::uint64_t kGroupBits = std::uint64_t{1} | std::uint64_t{1} << 8 * ethernet::kSource;
  return (load_raw<std::uint64_t>(frame) & kGroupBits) != 0;
}

inline void swap_macs(std::byte* frame) noexcept {
  static_assert(ethernet::kDestination == 0 && ethernet::kSource == 6);
  const auto to = load_raw<std::uint32_t>(frame);
  const auto to_end = load_raw<std::uint16_t>(frame + 4);
  const auto from = load_raw<std::uint32_t>(frame + 6);
  const auto from_end = load_raw<std::uint16_t>(frame + 10);
  store_raw(frame, from);
  store_raw(frame + 4, from_end);
  store_raw(frame + 6, to);
  store_raw(frame + 10, to_end);
}

// Turns the request's headers into the reply's, but for the UDP checksum, which is left 0. `udp`: where the
// UDP header begins.
template <typename Family, std::uint16_t kPayload>
inline void reverse_plain(std::byte* udp, const PlainShape<kPayload>& shape) noexcept {
  Family::reverse(udp - Family::kHeaderSize, shape);
  const auto ports = load_raw<std::uint32_t>(udp);
  store_raw(udp, std::uint64_t{ports << 16 | ports >> 16} |
                     std::uint64_t{byte_swap(PlainShape<kPayload>::kUdpLength)} << 32);
}

// The UDP checksum of such a reply, once its payload is complete.
template <typename Family, std::uint16_t kPayload>
inline void finish_plain_checksum(std::byte* udp) noexcept {
  using Shape = PlainShape<kPayload>;
  WordSum sum{Shape::kPseudoSum};
  sum.add_bytes<2 * Family::kAddressSize + Shape::kUdpLength>(udp - 2 * Family::kAddressSize);
  store_raw(udp + udp::kChecksum, udp_checksum(static_cast<std::uint16_t>(~sum.folded())));
}

}  // namespace wiretime::net
