// SPDX-License-Identifier: BSD-3-Clause
// ARP, ICMP and neighbour discovery messages for the tests of net/neighbor, and one way to ask the server.
#pragma once

#include <algorithm>
#include <optional>

#include "catch.hpp"
#include "frames.hpp"
#include "net/neighbor.hpp"

namespace wiretime::net::test {

inline const IpAddress kLinkLocal = ip("fe80::ff:fe00:1");  // of kServerMac

inline OwnAddresses server() {
  return {mac(kServerMac), {ip("192.0.2.1"), ip("2001:db8::1")}, std::nullopt};
}

struct Answer {
  Verdict verdict;
  Bytes frame;  // as long as the answer says
};

// Checks on the way what holds for every frame: no answer, no change.
inline Answer ask(const Bytes& request, const OwnAddresses& own = server(), std::size_t spare = 8) {
  Bytes room = request;
  room.resize(request.size() + spare, std::byte{0x5A});
  Exact buffer{room};
  auto length = static_cast<std::uint32_t>(request.size());
  const Verdict v = answer_neighbor(buffer.span(), length, own);
  REQUIRE(v != Verdict::kCount);
  if (disposition(v) != Disposition::reply) {
    REQUIRE(length == request.size());
    REQUIRE(std::equal(room.begin(), room.end(), buffer.span().begin()));
  }
  REQUIRE(length <= buffer.span().size());
  return {v, Bytes(buffer.span().begin(), buffer.span().begin() + length)};
}

inline Bytes arp_frame(std::uint64_t to, const IpAddress& sender, const IpAddress& target,
                       std::uint16_t operation = 1, Spec s = {}) {
  s.destination_mac = to;
  Bytes f = link_header(s, 0x0806);
  append16(f, 1);
  append16(f, 0x0800);
  append8(f, 6);
  append8(f, 4);
  append16(f, operation);
  append(f, mac(s.source_mac));
  append(f, sender);
  append(f, operation == 1 ? mac(0) : mac(to));
  append(f, target);
  f.resize(std::max<std::size_t>(f.size(), 60));
  return f;
}

inline Bytes arp_request(const std::string& target = "192.0.2.1", const std::string& sender = "192.0.2.2") {
  return arp_frame(kBroadcastMac, ip(sender), ip(target));
}

inline Bytes echo_message(bool v6, std::size_t data = 56) {
  Bytes m;
  append8(m, v6 ? 128 : 8);
  append8(m, 0);
  append16(m, 0);
  append32(m, 0x12340001);
  for (std::size_t i = 0; i < data; ++i) append8(m, static_cast<std::uint8_t>(i));
  return m;
}

inline Bytes solicitation_message(const IpAddress& target, bool with_option = true) {
  Bytes m;
  append8(m, 135);
  append8(m, 0);
  append16(m, 0);
  append32(m, 0);
  append(m, target);
  if (with_option) {
    append16(m, 0x0101);
    append(m, mac(kClientMac));
  }
  return m;
}

// From the client, to the target's solicited-node group.
inline Spec solicitation_spec(const IpAddress& target) {
  Spec s;
  s.from = ip("2001:db8::2");
  s.to = ip("ff02::1:ff00:0");
  std::copy_n(target.bytes.begin() + 13, 3, s.to.bytes.begin() + 13);
  s.destination_mac = 0x3333FF000000 | std::uint64_t{target.bytes[13]} << 16 |
                      std::uint64_t{target.bytes[14]} << 8 | target.bytes[15];
  s.hop_limit = 255;
  return s;
}

inline Bytes advertisement(Spec s, const IpAddress& target, std::uint32_t flags) {
  Bytes m;
  append8(m, 136);
  append8(m, 0);
  append16(m, 0);
  append32(m, flags);
  append(m, target);
  append16(m, 0x0201);
  append(m, mac(kServerMac));
  s.source_mac = kServerMac;
  s.from = target;
  s.hop_limit = 255;
  return icmp_frame(s, m);
}

// The advertisement that answers the client at 2001:db8::2.
inline Bytes expected_advertisement(const IpAddress& target) {
  Spec s;
  s.destination_mac = kClientMac;
  s.to = ip("2001:db8::2");
  return advertisement(s, target, 0x60000000);
}

}  // namespace wiretime::net::test
