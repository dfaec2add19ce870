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

void reverse_ipv4(std::byte* ip, std::size_t udp_length, std::uint8_t dscp) noexcept {
  store_u8(ip + ipv4::kTos, static_cast<std::uint8_t>(traffic_class(dscp)));
  store_be16(ip + ipv4::kTotalLength, static_cast<std::uint16_t>(ipv4::kHeaderSize + udp_length));
  store_be16(ip + ipv4::kIdentification, 0);
  store_be16(ip + ipv4::kFragment, ipv4::kDontFragment);
  store_u8(ip + ipv4::kTtl, kReplyHopLimit);
  store_be16(ip + ipv4::kChecksum, 0);
  swap_bytes<ipv4::kAddressSize>(ip + ipv4::kSource, ip + ipv4::kDestination);
  store_be16(ip + ipv4::kChecksum, internet_checksum({ip, ipv4::kHeaderSize}));
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

void finish_udp_checksum(std::span<std::byte> frame, const ParsedFrame& parsed) noexcept {
  IpPacket ip;
  ip.l3_offset = parsed.l3_offset;
  ip.l4_offset = parsed.udp_offset;
  ip.protocol = protocol::kUdp;
  ip.ipv6 = parsed.ipv6;
  std::byte* udp = frame.data() + parsed.udp_offset;
  // reverse() wrote the length; it never exceeds what parse() found to be there.
  const std::uint16_t udp_length = load_be16(udp + udp::kLength);
  store_be16(udp + udp::kChecksum, 0);
  const std::uint16_t checksum = transport_sum(frame, ip, udp_length).checksum();
  store_be16(udp + udp::kChecksum, checksum == 0 ? std::uint16_t{0xFFFF} : checksum);  // 0 would mean "none"
}

}  // namespace wiretime::net
