// SPDX-License-Identifier: BSD-3-Clause
// The part of reading a frame that NTP requests and neighbour traffic share: link layer with VLAN tags, IP
// header, source address classes, checksums over the pseudo-header. Used by net/frame.cpp and
// net/neighbor.cpp only. Hot path, worker threads: inline, noexcept, every bound checked here once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/bytes.hpp"
#include "base/verdict.hpp"
#include "net/checksum.hpp"
#include "net/headers.hpp"

namespace wiretime::net {

// What a checking function returns when it found nothing to object to.
inline constexpr Verdict kContinue = Verdict::kCount;

struct Link {
  std::uint16_t l3_offset = 0;  // 14, 18 or 22
  std::uint16_t ether_type = 0;
};

struct IpPacket {
  std::uint16_t l3_offset = 0;
  std::uint16_t l4_offset = 0;
  std::uint16_t l4_length = 0;  // by the IP header, so without Ethernet padding; lies within the frame
  std::uint8_t protocol = 0;
  bool ipv6 = false;

  // The addresses stand together and end where the transport header begins (options are never accepted), so
  // one pass sums both.
  [[nodiscard]] std::size_t addresses_size() const noexcept {
    return ipv6 ? 2 * ipv6::kAddressSize : 2 * ipv4::kAddressSize;
  }
  [[nodiscard]] std::size_t source_offset() const noexcept { return l4_offset - addresses_size(); }
  [[nodiscard]] std::size_t destination_offset() const noexcept { return l4_offset - addresses_size() / 2; }
};

[[nodiscard]] inline bool is_vlan(std::uint16_t ether_type) noexcept {
  return ether_type == ethernet::kTypeVlan || ether_type == ethernet::kTypeServiceVlan;
}

[[nodiscard]] inline bool is_group_mac(const std::byte* mac) noexcept {
  return (load_u8(mac) & 1U) != 0;
}

[[nodiscard]] inline Verdict read_link(std::span<const std::byte> frame, Link& out) noexcept {
  if (frame.size() < ethernet::kHeaderSize) return Verdict::frame_truncated;
  std::size_t offset = ethernet::kEtherType;
  std::uint16_t type = load_be16(frame.data() + offset);
  for (std::size_t tags = 0; tags < ethernet::kMaxTags && is_vlan(type); ++tags) {
    offset += ethernet::kTagSize;
    if (frame.size() < offset + sizeof type) return Verdict::frame_truncated;
    type = load_be16(frame.data() + offset);
  }
  out.l3_offset = static_cast<std::uint16_t>(offset + sizeof type);
  out.ether_type = type;
  return kContinue;
}

[[nodiscard]] inline Verdict read_ipv4(std::span<const std::byte> frame, std::uint16_t l3,
                                       IpPacket& out) noexcept {
  const std::size_t available = frame.size() - l3;
  if (available < ipv4::kHeaderSize) return Verdict::frame_truncated;
  const std::byte* ip = frame.data() + l3;
  const unsigned version_and_length = load_u8(ip + ipv4::kVersionAndLength);
  const std::size_t header = (version_and_length & 0xFU) * 4;
  const std::size_t total = load_be16(ip + ipv4::kTotalLength);
  if (version_and_length >> 4 != 4 || header < ipv4::kHeaderSize || total < header)
    return Verdict::ip_header_invalid;
  if (total > available) return Verdict::frame_truncated;
  if (header != ipv4::kHeaderSize)
    return internet_checksum({ip, header}) != 0 ? Verdict::ip_checksum_bad : Verdict::ipv4_options;
  // Apart from the above, so that the compiler knows the size.
  if (internet_checksum({ip, ipv4::kHeaderSize}) != 0) return Verdict::ip_checksum_bad;
  if ((load_be16(ip + ipv4::kFragment) & ipv4::kFragmentMask) != 0) return Verdict::fragment;
  out.l3_offset = l3;
  out.l4_offset = static_cast<std::uint16_t>(l3 + ipv4::kHeaderSize);
  out.l4_length = static_cast<std::uint16_t>(total - ipv4::kHeaderSize);
  out.protocol = load_u8(ip + ipv4::kProtocol);
  out.ipv6 = false;
  return kContinue;
}

[[nodiscard]] inline Verdict classify_next_header(std::uint8_t next_header) noexcept {
  switch (next_header) {
    case protocol::kFragment:
      return Verdict::fragment;
    case protocol::kHopByHop:
    case protocol::kRouting:
    case protocol::kEsp:
    case protocol::kAuthentication:
    case protocol::kDestinationOptions:
    case protocol::kMobility:
    case protocol::kHip:
    case protocol::kShim6:
      return Verdict::ipv6_extension;
    default:
      return kContinue;
  }
}

[[nodiscard]] inline Verdict read_ipv6(std::span<const std::byte> frame, std::uint16_t l3,
                                       IpPacket& out) noexcept {
  const std::size_t available = frame.size() - l3;
  if (available < ipv6::kHeaderSize) return Verdict::frame_truncated;
  const std::byte* ip = frame.data() + l3;
  if (load_u8(ip) >> 4 != 6) return Verdict::ip_header_invalid;
  const std::uint16_t length = load_be16(ip + ipv6::kPayloadLength);
  if (length > available - ipv6::kHeaderSize) return Verdict::frame_truncated;
  out.l3_offset = l3;
  out.l4_offset = static_cast<std::uint16_t>(l3 + ipv6::kHeaderSize);
  out.l4_length = length;
  out.protocol = load_u8(ip + ipv6::kNextHeader);
  out.ipv6 = true;
  return out.protocol == protocol::kUdp ? kContinue : classify_next_header(out.protocol);
}

// The IP header behind the link layer, whole and without options, extension headers or fragmentation.
[[nodiscard]] inline Verdict read_ip(std::span<const std::byte> frame, const Link& link,
                                     IpPacket& out) noexcept {
  if (link.ether_type == ethernet::kTypeIpv4) return read_ipv4(frame, link.l3_offset, out);
  if (link.ether_type == ethernet::kTypeIpv6) return read_ipv6(frame, link.l3_offset, out);
  return Verdict::not_ip;
}

[[nodiscard]] inline bool is_group_ipv4(std::uint32_t address) noexcept {
  return address >> 28 == 0xE || address == 0xFFFF'FFFFU;
}

[[nodiscard]] inline bool is_group_destination(const std::byte* address, bool ipv6) noexcept {
  return ipv6 ? load_u8(address) == 0xFF : is_group_ipv4(load_be32(address));
}

// Addresses that no packet on a wire may come from. 0/8 and 127/8: RFC 1122 section 3.2.1.3; IPv4-mapped:
// RFC 4291 errata 3480.
[[nodiscard]] inline Verdict judge_source_ipv4(const std::byte* source) noexcept {
  const std::uint32_t address = load_be32(source);
  if (is_group_ipv4(address)) return Verdict::source_multicast;
  const std::uint32_t network = address >> 24;
  return network == 0 || network == 127 ? Verdict::source_invalid : kContinue;
}

[[nodiscard]] inline Verdict judge_source_ipv6(const std::byte* source) noexcept {
  if (load_u8(source) == 0xFF) return Verdict::source_multicast;
  if (load_be64(source) != 0) return kContinue;
  const std::uint64_t low = load_be64(source + 8);
  return low <= 1 || low >> 32 == 0xFFFF ? Verdict::source_invalid : kContinue;
}

// Source equal to the destination counts as our own address, because the destination is ours or nobody
// answers.
[[nodiscard]] inline Verdict judge_source(std::span<const std::byte> frame, const IpPacket& ip) noexcept {
  const std::byte* source = frame.data() + ip.source_offset();
  const std::byte* destination = frame.data() + ip.destination_offset();
  if (ip.ipv6) {
    if (load_be64(source) == load_be64(destination) && load_be64(source + 8) == load_be64(destination + 8))
      return Verdict::source_own_address;
    return judge_source_ipv6(source);
  }
  if (load_be32(source) == load_be32(destination)) return Verdict::source_own_address;
  return judge_source_ipv4(source);
}

// Sum of pseudo-header and the first `length` bytes of the transport packet; 0xFFFF when its checksum is
// right.
[[nodiscard]] inline InternetSum transport_sum(std::span<const std::byte> frame, const IpPacket& ip,
                                               std::uint16_t length) noexcept {
  InternetSum sum;
  sum.add(frame.subspan(ip.source_offset(), ip.addresses_size() + length));
  sum.add_be16(ip.protocol);
  sum.add_be16(length);
  return sum;
}

template <std::size_t kSize>
inline void swap_bytes(std::byte* a, std::byte* b) noexcept {
  std::array<std::byte, kSize> kept;
  std::memcpy(kept.data(), a, kSize);
  std::memcpy(a, b, kSize);
  std::memcpy(b, kept.data(), kSize);
}

}  // namespace wiretime::net
