// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/request.hpp"

namespace wiretime::load {

namespace {

using namespace net;

std::uint64_t sum_of(std::span<const std::byte> bytes) noexcept {
  WordSum sum;
  for (std::size_t at = 0; at + 2 <= bytes.size(); at += 2)
    sum.add(load_raw<std::uint16_t>(bytes.data() + at));
  return sum.value();
}

void write_link(std::byte* frame, const Path& path) noexcept {
  std::memcpy(frame + ethernet::kDestination, path.destination.data(), path.destination.size());
  std::memcpy(frame + ethernet::kSource, path.source.data(), path.source.size());
  std::byte* type = frame + ethernet::kEtherType;
  if (path.vlan) {
    store_be16(type, ethernet::kTypeVlan);
    store_be16(type + 2, *path.vlan);
    type += ethernet::kTagSize;
  }
  store_be16(type, path.ipv6() ? ethernet::kTypeIpv6 : ethernet::kTypeIpv4);
}

}  // namespace

RequestWriter::RequestWriter(const Path& path) noexcept {
  constexpr std::uint16_t kUdpLength = udp::kHeaderSize + ntp::kHeaderLength;
  constexpr std::int8_t kPoll = 6;
  constexpr std::uint8_t kHiddenPrecision = 0x20;
  std::byte* const frame = frame_.data();
  write_link(frame, path);
  std::byte* const ip = frame + path.l3();
  if (path.ipv6()) {
    store_be32(ip + ipv6::kVersionClassFlow, 6U << 28);
    store_be16(ip + ipv6::kPayloadLength, kUdpLength);
    store_u8(ip + ipv6::kNextHeader, protocol::kUdp);
    store_u8(ip + ipv6::kHopLimit, kReplyHopLimit);
    std::memcpy(ip + ipv6::kDestination, path.server.bytes.data(), ipv6::kAddressSize);
    source_ = static_cast<std::uint16_t>(path.l3() + ipv6::kSource);
  } else {
    store_u8(ip + ipv4::kVersionAndLength, 0x45);
    store_be16(ip + ipv4::kTotalLength, ipv4::kHeaderSize + kUdpLength);
    store_be16(ip + ipv4::kFragment, ipv4::kDontFragment);
    store_u8(ip + ipv4::kTtl, kReplyHopLimit);
    store_u8(ip + ipv4::kProtocol, protocol::kUdp);
    std::memcpy(ip + ipv4::kDestination, path.server.bytes.data(), ipv4::kAddressSize);
    source_ = static_cast<std::uint16_t>(path.l3() + ipv4::kSource);
    ip_sum_ = sum_of({ip, ipv4::kHeaderSize});
  }
  udp_ = static_cast<std::uint16_t>(path.udp());
  std::byte* const udp = frame + udp_;
  store_be16(udp + udp::kDestinationPort, path.server_port);
  store_be16(udp + udp::kLength, kUdpLength);
  std::byte* const message = frame + path.payload();
  store_u8(message + ntp::offset::kFlags, ntp::flags(0, kVersion, ntp::Mode::client));
  store_u8(message + ntp::offset::kPoll, kPoll);
  store_u8(message + ntp::offset::kPrecision, kHiddenPrecision);

  // The pseudo-header's length and protocol, then addresses (the source still zero), UDP header and message.
  WordSum sum{sum_of({frame + source_, path.payload() + ntp::kHeaderLength - source_})};
  sum.add(byte_swap(kUdpLength));
  sum.add(byte_swap(std::uint16_t{protocol::kUdp}));
  udp_sum_ = sum.value();
  length_ = static_cast<std::uint16_t>(path.payload() + ntp::kHeaderLength);
}

}  // namespace wiretime::load
