// SPDX-License-Identifier: BSD-3-Clause
#include "net/neighbor.hpp"

#include <algorithm>
#include <initializer_list>

#include "catch.hpp"
#include "frames.hpp"

using namespace wiretime;
using namespace wiretime::net;
using namespace wiretime::net::test;

namespace {

const IpAddress kLinkLocal = ip("fe80::ff:fe00:1");  // of kServerMac

OwnAddresses server() {
  return {mac(kServerMac), {ip("192.0.2.1"), ip("2001:db8::1")}, std::nullopt};
}

struct Answer {
  Verdict verdict;
  Bytes frame;  // as long as the answer says
};

// Checks on the way what holds for every frame: no answer, no change.
Answer ask(const Bytes& request, const OwnAddresses& own = server(), std::size_t spare = 8) {
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

Bytes arp_frame(std::uint64_t to, const IpAddress& sender, const IpAddress& target,
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

Bytes arp_request(const std::string& target = "192.0.2.1", const std::string& sender = "192.0.2.2") {
  return arp_frame(kBroadcastMac, ip(sender), ip(target));
}

Bytes echo_message(bool v6, std::size_t data = 56) {
  Bytes m;
  append8(m, v6 ? 128 : 8);
  append8(m, 0);
  append16(m, 0);
  append32(m, 0x12340001);
  for (std::size_t i = 0; i < data; ++i) append8(m, static_cast<std::uint8_t>(i));
  return m;
}

Bytes solicitation_message(const IpAddress& target, bool with_option = true) {
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
Spec solicitation_spec(const IpAddress& target) {
  Spec s;
  s.from = ip("2001:db8::2");
  s.to = ip("ff02::1:ff00:0");
  std::copy_n(target.bytes.begin() + 13, 3, s.to.bytes.begin() + 13);
  s.destination_mac = 0x3333FF000000 | std::uint64_t{target.bytes[13]} << 16 |
                      std::uint64_t{target.bytes[14]} << 8 | target.bytes[15];
  s.hop_limit = 255;
  return s;
}

Bytes advertisement(Spec s, const IpAddress& target, std::uint32_t flags) {
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
Bytes expected_advertisement(const IpAddress& target) {
  Spec s;
  s.destination_mac = kClientMac;
  s.to = ip("2001:db8::2");
  return advertisement(s, target, 0x60000000);
}

}  // namespace

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

TEST_CASE("a neighbour solicitation for our address is answered, to its group or to us") {
  const IpAddress target = ip("2001:db8::1");
  for (const bool with_option : {true, false}) {
    Spec s = solicitation_spec(target);
    Answer a = ask(icmp_frame(s, solicitation_message(target, with_option)));
    CHECK(a.verdict == Verdict::nd_answered);
    CHECK(a.frame == expected_advertisement(target));
    s.to = target;
    s.destination_mac = kServerMac;
    a = ask(icmp_frame(s, solicitation_message(target, with_option)));
    CHECK(a.verdict == Verdict::nd_answered);
    CHECK(a.frame == expected_advertisement(target));
  }
}

TEST_CASE("a solicitation with more options than we know shrinks to our answer") {
  const IpAddress target = ip("2001:db8::1");
  Bytes message = solicitation_message(target);
  append16(message, 0x0E01);  // nonce, RFC 3971
  message.resize(message.size() + 6, std::byte{9});
  CHECK(ask(icmp_frame(solicitation_spec(target), message)).frame == expected_advertisement(target));
}

TEST_CASE("duplicate address detection hears from us at all nodes, unsolicited") {
  const IpAddress target = ip("2001:db8::1");
  Spec s = solicitation_spec(target);
  s.from = ip("::");
  const Answer a = ask(icmp_frame(s, solicitation_message(target, false)));
  CHECK(a.verdict == Verdict::nd_answered);
  Spec to_all;
  to_all.destination_mac = 0x333300000001;
  to_all.to = ip("ff02::1");
  CHECK(a.frame == advertisement(to_all, target, 0x20000000));

  CHECK(ask(icmp_frame(s, solicitation_message(target, true))).verdict == Verdict::icmp_invalid);
  s.to = target;
  s.destination_mac = kServerMac;
  CHECK(ask(icmp_frame(s, solicitation_message(target, false))).verdict == Verdict::icmp_invalid);
}

TEST_CASE("solicitations that RFC 4861 says to discard are discarded") {
  const IpAddress target = ip("2001:db8::1");
  const Spec good = solicitation_spec(target);
  Spec s = good;
  s.hop_limit = 254;  // it came through a router
  CHECK(ask(icmp_frame(s, solicitation_message(target))).verdict == Verdict::icmp_invalid);
  Bytes message = solicitation_message(target);
  message[1] = std::byte{1};
  CHECK(ask(icmp_frame(good, message)).verdict == Verdict::icmp_invalid);
  for (const std::uint8_t option_length : std::initializer_list<std::uint8_t>{0, 2, 255}) {
    message = solicitation_message(target);
    message[25] = std::byte{option_length};
    CHECK(ask(icmp_frame(good, message)).verdict == Verdict::icmp_invalid);
  }
  for (const std::size_t size : {25U, 31U}) {
    message = solicitation_message(target);
    message.resize(size);
    CHECK(ask(icmp_frame(good, message)).verdict == Verdict::icmp_invalid);
  }
  message = solicitation_message(target);
  message.resize(23);
  CHECK(ask(icmp_frame(good, message)).verdict == Verdict::icmp_invalid);
  Bytes frame = icmp_frame(good, solicitation_message(target));
  frame.back() ^= std::byte{1};
  CHECK(ask(frame).verdict == Verdict::icmp_invalid);
}

TEST_CASE("solicitations for others, from us, or sent astray are not answered") {
  const IpAddress target = ip("2001:db8::1");
  const IpAddress other = ip("2001:db8:0:1::1");  // shares our solicited-node group
  CHECK(ask(icmp_frame(solicitation_spec(other), solicitation_message(other))).verdict ==
        Verdict::not_our_address);
  Spec s = solicitation_spec(target);
  s.to = ip("ff02::1");
  s.destination_mac = 0x333300000001;
  CHECK(ask(icmp_frame(s, solicitation_message(target))).verdict == Verdict::not_our_address);
  s = solicitation_spec(target);
  s.destination_mac = kBroadcastMac;
  CHECK(ask(icmp_frame(s, solicitation_message(target))).verdict == Verdict::not_our_address);
  s = solicitation_spec(target);
  s.to = target;
  s.destination_mac = 0x020000000009;
  CHECK(ask(icmp_frame(s, solicitation_message(target))).verdict == Verdict::not_our_address);
  s = solicitation_spec(target);
  s.from = target;
  CHECK(ask(icmp_frame(s, solicitation_message(target))).verdict == Verdict::source_own_address);
  s = solicitation_spec(target);
  s.from = ip("::");
  s.source_mac = kServerMac;  // our own probe come back
  CHECK(ask(icmp_frame(s, solicitation_message(target, false))).verdict == Verdict::source_own_address);
  s = solicitation_spec(target);
  s.from = ip("ff02::1");
  CHECK(ask(icmp_frame(s, solicitation_message(target))).verdict == Verdict::source_multicast);
}

TEST_CASE("an advertisement that does not fit its buffer is not written") {
  const IpAddress target = ip("2001:db8::1");
  const Bytes request = icmp_frame(solicitation_spec(target), solicitation_message(target, false));
  CHECK(ask(request, server(), 7).verdict == Verdict::frame_multi_segment);
  CHECK(ask(request, server(), 8).verdict == Verdict::nd_answered);
  Bytes buffer = request;
  auto length = static_cast<std::uint32_t>(buffer.size() + 1);
  CHECK(answer_neighbor(buffer, length, server()) == Verdict::frame_multi_segment);
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

TEST_CASE("a gratuitous ARP announces our address to everyone") {
  Bytes buffer(kAnnouncementSize, std::byte{0x5A});
  const std::uint32_t length = build_gratuitous_arp(buffer, server(), ip("192.0.2.1"));
  Spec s;
  s.source_mac = kServerMac;
  Bytes want = arp_frame(kBroadcastMac, ip("192.0.2.1"), ip("192.0.2.1"), 1, s);
  REQUIRE(length == want.size());
  CHECK(std::equal(want.begin(), want.end(), buffer.begin()));

  OwnAddresses tagged = server();
  tagged.vlan = 100;
  s.tags = {{0x8100, 100}};
  want = arp_frame(kBroadcastMac, ip("192.0.2.1"), ip("192.0.2.1"), 1, s);
  REQUIRE(build_gratuitous_arp(buffer, tagged, ip("192.0.2.1")) == want.size());
  CHECK(std::equal(want.begin(), want.end(), buffer.begin()));

  CHECK(build_gratuitous_arp(buffer, server(), ip("2001:db8::1")) == 0);
  CHECK(build_gratuitous_arp(std::span{buffer}.first(59), server(), ip("192.0.2.1")) == 0);
}

TEST_CASE("an unsolicited advertisement announces our address to all nodes") {
  for (const bool tagged : {false, true}) {
    OwnAddresses own = server();
    Spec s;
    s.destination_mac = 0x333300000001;
    s.to = ip("ff02::1");
    if (tagged) {
      own.vlan = 100;
      s.tags = {{0x8100, 100}};
    }
    const Bytes want = advertisement(s, ip("2001:db8::1"), 0x20000000);
    Bytes buffer(want.size(), std::byte{0x5A});
    REQUIRE(want.size() <= kAnnouncementSize);
    REQUIRE(build_unsolicited_advertisement(buffer, own, ip("2001:db8::1")) == want.size());
    CHECK(buffer == want);
    CHECK(build_unsolicited_advertisement(std::span{buffer}.first(want.size() - 1), own, ip("2001:db8::1")) ==
          0);
    CHECK(build_unsolicited_advertisement(buffer, own, ip("192.0.2.1")) == 0);
  }
}
