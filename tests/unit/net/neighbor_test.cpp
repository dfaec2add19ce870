// SPDX-License-Identifier: BSD-3-Clause
// ARP, echo, VLAN tags, and damaged frames of every kind.
#include "net/neighbor.hpp"

#include <algorithm>

#include "catch.hpp"
#include "neighbor_frames.hpp"

using namespace wiretime;
using namespace wiretime::net;
using namespace wiretime::net::test;

TEST_CASE("an ARP request for our address is answered in place, broadcast or unicast") {
  for (const std::uint64_t to : {kBroadcastMac, kServerMac}) {
    const Answer a = ask(arp_frame(to, ip("192.0.2.2"), ip("192.0.2.1")));
    CHECK(a.verdict == Verdict::arp_answered);
    Spec s;
    s.source_mac = kServerMac;
    CHECK(a.frame == arp_frame(kClientMac, ip("192.0.2.1"), ip("192.0.2.2"), 2, s));
  }
}

TEST_CASE("an ARP probe is answered, so that a duplicate of our address is found") {
  CHECK(ask(arp_request("192.0.2.1", "0.0.0.0")).verdict == Verdict::arp_answered);
}

TEST_CASE("ARP that is not a question about us is not answered") {
  CHECK(ask(arp_request("192.0.2.3")).verdict == Verdict::not_ip);
  CHECK(ask(arp_frame(kServerMac, ip("192.0.2.2"), ip("192.0.2.1"), 2)).verdict == Verdict::not_ip);
  CHECK(ask(arp_frame(kClientMac, ip("192.0.2.2"), ip("192.0.2.1"))).verdict == Verdict::not_ip);
  CHECK(ask(arp_frame(0x333300000001, ip("192.0.2.2"), ip("192.0.2.1"))).verdict == Verdict::not_ip);
  for (const std::size_t field : {0U, 2U, 4U, 5U, 6U}) {
    Bytes frame = arp_request();
    frame[14 + field] ^= std::byte{0x40};
    CHECK(ask(frame).verdict == Verdict::not_ip);
  }
}

TEST_CASE("ARP from our own address or from an impossible sender is dropped by name") {
  CHECK(ask(arp_request("192.0.2.1", "192.0.2.1")).verdict == Verdict::source_own_address);
  CHECK(ask(arp_request("192.0.2.1", "224.0.0.1")).verdict == Verdict::source_multicast);
  CHECK(ask(arp_request("192.0.2.1", "127.0.0.1")).verdict == Verdict::source_invalid);
  Bytes frame = arp_request();
  frame[6] |= std::byte{1};
  CHECK(ask(frame).verdict == Verdict::source_multicast);
  frame = arp_request();
  frame[14 + 8] |= std::byte{1};
  CHECK(ask(frame).verdict == Verdict::source_multicast);
  Spec s;
  s.source_mac = kServerMac;
  CHECK(ask(arp_frame(kBroadcastMac, ip("192.0.2.2"), ip("192.0.2.1"), 1, s)).verdict ==
        Verdict::source_own_address);
}

TEST_CASE("a ping is answered with the same data and right checksums") {
  for (Spec s : {Spec{}, ipv6_spec()}) {
    for (const std::size_t data : {0U, 1U, 56U, 1400U, 8000U}) {
      s.tos = 0x10;
      s.hop_limit = 7;
      s.padding = data == 0 ? 18 : 0;
      const Answer a = ask(icmp_frame(s, echo_message(s.is_ipv6(), data)));
      CHECK(a.verdict == Verdict::echo_answered);
      Spec back = s;
      std::swap(back.source_mac, back.destination_mac);
      std::swap(back.from, back.to);
      back.hop_limit = 64;
      Bytes message = echo_message(s.is_ipv6(), data);
      message[0] = s.is_ipv6() ? std::byte{129} : std::byte{0};
      CHECK(a.frame == icmp_frame(back, message));
    }
  }
}

TEST_CASE("the reply to an echo of nothing but zeros still has a right checksum") {
  Bytes message(8);
  message[0] = std::byte{8};
  const Answer a = ask(icmp_frame({}, message));
  CHECK(a.verdict == Verdict::echo_answered);
  CHECK(checksums_right(a.frame, 14, 8));
}

