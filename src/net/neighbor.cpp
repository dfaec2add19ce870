// SPDX-License-Identifier: BSD-3-Clause
#include "net/neighbor.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.hpp"
#include "net/checksum.hpp"
#include "net/frame.hpp"
#include "net/ip_layer.hpp"

namespace wiretime::net {

namespace {

using Frame = std::span<std::byte>;

constexpr std::size_t kAdvertisementSize = nd::kOptions + nd::kLinkLayerOptionSize;

constexpr std::array<std::uint8_t, 16> kAllNodes{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::array<std::uint8_t, 13> kSolicitedNodePrefix{0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF};

bool same(const std::byte* a, const void* b, std::size_t size) noexcept {
  return std::memcmp(a, b, size) == 0;
}

void put_mac(std::byte* to, const MacAddress& mac) noexcept {
  std::memcpy(to, mac.data(), mac.size());
}

// The group MAC of an IPv6 multicast address (RFC 2464 section 7).
MacAddress group_mac(const std::byte* address) noexcept {
  return {std::byte{0x33}, std::byte{0x33}, address[12], address[13], address[14], address[15]};
}

bool on_our_vlan(std::span<const std::byte> frame, const Link& link, const OwnAddresses& own) noexcept {
  if (!own.vlan) return true;
  if (link.l3_offset != ethernet::kHeaderSize + ethernet::kTagSize) return false;
  return (load_be16(frame.data() + ethernet::kHeaderSize) & ethernet::kVlanIdMask) == *own.vlan;
}

bool to_our_mac(Frame frame, const OwnAddresses& own) noexcept {
  return same(frame.data() + ethernet::kDestination, own.mac.data(), own.mac.size());
}

// The station that sent the frame: our answer goes there.
Verdict judge_source_mac(Frame frame, const OwnAddresses& own) noexcept {
  const std::byte* source = frame.data() + ethernet::kSource;
  if (is_group_mac(source)) return Verdict::source_multicast;
  return same(source, own.mac.data(), own.mac.size()) ? Verdict::source_own_address : kContinue;
}

void address_to_sender(Frame frame, const OwnAddresses& own) noexcept {
  std::copy_n(frame.begin() + ethernet::kSource, own.mac.size(), frame.begin() + ethernet::kDestination);
  put_mac(frame.data() + ethernet::kSource, own.mac);
}

// --- ARP ---

void write_arp_constants(std::byte* arp, std::uint16_t operation) noexcept {
  store_be16(arp + arp::kHardwareType, arp::kHardwareEthernet);
  store_be16(arp + arp::kProtocolType, ethernet::kTypeIpv4);
  store_u8(arp + arp::kHardwareLength, 6);
  store_u8(arp + arp::kProtocolLength, ipv4::kAddressSize);
  store_be16(arp + arp::kOperation, operation);
}

bool is_ipv4_request(const std::byte* arp) noexcept {
  std::array<std::byte, arp::kSenderHardware> wanted;
  write_arp_constants(wanted.data(), arp::kRequest);
  return same(arp, wanted.data(), wanted.size());
}

Verdict answer_arp(Frame frame, const Link& link, const OwnAddresses& own) noexcept {
  if (frame.size() < link.l3_offset + arp::kSize) return Verdict::frame_truncated;
  std::byte* arp = frame.data() + link.l3_offset;
  const std::byte* destination = frame.data() + ethernet::kDestination;
  if (!is_ipv4_request(arp) || !own.owns(address_at(arp + arp::kTargetAddress, false)) ||
      (is_group_mac(destination) ? load_be32(destination) != 0xFFFF'FFFFU : !to_our_mac(frame, own)))
    return Verdict::not_ip;

  if (const Verdict v = judge_source_mac(frame, own); v != kContinue) return v;
  if (is_group_mac(arp + arp::kSenderHardware)) return Verdict::source_multicast;
  // A probe comes from 0.0.0.0 and must be answered: that is how duplicates are found (RFC 5227
  // section 2.1.1).
  if (load_be32(arp + arp::kSenderAddress) != 0) {
    if (const Verdict v = judge_source_ipv4(arp + arp::kSenderAddress); v != kContinue) return v;
    if (own.owns(address_at(arp + arp::kSenderAddress, false))) return Verdict::source_own_address;
  }

  address_to_sender(frame, own);
  store_be16(arp + arp::kOperation, arp::kReply);
  // Sender and target change places, hardware and protocol address together.
  swap_bytes<10>(arp + arp::kSenderHardware, arp + arp::kTargetHardware);
  put_mac(arp + arp::kSenderHardware, own.mac);
  return Verdict::arp_answered;
}

// --- echo ---

Verdict judge_ip_source(Frame frame, const IpPacket& ip, const OwnAddresses& own) noexcept {
  if (const Verdict v = judge_source_mac(frame, own); v != kContinue) return v;
  if (const Verdict v = judge_source(frame, ip); v != kContinue) return v;
  return own.owns(address_at(frame.data() + ip.source_offset(), ip.ipv6)) ? Verdict::source_own_address
                                                                          : kContinue;
}

bool icmp_checksum_right(Frame frame, const IpPacket& ip) noexcept {
  if (ip.ipv6) return transport_sum(frame, ip, ip.l4_length).folded() == 0xFFFF;
  return internet_checksum(frame.subspan(ip.l4_offset, ip.l4_length)) == 0;
}

// Summed anew: an incremental update is wrong for an echo reply of all zeros, which ICMP over IPv4 can be.
void write_icmp_type(Frame frame, const IpPacket& ip, std::uint8_t type) noexcept {
  std::byte* icmp = frame.data() + ip.l4_offset;
  store_u8(icmp + icmp::kType, type);
  store_be16(icmp + icmp::kChecksum, 0);
  store_be16(icmp + icmp::kChecksum, ip.ipv6 ? transport_sum(frame, ip, ip.l4_length).checksum()
                                             : internet_checksum(frame.subspan(ip.l4_offset, ip.l4_length)));
}

Verdict answer_echo(Frame frame, const IpPacket& ip, const OwnAddresses& own) noexcept {
  const std::byte* destination = frame.data() + ip.destination_offset();
  if (is_group_mac(frame.data() + ethernet::kDestination) || is_group_destination(destination, ip.ipv6))
    return Verdict::link_broadcast;
  if (!to_our_mac(frame, own) || !own.owns(address_at(destination, ip.ipv6))) return Verdict::not_our_address;
  if (const Verdict v = judge_ip_source(frame, ip, own); v != kContinue) return v;
  if (load_u8(frame.data() + ip.l4_offset + icmp::kCode) != 0 || !icmp_checksum_right(frame, ip))
    return Verdict::icmp_invalid;

  address_to_sender(frame, own);
  std::byte* header = frame.data() + ip.l3_offset;
  if (ip.ipv6) {
    swap_bytes<ipv6::kAddressSize>(header + ipv6::kSource, header + ipv6::kDestination);
    store_u8(header + ipv6::kHopLimit, kReplyHopLimit);
    write_icmp_type(frame, ip, icmp::kEchoReply6);
  } else {
    swap_bytes<ipv4::kAddressSize>(header + ipv4::kSource, header + ipv4::kDestination);
    store_u8(header + ipv4::kTtl, kReplyHopLimit);
    store_be16(header + ipv4::kChecksum, 0);
    store_be16(header + ipv4::kChecksum, internet_checksum({header, ipv4::kHeaderSize}));
    write_icmp_type(frame, ip, icmp::kEchoReply);
  }
  return Verdict::echo_answered;
}

// --- neighbour discovery ---

// Writes IPv6 header and advertisement at `l3`; `destination` may lie in the bytes being overwritten.
void write_advertisement(Frame frame, std::size_t l3, const MacAddress& mac, const IpAddress& target,
                         const IpAddress& destination, std::uint32_t flags) noexcept {
  std::byte* ip = frame.data() + l3;
  store_be32(ip + ipv6::kVersionClassFlow, 0x6000'0000U);
  store_be16(ip + ipv6::kPayloadLength, kAdvertisementSize);
  store_u8(ip + ipv6::kNextHeader, protocol::kIcmpv6);
  store_u8(ip + ipv6::kHopLimit, nd::kHopLimit);
  std::memcpy(ip + ipv6::kSource, target.bytes.data(), ipv6::kAddressSize);
  std::memcpy(ip + ipv6::kDestination, destination.bytes.data(), ipv6::kAddressSize);

  std::byte* icmp = ip + ipv6::kHeaderSize;
  store_u8(icmp + icmp::kType, nd::kAdvertisement);
  store_u8(icmp + icmp::kCode, 0);
  store_be16(icmp + icmp::kChecksum, 0);
  store_be32(icmp + nd::kFlags, flags);
  std::memcpy(icmp + nd::kTarget, target.bytes.data(), ipv6::kAddressSize);
  store_u8(icmp + nd::kOptions, nd::kOptionTargetLinkLayer);
  store_u8(icmp + nd::kOptions + 1, 1);  // in units of 8 bytes
  put_mac(icmp + nd::kOptions + 2, mac);

  IpPacket packet;
  packet.l4_offset = static_cast<std::uint16_t>(l3 + ipv6::kHeaderSize);
  packet.protocol = protocol::kIcmpv6;
  packet.ipv6 = true;
  store_be16(icmp + icmp::kChecksum, transport_sum(frame, packet, kAdvertisementSize).checksum());
}

IpAddress all_nodes() noexcept {
  return {kAllNodes, Family::ipv6};
}

bool is_solicited_node_of(const std::byte* group, const IpAddress& target) noexcept {
  return same(group, kSolicitedNodePrefix.data(), kSolicitedNodePrefix.size()) &&
         same(group + 13, target.bytes.data() + 13, 3);
}

// RFC 4861 section 7.1.1, all but the target being ours.
bool valid_solicitation(Frame frame, const IpPacket& ip, bool from_unspecified) noexcept {
  const std::byte* icmp = frame.data() + ip.l4_offset;
  if (load_u8(frame.data() + ip.l3_offset + ipv6::kHopLimit) != nd::kHopLimit ||
      load_u8(icmp + icmp::kCode) != 0 || ip.l4_length < nd::kOptions)
    return false;
  for (std::size_t at = nd::kOptions; at < ip.l4_length;) {
    if (at + 2 > ip.l4_length) return false;
    const std::size_t size = std::size_t{load_u8(icmp + at + 1)} * 8;
    if (size == 0 || size > ip.l4_length - at) return false;
    if (from_unspecified && load_u8(icmp + at) == nd::kOptionSourceLinkLayer) return false;
    at += size;
  }
  return icmp_checksum_right(frame, ip);
}

Verdict answer_solicitation(Frame buffer, std::uint32_t& length, const IpPacket& ip,
                            const OwnAddresses& own) noexcept {
  const Frame frame = buffer.first(length);
  if (ip.l4_length < nd::kOptions) return Verdict::icmp_invalid;
  const IpAddress target = address_at(frame.data() + ip.l4_offset + nd::kTarget, true);
  if (!own.owns(target)) return Verdict::not_our_address;
  const std::byte* destination = frame.data() + ip.destination_offset();
  const bool to_group = is_solicited_node_of(destination, target);
  if (to_group ? !same(frame.data(), group_mac(destination).data(), 6) && !to_our_mac(frame, own)
               : !to_our_mac(frame, own) || !own.owns(address_at(destination, true)))
    return Verdict::not_our_address;

  const IpAddress source = address_at(frame.data() + ip.source_offset(), true);
  const bool from_unspecified = source.is_unspecified();  // duplicate address detection, RFC 4862 section 5.4
  if (from_unspecified) {
    if (const Verdict v = judge_source_mac(frame, own); v != kContinue) return v;
  } else {
    if (const Verdict v = judge_ip_source(frame, ip, own); v != kContinue) return v;
  }
  if ((from_unspecified && !to_group) || !valid_solicitation(frame, ip, from_unspecified))
    return Verdict::icmp_invalid;

  const std::uint32_t answer = std::uint32_t{ip.l4_offset} + kAdvertisementSize;
  if (answer > buffer.size()) return Verdict::frame_multi_segment;
  address_to_sender(frame, own);
  if (from_unspecified) {
    const IpAddress group = all_nodes();
    put_mac(frame.data() + ethernet::kDestination, group_mac(std::as_bytes(std::span{group.bytes}).data()));
    write_advertisement(buffer, ip.l3_offset, own.mac, target, group, nd::kFlagOverride);
  } else {
    write_advertisement(buffer, ip.l3_offset, own.mac, target, source,
                        nd::kFlagSolicited | nd::kFlagOverride);
  }
  length = answer;
  return Verdict::nd_answered;
}

Verdict answer_ip(Frame buffer, std::uint32_t& length, const Link& link, const OwnAddresses& own) noexcept {
  const Frame frame = buffer.first(length);
  IpPacket ip;
  if (const Verdict v = read_ip(frame, link, ip); v != kContinue) return v;
  if (ip.protocol == protocol::kUdp) return Verdict::not_ntp_port;
  if (ip.protocol != (ip.ipv6 ? protocol::kIcmpv6 : protocol::kIcmp)) return Verdict::not_udp;
  if (ip.l4_length < icmp::kHeaderSize) return Verdict::icmp_invalid;
  const std::uint8_t type = load_u8(frame.data() + ip.l4_offset + icmp::kType);
  if (type == (ip.ipv6 ? icmp::kEchoRequest6 : icmp::kEchoRequest)) return answer_echo(frame, ip, own);
  if (ip.ipv6 && type == nd::kSolicitation) return answer_solicitation(buffer, length, ip, own);
  return Verdict::not_udp;
}

// --- announcements ---

// Ethernet header with our tag if we have one; returns the offset behind it.
std::size_t write_link(Frame buffer, const OwnAddresses& own, const MacAddress& destination,
                       std::uint16_t ether_type) noexcept {
  put_mac(buffer.data() + ethernet::kDestination, destination);
  put_mac(buffer.data() + ethernet::kSource, own.mac);
  std::size_t type_at = ethernet::kEtherType;
  if (own.vlan) {
    store_be16(buffer.data() + type_at, ethernet::kTypeVlan);
    store_be16(buffer.data() + type_at + 2, *own.vlan);
    type_at += ethernet::kTagSize;
  }
  store_be16(buffer.data() + type_at, ether_type);
  return type_at + 2;
}

std::size_t link_size(const OwnAddresses& own) noexcept {
  return ethernet::kHeaderSize + (own.vlan ? ethernet::kTagSize : 0);
}

}  // namespace

IpAddress OwnAddresses::link_local() const noexcept {
  IpAddress a;
  a.family = Family::ipv6;
  a.bytes[0] = 0xFE;
  a.bytes[1] = 0x80;
  std::memcpy(a.bytes.data() + 8, mac.data(), 3);
  a.bytes[8] ^= 0x02;  // universal/local bit
  a.bytes[11] = 0xFF;
  a.bytes[12] = 0xFE;
  std::memcpy(a.bytes.data() + 13, mac.data() + 3, 3);
  return a;
}

bool OwnAddresses::owns(const IpAddress& address) const noexcept {
  const auto in = [&](const std::vector<IpAddress>& list) {
    return std::find(list.begin(), list.end(), address) != list.end();
  };
  const auto within = [&](const IpPrefix& p) { return p.contains(address); };
  return in(addresses) || (std::any_of(prefixes.begin(), prefixes.end(), within) && !in(foreign)) ||
         (address.family == Family::ipv6 && address == link_local());
}

Verdict answer_neighbor(std::span<std::byte> buffer, std::uint32_t& length,
                        const OwnAddresses& own) noexcept {
  if (length > buffer.size()) return Verdict::frame_multi_segment;
  const Frame frame = buffer.first(length);
  Link link;
  if (const Verdict v = read_link(frame, link); v != kContinue) return v;
  if (!on_our_vlan(frame, link, own)) return Verdict::not_our_address;
  if (link.ether_type == ethernet::kTypeArp) return answer_arp(frame, link, own);
  return answer_ip(buffer, length, link, own);
}

std::uint32_t build_gratuitous_arp(std::span<std::byte> buffer, const OwnAddresses& own,
                                   const IpAddress& address) noexcept {
  if (address.family != Family::ipv4 || buffer.size() < ethernet::kMinimumFrame) return 0;
  const Frame frame = buffer.first(ethernet::kMinimumFrame);
  std::fill(frame.begin(), frame.end(), std::byte{0});
  MacAddress broadcast;
  broadcast.fill(std::byte{0xFF});
  std::byte* arp = frame.data() + write_link(frame, own, broadcast, ethernet::kTypeArp);
  write_arp_constants(arp, arp::kRequest);
  put_mac(arp + arp::kSenderHardware, own.mac);
  std::memcpy(arp + arp::kSenderAddress, address.bytes.data(), ipv4::kAddressSize);
  std::memcpy(arp + arp::kTargetAddress, address.bytes.data(), ipv4::kAddressSize);
  return static_cast<std::uint32_t>(frame.size());
}

std::uint32_t build_unsolicited_advertisement(std::span<std::byte> buffer, const OwnAddresses& own,
                                              const IpAddress& address) noexcept {
  const std::size_t size = link_size(own) + ipv6::kHeaderSize + kAdvertisementSize;
  if (address.family != Family::ipv6 || buffer.size() < size) return 0;
  const IpAddress group = all_nodes();
  const std::size_t l3 =
      write_link(buffer, own, group_mac(std::as_bytes(std::span{group.bytes}).data()), ethernet::kTypeIpv6);
  write_advertisement(buffer, l3, own.mac, address, group, nd::kFlagOverride);
  return static_cast<std::uint32_t>(size);
}

std::uint32_t build_neighbor_request(std::span<std::byte> buffer, const OwnAddresses& own,
                                     const IpAddress& asker, const IpAddress& target) noexcept {
  if (target.family == Family::ipv4) {
    const std::uint32_t length = build_gratuitous_arp(buffer, own, asker);
    if (length == 0) return 0;
    std::byte* const arp = buffer.data() + link_size(own);
    std::memcpy(arp + arp::kTargetAddress, target.bytes.data(), ipv4::kAddressSize);
    return length;
  }
  IpAddress group = target;
  std::copy(kSolicitedNodePrefix.begin(), kSolicitedNodePrefix.end(), group.bytes.begin());
  const std::uint32_t length = build_unsolicited_advertisement(buffer, own, target);
  if (length == 0) return 0;
  // Of the same shape as an advertisement; type, option and addresses differ.
  std::byte* const ip = buffer.data() + link_size(own);
  std::byte* const icmp = ip + ipv6::kHeaderSize;
  put_mac(buffer.data() + ethernet::kDestination, group_mac(std::as_bytes(std::span{group.bytes}).data()));
  std::memcpy(ip + ipv6::kSource, asker.bytes.data(), ipv6::kAddressSize);
  std::memcpy(ip + ipv6::kDestination, group.bytes.data(), ipv6::kAddressSize);
  store_u8(icmp + icmp::kType, nd::kSolicitation);
  store_be32(icmp + nd::kFlags, 0);
  store_u8(icmp + nd::kOptions, nd::kOptionSourceLinkLayer);
  store_be16(icmp + icmp::kChecksum, 0);
  IpPacket packet;
  packet.l4_offset = static_cast<std::uint16_t>(icmp - buffer.data());
  packet.protocol = protocol::kIcmpv6;
  packet.ipv6 = true;
  store_be16(icmp + icmp::kChecksum, transport_sum(buffer, packet, kAdvertisementSize).checksum());
  return length;
}

std::optional<MacAddress> read_neighbor_answer(std::span<const std::byte> frame, const OwnAddresses& own,
                                               const IpAddress& target) noexcept {
  const auto mac_at = [](const std::byte* p) {
    MacAddress mac;
    std::memcpy(mac.data(), p, mac.size());
    return is_group_mac(p) ? std::nullopt : std::optional{mac};
  };
  Link link;
  if (read_link(frame, link) != kContinue || !on_our_vlan(frame, link, own)) return std::nullopt;
  if (link.ether_type == ethernet::kTypeArp) {
    const std::byte* const arp = frame.data() + link.l3_offset;
    if (frame.size() < link.l3_offset + arp::kSize || load_be16(arp + arp::kOperation) != arp::kReply ||
        address_at(arp + arp::kSenderAddress, false) != target)
      return std::nullopt;
    return mac_at(arp + arp::kSenderHardware);
  }
  IpPacket ip;
  if (read_ip(frame, link, ip) != kContinue || !ip.ipv6 || ip.protocol != protocol::kIcmpv6 ||
      ip.l4_length < nd::kOptions)
    return std::nullopt;
  const std::byte* const icmp = frame.data() + ip.l4_offset;
  if (load_u8(icmp + icmp::kType) != nd::kAdvertisement || address_at(icmp + nd::kTarget, true) != target ||
      transport_sum(frame, ip, ip.l4_length).folded() != 0xFFFF)
    return std::nullopt;
  // Without the option, which a solicited answer may leave out, the frame's own source says it.
  const bool option = ip.l4_length >= kAdvertisementSize &&
                      load_u8(icmp + nd::kOptions) == nd::kOptionTargetLinkLayer &&
                      load_u8(icmp + nd::kOptions + 1) == 1;
  return mac_at(option ? icmp + nd::kOptions + 2 : frame.data() + ethernet::kSource);
}

}  // namespace wiretime::net
