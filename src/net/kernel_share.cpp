// SPDX-License-Identifier: BSD-3-Clause
#include "net/kernel_share.hpp"

#include <cstring>

#include "base/bytes.hpp"
#include "net/ip_layer.hpp"

namespace wiretime::net {

namespace {

constexpr std::uint16_t kNtpPort = 123;
// Router solicitation and advertisement, neighbour solicitation and advertisement, redirect.
constexpr std::uint8_t kFirstDiscovery = 133;
constexpr std::uint8_t kLastDiscovery = 137;

bool to_us_or_all(std::span<const std::byte> frame, const OwnAddresses& own) noexcept {
  return is_group_mac(frame.data()) || std::memcmp(frame.data(), own.mac.data(), own.mac.size()) == 0;
}

bool is_vital(std::span<const std::byte> frame) noexcept {
  Link link;
  if (read_link(frame, link) != kContinue) return false;
  if (link.ether_type == ethernet::kTypeArp) return true;
  IpPacket ip;
  if (read_ip(frame, link, ip) != kContinue) return false;
  const std::byte* l4 = frame.data() + ip.l4_offset;
  if (ip.protocol == protocol::kUdp)
    return ip.l4_length >= udp::kHeaderSize && load_be16(l4 + udp::kSourcePort) == kNtpPort;
  if (!ip.ipv6 || ip.protocol != protocol::kIcmpv6 || ip.l4_length < icmp::kHeaderSize) return false;
  const std::uint8_t type = load_u8(l4 + icmp::kType);
  return type >= kFirstDiscovery && type <= kLastDiscovery;
}

}  // namespace

KernelShare kernel_share(std::span<const std::byte> frame, Verdict verdict,
                         const OwnAddresses& own) noexcept {
  // Answers to our own questions may come to the port that we serve, as do those of peers.
  const bool response = verdict == Verdict::ntp_mode_response || verdict == Verdict::peer_packet;
  if (!response && disposition(verdict) != Disposition::pass_on) return KernelShare::none;
  if (frame.size() < ethernet::kHeaderSize || !to_us_or_all(frame, own) ||
      std::memcmp(frame.data() + ethernet::kSource, own.mac.data(), own.mac.size()) == 0)
    return KernelShare::none;
  return response || is_vital(frame) ? KernelShare::vital : KernelShare::ordinary;
}

}  // namespace wiretime::net