TEST_CASE("our link-local address answers although nobody configured it") {
  CHECK(server().link_local() == kLinkLocal);
  Spec s = ipv6_spec();
  s.from = ip("fe80::2");
  s.to = kLinkLocal;
  CHECK(ask(icmp_frame(s, echo_message(true))).verdict == Verdict::echo_answered);
  CHECK(ask(icmp_frame(solicitation_spec(kLinkLocal), solicitation_message(kLinkLocal))).verdict ==
        Verdict::nd_answered);
}

TEST_CASE("pings that are not for us alone get no answer") {
  for (Spec s : {Spec{}, ipv6_spec()}) {
    const Bytes message = echo_message(s.is_ipv6());
    Spec other = s;
    other.to = s.is_ipv6() ? ip("2001:db8::9") : ip("192.0.2.9");
    CHECK(ask(icmp_frame(other, message)).verdict == Verdict::not_our_address);
    other = s;
    other.destination_mac = 0x020000000009;
    CHECK(ask(icmp_frame(other, message)).verdict == Verdict::not_our_address);
    other = s;
    other.destination_mac = kBroadcastMac;
    CHECK(ask(icmp_frame(other, message)).verdict == Verdict::link_broadcast);
    other = s;
    other.to = s.is_ipv6() ? ip("ff02::1") : ip("224.0.0.1");
    CHECK(ask(icmp_frame(other, message)).verdict == Verdict::link_broadcast);
    other = s;
    other.from = s.to;
    CHECK(ask(icmp_frame(other, message)).verdict == Verdict::source_own_address);
    other.from = s.is_ipv6() ? ip("::") : ip("0.0.0.0");
    CHECK(ask(icmp_frame(other, message)).verdict == Verdict::source_invalid);
    other.from = s.is_ipv6() ? ip("ff02::5") : ip("255.255.255.255");
    CHECK(ask(icmp_frame(other, message)).verdict == Verdict::source_multicast);
  }
  Spec from_link_local = ipv6_spec();
  from_link_local.from = kLinkLocal;
  CHECK(ask(icmp_frame(from_link_local, echo_message(true))).verdict == Verdict::source_own_address);
}

TEST_CASE("a broken ICMP message is invalid") {
  for (Spec s : {Spec{}, ipv6_spec()}) {
    Bytes frame = icmp_frame(s, echo_message(s.is_ipv6()));
    frame.back() ^= std::byte{1};
    CHECK(ask(frame).verdict == Verdict::icmp_invalid);
    Bytes message = echo_message(s.is_ipv6());
    message[1] = std::byte{1};
    CHECK(ask(icmp_frame(s, message)).verdict == Verdict::icmp_invalid);
    CHECK(ask(icmp_frame(s, Bytes(7, std::byte{8}))).verdict == Verdict::icmp_invalid);
  }
}

TEST_CASE("what else arrives keeps the verdict of the packet path") {
  for (Spec s : {Spec{}, ipv6_spec()}) {
    CHECK(ask(udp_frame(s)).verdict == Verdict::not_ntp_port);
    s.protocol = 6;
    CHECK(ask(ip_frame(s, Bytes(20))).verdict == Verdict::not_udp);
    Bytes reply = echo_message(s.is_ipv6());
    reply[0] = s.is_ipv6() ? std::byte{129} : std::byte{0};
    CHECK(ask(icmp_frame(s, reply)).verdict == Verdict::not_udp);
  }
  Spec fragment;
  fragment.fragment = 0x2000;
  CHECK(ask(icmp_frame(fragment, echo_message(false))).verdict == Verdict::fragment);
  Spec options;
  options.options = Bytes(4, std::byte{1});
  CHECK(ask(icmp_frame(options, echo_message(false))).verdict == Verdict::ipv4_options);
  Spec hop_by_hop = ipv6_spec();
  hop_by_hop.protocol = 0;
  CHECK(ask(ip_frame(hop_by_hop, Bytes(16))).verdict == Verdict::ipv6_extension);
  CHECK(ask(link_header({}, 0x88CC)).verdict == Verdict::not_ip);
}

