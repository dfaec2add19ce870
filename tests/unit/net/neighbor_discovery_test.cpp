// SPDX-License-Identifier: BSD-3-Clause
// IPv6 neighbour solicitations, and what we announce at start.
#include "net/neighbor.hpp"

#include <algorithm>
#include <initializer_list>

#include "catch.hpp"
#include "neighbor_frames.hpp"

using namespace wiretime;
using namespace wiretime::net;
using namespace wiretime::net::test;
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
    CHECK(ask(icmp_frame(good, message), server(), 0).verdict == Verdict::icmp_invalid);
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
