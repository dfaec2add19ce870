// SPDX-License-Identifier: BSD-3-Clause
#include "net/frame.hpp"

#include <algorithm>

namespace wiretime::net {

namespace {

// The frame never met a NIC that would have finished it: the field holds the pseudo-header's sum alone,
// uncomplemented.
bool checksum_left_to_hardware(std::span<const std::byte> frame, const IpPacket& ip,
                               std::uint16_t udp_length) noexcept {
  InternetSum pseudo_header;
  pseudo_header.add(frame.subspan(ip.source_offset(), ip.addresses_size()));
  pseudo_header.add_be16(ip.protocol);
  pseudo_header.add_be16(udp_length);
  return load_be16(frame.data() + ip.l4_offset + udp::kChecksum) == pseudo_header.folded();
}

bool udp_checksum_acceptable(std::span<const std::byte> frame, const IpPacket& ip,
                             std::uint16_t udp_length) noexcept {
  if (load_be16(frame.data() + ip.l4_offset + udp::kChecksum) == 0) return !ip.ipv6;  // RFC 8200 section 8.1
  return transport_sum(frame, ip, udp_length).folded() == 0xFFFF ||
         checksum_left_to_hardware(frame, ip, udp_length);
}

std::uint32_t traffic_class(std::uint8_t dscp) noexcept {
  return (std::uint32_t{dscp} << 2) & 0xFCU;
}

// Sums what it writes rather than reading it back: a wide load over narrow stores stalls until they retire.
void reverse_ipv4(std::byte* ip, std::size_t udp_length, std::uint8_t dscp) noexcept {
  const auto version_and_tos = static_cast<std::uint16_t>(0x4500U | traffic_class(dscp));
  const auto total_length = static_cast<std::uint16_t>(ipv4::kHeaderSize + udp_length);
  constexpr std::uint16_t kTtlAndProtocol = kReplyHopLimit << 8 | protocol::kUdp;
  InternetSum sum;
  sum.add({ip + ipv4::kSource, 2 * ipv4::kAddressSize});
  sum.add_be16(version_and_tos);
  sum.add_be16(total_length);
  sum.add_be16(ipv4::kDontFragment);
  sum.add_be16(kTtlAndProtocol);
  store_be16(ip + ipv4::kVersionAndLength, version_and_tos);
  store_be16(ip + ipv4::kTotalLength, total_length);
  store_be16(ip + ipv4::kIdentification, 0);
  store_be16(ip + ipv4::kFragment, ipv4::kDontFragment);
  store_be16(ip + ipv4::kTtl, kTtlAndProtocol);
  store_be16(ip + ipv4::kChecksum, sum.checksum());
  swap_bytes<ipv4::kAddressSize>(ip + ipv4::kSource, ip + ipv4::kDestination);
}

void reverse_ipv6(std::byte* ip, std::size_t udp_length, std::uint8_t dscp) noexcept {
  store_be32(ip + ipv6::kVersionClassFlow, 0x6000'0000U | (traffic_class(dscp) << 20));
  store_be16(ip + ipv6::kPayloadLength, static_cast<std::uint16_t>(udp_length));
  store_u8(ip + ipv6::kHopLimit, kReplyHopLimit);
  swap_bytes<ipv6::kAddressSize>(ip + ipv6::kSource, ip + ipv6::kDestination);
}

}  // namespace

Verdict parse(std::span<const std::byte> frame, std::uint16_t ntp_port, ParsedFrame& out,
              UdpChecksum checksum) noexcept {
  Link link;
  if (const Verdict v = read_link(frame, link); v != kContinue) return v;
  IpPacket ip;
  if (const Verdict v = read_ip(frame, link, ip); v != kContinue) return v;
  if (ip.protocol != protocol::kUdp) return Verdict::not_udp;

  if (ip.l4_length < udp::kHeaderSize) return Verdict::udp_length_bad;
  const std::byte* udp = frame.data() + ip.l4_offset;
  if (load_be16(udp + udp::kDestinationPort) != ntp_port) return Verdict::not_ntp_port;
  // Shorter than the IP payload is allowed: what follows is not UDP's.
  const std::uint16_t udp_length = load_be16(udp + udp::kLength);
  if (udp_length < udp::kHeaderSize || udp_length > ip.l4_length) return Verdict::udp_length_bad;

  if (is_group_mac(frame.data() + ethernet::kDestination) ||
      is_group_destination(frame.data() + ip.destination_offset(), ip.ipv6))
    return Verdict::link_broadcast;
  // The reply goes to the source MAC.
  if (is_group_mac(frame.data() + ethernet::kSource)) return Verdict::source_multicast;
  if (const Verdict v = judge_source(frame, ip); v != kContinue) return v;
  if (load_be16(udp + udp::kSourcePort) == 0) return Verdict::source_invalid;
  if (checksum == UdpChecksum::verify && !udp_checksum_acceptable(frame, ip, udp_length))
    return Verdict::udp_checksum_bad;

  out.l3_offset = ip.l3_offset;
  out.udp_offset = ip.l4_offset;
  out.payload_offset = static_cast<std::uint16_t>(ip.l4_offset + udp::kHeaderSize);
  out.payload_length = static_cast<std::uint16_t>(udp_length - udp::kHeaderSize);
  out.ipv6 = ip.ipv6;
  return kContinue;
}

std::uint32_t reverse(std::span<std::byte> frame, const ParsedFrame& parsed, std::uint16_t new_payload_length,
                      std::uint8_t dscp) noexcept {
  const std::size_t payload_length = std::min(new_payload_length, parsed.payload_length);
  const std::size_t udp_length = udp::kHeaderSize + payload_length;
  swap_bytes<6>(frame.data() + ethernet::kDestination, frame.data() + ethernet::kSource);
  if (parsed.ipv6)
    reverse_ipv6(frame.data() + parsed.l3_offset, udp_length, dscp);
  else
    reverse_ipv4(frame.data() + parsed.l3_offset, udp_length, dscp);
  std::byte* udp = frame.data() + parsed.udp_offset;
  swap_bytes<2>(udp + udp::kSourcePort, udp + udp::kDestinationPort);
  store_be16(udp + udp::kLength, static_cast<std::uint16_t>(udp_length));

  const std::size_t end = parsed.payload_offset + payload_length;
  const std::size_t length = std::max(end, std::min(frame.size(), ethernet::kMinimumFrame));
  if (length > end) std::fill(frame.data() + end, frame.data() + length, std::byte{0});
  return static_cast<std::uint32_t>(length);
}

// Loads no wider than the stores of reverse(), for the reason given there.
void finish_udp_checksum(std::span<std::byte> frame, const ParsedFrame& parsed) noexcept {
  std::byte* udp = frame.data() + parsed.udp_offset;
  const std::size_t address_size = parsed.ipv6 ? ipv6::kAddressSize : ipv4::kAddressSize;
  // reverse() wrote the length; it never exceeds what parse() found to be there.
  const std::uint16_t udp_length = load_be16(udp + udp::kLength);
  InternetSum sum;
  sum.add({udp - 2 * address_size, address_size});
  sum.add({udp - address_size, address_size});
  sum.add_be16(protocol::kUdp);
  sum.add_be16(udp_length);  // pseudo-header
  sum.add_be16(load_be16(udp + udp::kSourcePort));
  sum.add_be16(load_be16(udp + udp::kDestinationPort));
  sum.add_be16(udp_length);
  sum.add(frame.subspan(parsed.payload_offset, udp_length - udp::kHeaderSize));
  store_be16(udp + udp::kChecksum, udp_checksum(sum.checksum()));
}

}  // namespace wiretime::net
