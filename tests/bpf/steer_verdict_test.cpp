// SPDX-License-Identifier: BSD-3-Clause
// Whose is a frame? Every branch of the XDP program, by table; cut at every length; and against the
// worker's parser.
#include <random>

#include "net/frame.hpp"
#include "program.hpp"

namespace wiretime::test {
namespace {

constexpr std::uint16_t kTag = net::ethernet::kTypeVlan;
constexpr std::uint16_t kServiceTag = net::ethernet::kTypeServiceVlan;

Bytes with_byte(Bytes frame, std::size_t offset, std::uint8_t value) {
  frame.at(offset) = std::byte{value};
  return frame;
}
Bytes with_protocol(Spec spec, std::uint8_t protocol) {
  spec.protocol = protocol;
  return net::test::ip_frame(spec, Bytes(64, std::byte{0}));
}
Bytes other_ethertype(std::uint16_t ethertype) {
  Bytes frame = net::test::link_header(v4(), ethertype);
  frame.resize(60);
  return frame;
}

struct Case {
  const char* description;
  Bytes frame;
  std::uint32_t action;
  steer_reason reason;
};

std::vector<Case> steered_cases() {
  const auto tags = [](std::vector<std::pair<std::uint16_t, std::uint16_t>> t) {
    return [t](Spec& s) { s.tags = t; };
  };
  return {
      {"request over IPv4", udp_frame(v4()), XDP_REDIRECT, STEER_redirected_ipv4},
      {"request over IPv6", udp_frame(v6()), XDP_REDIRECT, STEER_redirected_ipv6},
      {"802.1Q, IPv4", changed(v4(), tags({{kTag, 5}})), XDP_REDIRECT, STEER_redirected_ipv4},
      {"802.1Q, IPv6", changed(v6(), tags({{kTag, 5}})), XDP_REDIRECT, STEER_redirected_ipv6},
      {"priority tag, VLAN 0", changed(v4(), tags({{kTag, 0xE000}})), XDP_REDIRECT, STEER_redirected_ipv4},
      {"802.1ad alone", changed(v4(), tags({{kServiceTag, 7}})), XDP_REDIRECT, STEER_redirected_ipv4},
      {"QinQ, IPv4", changed(v4(), tags({{kServiceTag, 7}, {kTag, 5}})), XDP_REDIRECT, STEER_redirected_ipv4},
      {"QinQ, IPv6", changed(v6(), tags({{kServiceTag, 7}, {kTag, 5}})), XDP_REDIRECT, STEER_redirected_ipv6},
      {"QinQ with two 802.1Q tags", changed(v6(), tags({{kTag, 7}, {kTag, 5}})), XDP_REDIRECT,
       STEER_redirected_ipv6},
      {"link-local destination", changed(v6(), [](Spec& s) { s.to = ip("fe80::1"); }), XDP_REDIRECT,
       STEER_redirected_ipv6},
      {"source port 123", changed(v4(), [](Spec& s) { s.source_port = 123; }), XDP_REDIRECT,
       STEER_redirected_ipv4},
      {"do-not-fragment clear", changed(v4(), [](Spec& s) { s.fragment = 0; }), XDP_REDIRECT,
       STEER_redirected_ipv4},
      {"Ethernet padding", changed(v4(), [](Spec& s) { s.padding = 30; }), XDP_REDIRECT,
       STEER_redirected_ipv4},
      {"spoofed source is the worker's to judge", changed(v4(), [](Spec& s) { s.from = s.to; }), XDP_REDIRECT,
       STEER_redirected_ipv4},
      {"wrong UDP checksum is the worker's to judge", with_byte(udp_frame(v4()), 14 + 20 + 8, 0xAA),
       XDP_REDIRECT, STEER_redirected_ipv4},
      {"no payload is the worker's to judge", changed(v6(), [](Spec& s) { s.payload = 0; }), XDP_REDIRECT,
       STEER_redirected_ipv6},
  };
}

std::vector<Case> passed_cases() {
  const auto to = [](const char* address) { return [address](Spec& s) { s.to = ip(address); }; };
  const auto port = [](std::uint16_t p) { return [p](Spec& s) { s.destination_port = p; }; };
  const auto mac = [](std::uint64_t m) { return [m](Spec& s) { s.destination_mac = m; }; };
  const auto fragment = [](std::uint16_t f) { return [f](Spec& s) { s.fragment = f; }; };
  return {
      {"ARP", other_ethertype(0x0806), XDP_PASS, STEER_not_ip},
      {"LLDP", other_ethertype(0x88CC), XDP_PASS, STEER_not_ip},
      {"PTP over Ethernet", other_ethertype(0x88F7), XDP_PASS, STEER_not_ip},
      {"three VLAN tags",
       changed(v4(),
               [](Spec& s) {
                 s.tags = {{kServiceTag, 7}, {kTag, 5}, {kTag, 3}};
               }),
       XDP_PASS, STEER_not_ip},
      {"TCP", with_protocol(v4(), 6), XDP_PASS, STEER_not_udp},
      {"ICMP", with_protocol(v4(), 1), XDP_PASS, STEER_not_udp},
      {"TCP over IPv6", with_protocol(v6(), 6), XDP_PASS, STEER_not_udp},
      {"ICMPv6", with_protocol(v6(), 58), XDP_PASS, STEER_not_udp},
      {"port 124", changed(v4(), port(124)), XDP_PASS, STEER_not_ntp_port},
      {"port 123 byte-swapped", changed(v4(), port(0x7B00)), XDP_PASS, STEER_not_ntp_port},
      {"DNS over IPv6", changed(v6(), port(53)), XDP_PASS, STEER_not_ntp_port},
      {"answer to our own client",
       changed(v4(), [](Spec& s) { std::swap(s.source_port, s.destination_port); }), XDP_PASS,
       STEER_not_ntp_port},
      {"somebody else's address", changed(v4(), to("192.0.2.9")), XDP_PASS, STEER_not_our_address},
      {"our address byte-swapped", changed(v4(), to("1.2.0.192")), XDP_PASS, STEER_not_our_address},
      {"IPv4 multicast (224.0.1.1)", changed(v4(), to("224.0.1.1")), XDP_PASS, STEER_not_our_address},
      {"limited broadcast", changed(v4(), to("255.255.255.255")), XDP_PASS, STEER_not_our_address},
      {"subnet broadcast", changed(v4(), to("192.0.2.255")), XDP_PASS, STEER_not_our_address},
      {"somebody else's IPv6 address", changed(v6(), to("2001:db8::9")), XDP_PASS, STEER_not_our_address},
      {"IPv6 multicast (ff02::101)", changed(v6(), to("ff02::101")), XDP_PASS, STEER_not_our_address},
      {"first fragment", changed(v4(), fragment(0x2000)), XDP_PASS, STEER_fragment},
      {"middle fragment", changed(v4(), fragment(0x2010)), XDP_PASS, STEER_fragment},
      {"last fragment", changed(v4(), fragment(0x0010)), XDP_PASS, STEER_fragment},
      {"smallest fragment offset", changed(v4(), fragment(0x0001)), XDP_PASS, STEER_fragment},
      {"highest bit of the fragment offset", changed(v4(), fragment(0x1000)), XDP_PASS, STEER_fragment},
      {"IPv6 fragment", with_protocol(v6(), 44), XDP_PASS, STEER_fragment},
      {"IPv4 options", changed(v4(), [](Spec& s) { s.options = Bytes(4, std::byte{1}); }), XDP_PASS,
       STEER_ipv4_options},
      {"as many IPv4 options as fit", changed(v4(), [](Spec& s) { s.options = Bytes(40, std::byte{1}); }),
       XDP_PASS, STEER_ipv4_options},
      {"hop-by-hop options", with_protocol(v6(), 0), XDP_PASS, STEER_ipv6_extension},
      {"routing header", with_protocol(v6(), 43), XDP_PASS, STEER_ipv6_extension},
      {"ESP", with_protocol(v6(), 50), XDP_PASS, STEER_ipv6_extension},
      {"authentication header", with_protocol(v6(), 51), XDP_PASS, STEER_ipv6_extension},
      {"destination options", with_protocol(v6(), 60), XDP_PASS, STEER_ipv6_extension},
      {"mobility header", with_protocol(v6(), 135), XDP_PASS, STEER_ipv6_extension},
      {"host identity protocol", with_protocol(v6(), 139), XDP_PASS, STEER_ipv6_extension},
      {"shim6", with_protocol(v6(), 140), XDP_PASS, STEER_ipv6_extension},
      {"version 6 in an IPv4 frame", with_byte(udp_frame(v4()), 14, 0x65), XDP_PASS, STEER_ip_header_invalid},
      {"IPv4 header of 16 bytes", with_byte(udp_frame(v4()), 14, 0x44), XDP_PASS, STEER_ip_header_invalid},
      {"version 4 in an IPv6 frame", with_byte(udp_frame(v6()), 14, 0x45), XDP_PASS, STEER_ip_header_invalid},
      {"broadcast frame", changed(v4(), mac(net::test::kBroadcastMac)), XDP_PASS, STEER_link_broadcast},
      {"multicast frame", changed(v4(), mac(0x01005E000101)), XDP_PASS, STEER_link_broadcast},
      {"IPv6 in a multicast frame", changed(v6(), mac(0x333300000101)), XDP_PASS, STEER_link_broadcast},
      {"broadcast frame for somebody else is no amplifier of ours",
       changed(v4(),
               [](Spec& s) {
                 s.destination_mac = net::test::kBroadcastMac;
                 s.to = ip("192.0.2.255");
               }),
       XDP_PASS, STEER_not_our_address},
  };
}

}  // namespace

TEST_CASE("requests to this host are handed to the worker with their receive time") {
  Program program;
  program.give_socket();
  for (const auto& c : steered_cases()) check(program, c.description, c.frame, c.action, c.reason);
}

TEST_CASE("everything that is not a request to this host is the kernel's, untouched") {
  Program program;
  program.give_socket();
  for (const auto& c : passed_cases()) check(program, c.description, c.frame, c.action, c.reason);
}

TEST_CASE("a frame cut short at any length before the end of its UDP header is the kernel's") {
  Program program;
  program.give_socket();
  for (const bool ipv6 : {false, true}) {
    for (std::size_t tags = 0; tags <= 2; ++tags) {
      Spec spec = ipv6 ? v6() : v4();
      spec.tags.assign(tags, {kTag, 5});
      const Bytes whole = udp_frame(spec);
      const std::size_t header_end = spec.l4() + 8;
      const auto reason = ipv6 ? STEER_redirected_ipv6 : STEER_redirected_ipv4;
      for (std::size_t length = 14; length <= whole.size(); ++length) {
        const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        if (length < header_end) {
          check(program, "cut", cut, XDP_PASS, STEER_frame_truncated);
        } else {
          check(program, "cut behind the UDP header", cut, XDP_REDIRECT, reason);
        }
      }
    }
  }
}

TEST_CASE("requests on a queue without a worker go to the kernel without metadata") {
  Program program;
  check(program, "IPv4", udp_frame(v4()), XDP_PASS, STEER_no_socket);
  check(program, "IPv6", udp_frame(v6()), XDP_PASS, STEER_no_socket);
  check(program, "not a request", udp_frame([] {
          Spec s;
          s.destination_port = 124;
          return s;
        }()),
        XDP_PASS, STEER_not_ntp_port);
}

TEST_CASE("another port than 123 is steered when configured, and 123 is not") {
  Program program(11123);
  program.give_socket();
  check(program, "configured port", changed(v4(), [](Spec& s) { s.destination_port = 11123; }), XDP_REDIRECT,
        STEER_redirected_ipv4);
  check(program, "123", udp_frame(v4()), XDP_PASS, STEER_not_ntp_port);
}

TEST_CASE("symmetric packets of configured peers are the kernel's, everything else of theirs is not") {
  Program program;
  program.give_socket();
  const Spec from_v4 = v4();
  const Spec from_v6 = v6();
  const auto with_mode = [](const Spec& spec, std::uint8_t mode) {
    return with_byte(udp_frame(spec), spec.l4() + 8, static_cast<std::uint8_t>(0x20 | mode));
  };
  check(program, "not configured yet", with_mode(from_v4, 1), XDP_REDIRECT, STEER_redirected_ipv4);
  REQUIRE(program.steering().set_peers(std::vector{from_v4.from, from_v6.from}).has_value());
  for (std::uint8_t mode = 0; mode < 8; ++mode) {
    const bool symmetric = mode == 1 || mode == 2;
    CAPTURE(mode);
    check(program, "IPv4", with_mode(from_v4, mode), symmetric ? XDP_PASS : XDP_REDIRECT,
          symmetric ? STEER_peer : STEER_redirected_ipv4);
    check(program, "IPv6", with_mode(from_v6, mode), symmetric ? XDP_PASS : XDP_REDIRECT,
          symmetric ? STEER_peer : STEER_redirected_ipv6);
  }
  const auto empty = changed(from_v4, [](Spec& s) { s.payload = 0; });
  check(program, "no payload, no mode", empty, XDP_REDIRECT, STEER_redirected_ipv4);
  REQUIRE(program.steering().set_peers(std::vector{from_v6.from}).has_value());
  check(program, "no peer any more", with_mode(from_v4, 1), XDP_REDIRECT, STEER_redirected_ipv4);
  check(program, "still one", with_mode(from_v6, 2), XDP_PASS, STEER_peer);
}

TEST_CASE("the program never takes a frame that the worker would give back, nor leaves one it would answer") {
  Program program;
  program.give_socket();
  constexpr unsigned kSeed = 20261123;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  std::vector<Bytes> templates;
  for (const auto& c : steered_cases()) templates.push_back(c.frame);
  for (const auto& c : passed_cases()) templates.push_back(c.frame);

  unsigned answerable = 0;
  for (unsigned round = 0; round < 4000; ++round) {
    Bytes frame = templates[random() % templates.size()];
    // The headers' bytes matter; half of the frames get one flipped bit there, the rest up to three bytes.
    const std::size_t headers = std::min<std::size_t>(frame.size(), 70);
    for (std::uint64_t n = random() % 4; n > 0; --n) {
      auto& byte = frame[random() % headers];
      byte = random() % 2 == 0 ? byte ^ std::byte{static_cast<unsigned char>(1U << random() % 8)}
                               : static_cast<std::byte>(random());
    }
    net::ParsedFrame parsed;
    const Verdict verdict = net::parse(frame, 123, parsed, net::UdpChecksum::trusted);
    const bool redirected = program.run(frame).action == XDP_REDIRECT;
    CAPTURE(round, redirected);
    if (redirected) {
      CHECK((verdict == net::kContinue || disposition(verdict) == Disposition::drop));
    } else if (verdict == net::kContinue) {
      // Answerable, so it can only have stayed for not being ours.
      const std::size_t size = parsed.ipv6 ? 16 : 4;
      const auto to = net::address_at(frame.data() + parsed.udp_offset - size, parsed.ipv6);
      CHECK((to != ip("192.0.2.1") && to != ip("2001:db8::1") && to != ip("fe80::1")));
    }
    answerable += redirected && verdict == net::kContinue ? 1U : 0U;
  }
  CHECK(answerable > 100);  // the frames were not all broken
}

}  // namespace wiretime::test