TEST_CASE("answers keep the tags, and a configured VLAN is the only one answered") {
  const IpAddress target = ip("2001:db8::1");
  struct Case {
    std::vector<std::pair<std::uint16_t, std::uint16_t>> tags;
    bool on_vlan_100;
  };
  const Case cases[] = {{{}, false},
                        {{{0x8100, 0xE064}}, true},
                        {{{0x88A8, 100}}, true},
                        {{{0x8100, 101}}, false},
                        {{{0x88A8, 100}, {0x8100, 100}}, false}};
  OwnAddresses tagged = server();
  tagged.vlan = 100;
  for (const Case& c : cases) {
    Spec arp;
    arp.tags = c.tags;
    Spec echo;
    echo.tags = c.tags;
    Spec solicitation = solicitation_spec(target);
    solicitation.tags = c.tags;
    const Bytes frames[] = {arp_frame(kBroadcastMac, ip("192.0.2.2"), ip("192.0.2.1"), 1, arp),
                            icmp_frame(echo, echo_message(false)),
                            icmp_frame(solicitation, solicitation_message(target))};
    for (const Bytes& frame : frames) {
      const Answer any = ask(frame);
      CHECK(disposition(any.verdict) == Disposition::reply);
      CHECK(std::equal(frame.begin() + 12,
                       frame.begin() + 14 + static_cast<std::ptrdiff_t>(4 * c.tags.size()),
                       any.frame.begin() + 12));
      CHECK(ask(frame, tagged).verdict == (c.on_vlan_100 ? any.verdict : Verdict::not_our_address));
    }
  }
}

TEST_CASE("truncated neighbour traffic is never answered") {
  const IpAddress target = ip("2001:db8::1");
  Spec tagged_arp;
  tagged_arp.tags = {{0x8100, 5}};
  const Bytes frames[] = {arp_request(),
                          arp_frame(kBroadcastMac, ip("192.0.2.2"), ip("192.0.2.1"), 1, tagged_arp),
                          icmp_frame({}, echo_message(false)), icmp_frame(ipv6_spec(), echo_message(true)),
                          icmp_frame(solicitation_spec(target), solicitation_message(target))};
  for (const Bytes& frame : frames) {
    const bool is_arp = frame[13] == std::byte{6} || frame[17] == std::byte{6};
    const std::size_t needed = !is_arp ? frame.size() : frame[12] == std::byte{0x81} ? 46 : 42;
    for (std::size_t size = 0; size < needed; ++size) {
      const Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
      REQUIRE(ask(cut, server(), 0).verdict == Verdict::frame_truncated);
    }
    REQUIRE(disposition(ask(frame, server(), 0).verdict) == Disposition::reply);
  }
}

TEST_CASE(
    "damaged neighbour traffic is never over-read, and no answer goes to a group but for duplicate "
    "detection") {
  constexpr std::uint64_t kSeed = 4861;
  INFO("seed " << kSeed);
  std::mt19937_64 random{kSeed};
  const IpAddress target = ip("2001:db8::1");
  Spec probe = solicitation_spec(target);
  probe.from = ip("::");
  const Bytes frames[] = {arp_request(), icmp_frame({}, echo_message(false)),
                          icmp_frame(ipv6_spec(), echo_message(true)),
                          icmp_frame(solicitation_spec(target), solicitation_message(target)),
                          icmp_frame(probe, solicitation_message(target, false))};
  std::size_t answered = 0;
  for (int round = 0; round < 50'000; ++round) {
    Bytes frame = frames[random() % 5];
    for (std::size_t i = random() % 4; i > 0; --i)
      frame[random() % frame.size()] = static_cast<std::byte>(random());
    if (random() % 4 == 0) frame.resize(random() % (frame.size() + 20));
    const Answer a = ask(frame, server(), random() % 10);
    if (disposition(a.verdict) != Disposition::reply) continue;
    ++answered;
    REQUIRE(a.frame.size() <= frame.size() + 8);
    if ((a.frame[0] & std::byte{1}) != std::byte{0}) REQUIRE(load_be32(a.frame.data() + 38) == 0xFF020000);
    if (a.verdict == Verdict::nd_answered) REQUIRE(checksums_right(a.frame, 14, 32));
    if (a.verdict == Verdict::echo_answered)
      REQUIRE(checksums_right(a.frame, 14,
                              a.frame[12] == std::byte{0x86} ? load_be16(a.frame.data() + 18)
                                                             : load_be16(a.frame.data() + 16) - 20U));
  }
  CHECK(answered > 0);
}
