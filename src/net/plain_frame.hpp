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
  // Of every packet: length and protocol of the pseudo-header, length in the UDP header.
  static constexpr std::uint64_t kFixedSum =
      std::uint64_t{byte_swap(kUdpLength)} * 2 + byte_swap(std::uint16_t{protocol::kUdp});

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

namespace detail {

template <std::uint16_t kPayload>
[[nodiscard]] inline bool plain_udp(const std::byte* udp, const PlainShape<kPayload>& shape,
                                    WordSum addresses, std::uint64_t& flow_sum) noexcept {
  static_assert(kPayload % 8 == 0);
  const auto head = load_raw<std::uint64_t>(udp);
  const auto port = static_cast<std::uint16_t>(head);
  const auto checksum = static_cast<std::uint16_t>(head >> 48);
  if ((head & PlainShape<kPayload>::kUdpMask) != shape.expected_udp || port == 0 || checksum == 0)
    return false;
  addresses.add(head & 0xFFFF'FFFFU);
  addresses.add(PlainShape<kPayload>::kFixedSum);
  flow_sum = addresses.value();
  WordSum sum = addresses;
  sum.add(checksum);
  for (std::size_t at = 0; at < kPayload; at += 8)
    sum.add(load_raw<std::uint64_t>(udp + udp::kHeaderSize + at));
  return sum.folded() == 0xFFFF;
}

}  // namespace detail

template <std::uint16_t kPayload>
[[nodiscard]] inline bool recognise_plain_ipv4(std::span<const std::byte> frame, std::uint16_t l3,
                                               const PlainShape<kPayload>& shape, ParsedFrame& out,
                                               std::uint64_t& flow_sum) noexcept {
  using Shape = PlainShape<kPayload>;
  if (frame.size() < l3 + std::size_t{Shape::kTotalLength4}) return false;
  const std::byte* ip = frame.data() + l3;
  const auto head = load_raw<std::uint64_t>(ip);
  const auto middle = load_raw<std::uint64_t>(ip + ipv4::kTtl);  // TTL, protocol, checksum, source
  const auto addresses = load_raw<std::uint64_t>(ip + ipv4::kSource);
  const auto source = static_cast<std::uint32_t>(addresses);
  const auto destination = static_cast<std::uint32_t>(addresses >> 32);
  const unsigned network = source & 0xFFU;
  const bool odd = (head & Shape::kIpv4Mask) != Shape::kIpv4Head || (middle >> 8 & 0xFFU) != protocol::kUdp ||
                   network == 0 || network == 127 || network >= 224 || source == destination;
  if (odd) return false;
  WordSum header{head};
  header.add(middle);
  header.add(destination);
  if (header.folded() != 0xFFFF) return false;
  out = {l3, static_cast<std::uint16_t>(l3 + ipv4::kHeaderSize),
         static_cast<std::uint16_t>(l3 + ipv4::kHeaderSize + udp::kHeaderSize), kPayload, false};
  return detail::plain_udp(ip + ipv4::kHeaderSize, shape, WordSum{addresses}, flow_sum);
}

template <std::uint16_t kPayload>
[[nodiscard]] inline bool recognise_plain_ipv6(std::span<const std::byte> frame, std::uint16_t l3,
                                               const PlainShape<kPayload>& shape, ParsedFrame& out,
                                               std::uint64_t& flow_sum) noexcept {
  using Shape = PlainShape<kPayload>;
  if (frame.size() < l3 + ipv6::kHeaderSize + Shape::kUdpLength) return false;
  const std::byte* ip = frame.data() + l3;
  const std::byte* source = ip + ipv6::kSource;
  const std::byte* destination = ip + ipv6::kDestination;
  const auto source_high = load_raw<std::uint64_t>(source);
  const auto source_low = load_raw<std::uint64_t>(source + 8);
  const auto destination_high = load_raw<std::uint64_t>(destination);
  const auto destination_low = load_raw<std::uint64_t>(destination + 8);
  // With an upper half of zero: unspecified, loopback, IPv4-mapped.
  const bool odd = (load_raw<std::uint64_t>(ip) & Shape::kIpv6Mask) != Shape::kIpv6Head || source_high == 0 ||
                   (source_high & 0xFFU) == 0xFF ||
                   (source_high == destination_high && source_low == destination_low);
  if (odd) return false;
  WordSum addresses{source_high};
  addresses.add(source_low);
  addresses.add(destination_high);
  addresses.add(destination_low);
  out = {l3, static_cast<std::uint16_t>(l3 + ipv6::kHeaderSize),
         static_cast<std::uint16_t>(l3 + ipv6::kHeaderSize + udp::kHeaderSize), kPayload, true};
  return detail::plain_udp(ip + ipv6::kHeaderSize, shape, addresses, flow_sum);
}

// True: a frame that parse() lets through, with a payload of kPayload bytes. Whether the destination is ours
// is not looked at.
template <std::uint16_t kPayload>
[[nodiscard]] inline bool recognise_plain(std::span<const std::byte> frame, const PlainShape<kPayload>& shape,
                                          ParsedFrame& out, std::uint64_t& flow_sum) noexcept {
  constexpr std::uint16_t kIpv4 = byte_swap(ethernet::kTypeIpv4);
  constexpr std::uint16_t kIpv6 = byte_swap(ethernet::kTypeIpv6);
  constexpr std::size_t kTags = ethernet::kMaxTags * ethernet::kTagSize;
  if (frame.size() < ethernet::kHeaderSize + kTags) return false;  // shorter than any request
  const std::byte* mac = frame.data();
  if (((load_u8(mac) | load_u8(mac + ethernet::kSource)) & 1U) != 0) return false;
  std::uint16_t l3 = ethernet::kHeaderSize;
  auto type = load_raw<std::uint16_t>(frame.data() + ethernet::kEtherType);
  while (__builtin_expect(is_vlan(byte_swap(type)), false)) {
    if (l3 == ethernet::kHeaderSize + kTags) return false;
    type = load_raw<std::uint16_t>(frame.data() + l3 + 2);
    l3 = static_cast<std::uint16_t>(l3 + ethernet::kTagSize);
  }
  if (type == kIpv4) return recognise_plain_ipv4(frame, l3, shape, out, flow_sum);
  return type == kIpv6 && recognise_plain_ipv6(frame, l3, shape, out, flow_sum);
}

// Turns the request's headers into the reply's, but for the UDP checksum, which is left 0. Returns the new
// frame length: the request's without what follows the UDP payload.
template <std::uint16_t kPayload>
inline std::uint32_t reverse_plain(std::byte* frame, const ParsedFrame& plain,
                                   const PlainShape<kPayload>& shape) noexcept {
  swap_bytes<6>(frame + ethernet::kDestination, frame + ethernet::kSource);
  std::byte* ip = frame + plain.l3_offset;
  if (plain.ipv6) {
    store_raw(ip, shape.reply_ipv6);
    swap_bytes<ipv6::kAddressSize>(ip + ipv6::kSource, ip + ipv6::kDestination);
  } else {
    const auto addresses = load_raw<std::uint64_t>(ip + ipv4::kSource);
    WordSum sum{shape.reply_ipv4_sum};
    sum.add(addresses);
    store_raw(ip, shape.reply_ipv4);
    store_raw(ip + ipv4::kTtl,
              static_cast<std::uint32_t>(PlainShape<kPayload>::kReplyTtlAndProtocol |
                                         std::uint32_t{static_cast<std::uint16_t>(~sum.folded())} << 16));
    store_raw(ip + ipv4::kSource, addresses << 32 | addresses >> 32);
  }
  std::byte* udp = frame + plain.udp_offset;
  const auto ports = load_raw<std::uint32_t>(udp);
  store_raw(udp, std::uint64_t{ports << 16 | ports >> 16} |
                     std::uint64_t{byte_swap(PlainShape<kPayload>::kUdpLength)} << 32);
  return static_cast<std::uint32_t>(plain.payload_offset + kPayload);
}

}  // namespace wiretime::net
