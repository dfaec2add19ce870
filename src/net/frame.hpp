// SPDX-License-Identifier: BSD-3-Clause
// An Ethernet frame that may hold an NTP request: judge it down to the UDP payload, and turn it into its
// reply in place. Hot path, worker threads: pure functions on the frame's bytes, no allocation. IEEE 802.1Q,
// RFC 791, 1122, 8200, 768.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/verdict.hpp"
#include "net/headers.hpp"
#include "net/ip_layer.hpp"

namespace wiretime::net {

// Where things stand in a frame that parse() let through; everything named here lies within the frame.
struct ParsedFrame {
  std::uint16_t l3_offset = 0;  // 14, 18 or 22
  std::uint16_t udp_offset = 0;
  std::uint16_t payload_offset = 0;  // UDP payload
  std::uint16_t payload_length = 0;  // UDP length - 8; the frame may be padded beyond
  bool ipv6 = false;
};

enum class UdpChecksum : std::uint8_t {
  // Right, absent (IPv4 only), or just the pseudo-header's sum: that is what a virtual link (veth, tap,
  // memif)
  // carries when the sending kernel left the rest to hardware that the frame never met.
  verify,
  trusted,  // the NIC has verified it
};

// kContinue and a filled `out` for a well-formed UDP packet to `ntp_port` from a credible unicast source;
// otherwise the first reason found, in the order of the layers. Whatever is another protocol's or port's
// business comes back as a pass_on verdict before anything behind the UDP ports is judged. Whether the
// destination is ours is not looked at, nor is the payload.
[[nodiscard]] Verdict parse(std::span<const std::byte> frame, std::uint16_t ntp_port, ParsedFrame& out,
                            UdpChecksum checksum = UdpChecksum::verify) noexcept;

// Makes the request frame its reply: MAC and IP addresses and ports swapped, VLAN tags kept, lengths set, TTL
// or hop limit 64, IPv4 unfragmentable with id 0 (RFC 6864) and a new header checksum, IPv6 flow label 0.
// `dscp` is 0..63; ECN is cleared. `new_payload_length` is at most the request's payload length and is
// clamped to it. The UDP checksum is left for finish_udp_checksum. Returns the new frame length: never above
// the request's, and padded with zeros where the payload ends before the Ethernet minimum that the request
// had.
[[nodiscard]] std::uint32_t reverse(std::span<std::byte> frame, const ParsedFrame& parsed,
                                    std::uint16_t new_payload_length, std::uint8_t dscp) noexcept;

// Computes the UDP checksum over the reply as it stands: after reverse() and the last write to the payload.
void finish_udp_checksum(std::span<std::byte> frame, const ParsedFrame& parsed) noexcept;

[[nodiscard]] inline IpAddress address_at(const std::byte* p, bool ipv6) noexcept {
  IpAddress a;
  a.family = ipv6 ? Family::ipv6 : Family::ipv4;
  std::memcpy(a.bytes.data(), p, ipv6 ? ipv6::kAddressSize : ipv4::kAddressSize);
  return a;
}

// Of the frame as it stands: reverse() exchanges them.
[[nodiscard]] inline IpAddress source_address(std::span<const std::byte> frame,
                                              const ParsedFrame& parsed) noexcept {
  return address_at(frame.data() + parsed.l3_offset + (parsed.ipv6 ? ipv6::kSource : ipv4::kSource),
                    parsed.ipv6);
}
[[nodiscard]] inline IpAddress destination_address(std::span<const std::byte> frame,
                                                   const ParsedFrame& parsed) noexcept {
  return address_at(frame.data() + parsed.l3_offset + (parsed.ipv6 ? ipv6::kDestination : ipv4::kDestination),
                    parsed.ipv6);
}
[[nodiscard]] inline std::uint16_t source_port(std::span<const std::byte> frame,
                                               const ParsedFrame& parsed) noexcept {
  return load_be16(frame.data() + parsed.udp_offset + udp::kSourcePort);
}
[[nodiscard]] inline std::span<std::byte> payload(std::span<std::byte> frame,
                                                  const ParsedFrame& parsed) noexcept {
  return frame.subspan(parsed.payload_offset, parsed.payload_length);
}
[[nodiscard]] inline std::span<const std::byte> payload(std::span<const std::byte> frame,
                                                        const ParsedFrame& parsed) noexcept {
  return frame.subspan(parsed.payload_offset, parsed.payload_length);
}

}  // namespace wiretime::net
