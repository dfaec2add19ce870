// SPDX-License-Identifier: BSD-3-Clause
// Each verdict of parse(), and what reverse() writes, by example.
#include "net/frame.hpp"

#include <algorithm>
#include <initializer_list>

#include "catch.hpp"
#include "frames.hpp"

using namespace wiretime;
using namespace wiretime::net;
using namespace wiretime::net::test;

namespace {

Verdict judge(std::span<const std::byte> frame, UdpChecksum checksum = UdpChecksum::verify) {
  Exact exact{frame};
  ParsedFrame parsed;
  return parse(exact.span(), 123, parsed, checksum);
}

ParsedFrame parsed_of(std::span<const std::byte> frame) {
  ParsedFrame parsed;
  REQUIRE(parse(frame, 123, parsed) == kContinue);
  return parsed;
}

std::vector<Spec> families() {
  return {Spec{}, ipv6_spec()};
}

Verdict judge_from(const std::string& from, const std::string& to = "") {
  Spec s;
  s.from = ip(from);
  s.to = !to.empty() ? ip(to) : ip(s.is_ipv6() ? "2001:db8::1" : "192.0.2.1");
  return judge(udp_frame(s));
}

// A frame with one 16-bit field of its IPv4 header changed and the header checksum made right again.
Bytes with_ipv4_field(Bytes frame, std::size_t field, std::uint16_t value) {
  store_be16(frame.data() + 14 + field, value);
  set_ipv4_checksum(frame, 14);
  return frame;
}

}  // namespace

TEST_CASE("a request is found behind no, one and two VLAN tags") {
  for (Spec s : families()) {
    for (const std::size_t tags : {0U, 1U, 2U}) {
      s.tags.clear();
      if (tags == 2) s.tags.emplace_back(0x88A8, 7);
      if (tags >= 1) s.tags.emplace_back(0x8100, 0xE064);
      const Bytes frame = udp_frame(s);
      const ParsedFrame p = parsed_of(frame);
      CHECK(p.l3_offset == 14 + 4 * tags);
      CHECK(p.udp_offset == s.l4());
      CHECK(p.payload_offset == s.l4() + 8);
      CHECK(p.payload_length == 48);
      CHECK(p.ipv6 == s.is_ipv6());
      CHECK(source_address(frame, p) == s.from);
      CHECK(destination_address(frame, p) == s.to);
      CHECK(source_port(frame, p) == 40000);
      CHECK(payload(frame, p).front() == std::byte{1});
      CHECK(payload(frame, p).size() == 48);
    }
  }
}

TEST_CASE("Ethernet padding and bytes behind the UDP datagram are not payload") {
  for (Spec s : families()) {
    s.padding = 30;
    CHECK(parsed_of(udp_frame(s)).payload_length == 48);
    s.payload = 0;
    CHECK(parsed_of(udp_frame(s)).payload_length == 0);
    s.padding = 0;
    Bytes u = udp_frame(s);
    u.erase(u.begin(), u.begin() + static_cast<std::ptrdiff_t>(s.l4()));
    u.resize(u.size() + 5, std::byte{0x77});
    CHECK(parsed_of(ip_frame(s, u)).payload_length == 0);
  }
}

TEST_CASE("a frame or packet shorter than its headers say is truncated") {
  CHECK(judge({}) == Verdict::frame_truncated);
  for (Spec s : families()) {
    s.tags = {{0x88A8, 1}, {0x8100, 2}};
    const Bytes frame = udp_frame(s);
    for (std::size_t size = 0; size < frame.size(); ++size)
      CHECK(judge(std::span{frame}.first(size)) == Verdict::frame_truncated);
    CHECK(judge(frame) == kContinue);
  }
}

TEST_CASE("what is neither IPv4 nor IPv6 is not IP") {
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{0x0806, 0x88CC, 0x0026, 0x88F7}) {
    Bytes frame = udp_frame({});
    store_be16(frame.data() + 12, type);
    CHECK(judge(frame) == Verdict::not_ip);
  }
  Spec s;
  s.tags = {{0x88A8, 1}, {0x8100, 2}, {0x8100, 3}};
  CHECK(judge(udp_frame(s)) == Verdict::not_ip);
}

TEST_CASE("an IP header that contradicts itself is invalid") {
  const Bytes frame = udp_frame({});
  CHECK(judge(with_ipv4_field(frame, 0, 0x6500)) == Verdict::ip_header_invalid);
  CHECK(judge(with_ipv4_field(frame, 0, 0x4400)) ==
        Verdict::ip_header_invalid);  // header shorter than 20 bytes
  CHECK(judge(with_ipv4_field(frame, 2, 19)) ==
        Verdict::ip_header_invalid);  // total below the header's length
  Spec with_options;
  with_options.options = Bytes(4, std::byte{1});
  CHECK(judge(with_ipv4_field(udp_frame(with_options), 2, 23)) == Verdict::ip_header_invalid);
  Bytes v6 = udp_frame(ipv6_spec());
  v6[14] = std::byte{0x40};
  CHECK(judge(v6) == Verdict::ip_header_invalid);
}

TEST_CASE("an IPv4 header with one bit wrong fails its checksum") {
  Bytes frame = udp_frame({});
  frame[14 + 8] ^= std::byte{1};  // TTL
  CHECK(judge(frame) == Verdict::ip_checksum_bad);
}

TEST_CASE("IPv4 options are named and not looked behind") {
  Spec s;
  s.options = Bytes(4, std::byte{1});
  CHECK(judge(udp_frame(s)) == Verdict::ipv4_options);
  s.options = Bytes(40, std::byte{1});
  Bytes frame = udp_frame(s);
  CHECK(judge(frame) == Verdict::ipv4_options);
  frame[14 + 30] ^= std::byte{1};
  CHECK(judge(frame) == Verdict::ip_checksum_bad);
}

TEST_CASE("fragments are named in both families; don't-fragment is none") {
  Spec s;
  for (const std::uint16_t value :
       std::initializer_list<std::uint16_t>{0x2000, 0x0001, 0x2001, 0x1FFF, 0x6000}) {
    s.fragment = value;
    CHECK(judge(udp_frame(s)) == Verdict::fragment);
  }
  for (const std::uint16_t value : std::initializer_list<std::uint16_t>{0x4000, 0x0000, 0x8000}) {
    s.fragment = value;
    CHECK(judge(udp_frame(s)) == kContinue);
  }
  Spec v6 = ipv6_spec();
  v6.protocol = 44;
  CHECK(judge(udp_frame(v6)) == Verdict::fragment);
}

TEST_CASE("IPv6 extension headers are named and not looked behind") {
  for (const std::uint8_t next : std::initializer_list<std::uint8_t>{0, 43, 50, 51, 60, 135, 139, 140}) {
    Spec s = ipv6_spec();
    s.protocol = next;
    CHECK(judge(udp_frame(s)) == Verdict::ipv6_extension);
  }
}

TEST_CASE("other protocols are not UDP, however odd their content") {
  for (Spec s : families()) {
    for (const std::uint8_t protocol : std::initializer_list<std::uint8_t>{1, 6, 58, 59, 132}) {
      s.protocol = protocol;
      CHECK(judge(ip_frame(s, {})) == Verdict::not_udp);
      CHECK(judge(udp_frame(s)) == Verdict::not_udp);
    }
  }
}

TEST_CASE("a UDP length that does not fit is bad") {
  for (const Spec& s : families()) {
    CHECK(judge(ip_frame(s, Bytes(7))) == Verdict::udp_length_bad);
    CHECK(judge(ip_frame(s, {})) == Verdict::udp_length_bad);
    for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 7, 57, 65535}) {
      Bytes frame = udp_frame(s);
      store_be16(frame.data() + s.l4() + 4, length);
      CHECK(judge(frame) == Verdict::udp_length_bad);
    }
  }
}

TEST_CASE("another port's traffic is passed on whatever else is wrong with it") {
  for (Spec s : families()) {
    s.destination_port = 53;
    s.source_mac = 0x030000000001;
    s.destination_mac = kBroadcastMac;
    s.source_port = 0;
    s.from = s.to;
    Bytes frame = udp_frame(s);
    frame.back() ^= std::byte{1};
    CHECK(judge(frame) == Verdict::not_ntp_port);
    store_be16(frame.data() + s.l4() + 4, 7);
    CHECK(judge(frame) == Verdict::not_ntp_port);
    ParsedFrame parsed;
    CHECK(parse(udp_frame(ipv6_spec()), 11123, parsed) == Verdict::not_ntp_port);
  }
}

TEST_CASE("broadcast and multicast destinations, of link or network, are not served") {
  for (Spec s : families()) {
    for (const std::uint64_t to :
         {kBroadcastMac, std::uint64_t{0x01005E000101}, std::uint64_t{0x333300000101}}) {
      s.destination_mac = to;
      CHECK(judge(udp_frame(s)) == Verdict::link_broadcast);
    }
  }
  CHECK(judge_from("192.0.2.2", "224.0.1.1") == Verdict::link_broadcast);
  CHECK(judge_from("192.0.2.2", "255.255.255.255") == Verdict::link_broadcast);
  CHECK(judge_from("2001:db8::2", "ff02::101") == Verdict::link_broadcast);
}

TEST_CASE("a source equal to the destination is our own address") {
  CHECK(judge_from("192.0.2.1") == Verdict::source_own_address);
  CHECK(judge_from("2001:db8::1") == Verdict::source_own_address);
  CHECK(judge_from("2001:db8:0:1::1") == kContinue);
  CHECK(judge_from("2001:db8::1:1") == kContinue);
}

TEST_CASE("multicast and broadcast sources are not answered") {
  for (const char* from : {"224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "ff0e::101"})
    CHECK(judge_from(from) == Verdict::source_multicast);
  for (Spec s : families()) {
    s.source_mac = 0x01005E000101;
    CHECK(judge(udp_frame(s)) == Verdict::source_multicast);
  }
}

TEST_CASE("unspecified, loopback and mapped sources and port 0 are invalid") {
  for (const char* from :
       {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "::", "::1", "::ffff:192.0.2.9"})
    CHECK(judge_from(from) == Verdict::source_invalid);
  for (const char* from :
       {"1.0.0.1", "126.0.0.1", "128.0.0.1", "223.255.255.255", "240.0.0.1", "fe80::1", "::2"})
    CHECK(judge_from(from) == kContinue);
  for (Spec s : families()) {
    s.source_port = 0;
    CHECK(judge(udp_frame(s)) == Verdict::source_invalid);
  }
}

TEST_CASE("a wrong UDP checksum is dropped unless the NIC has vouched for it") {
  for (Spec s : families()) {
    for (const std::size_t size : {48U, 49U}) {
      s.payload = size;
      Bytes frame = udp_frame(s);
      frame.back() ^= std::byte{0x10};
      CHECK(judge(frame) == Verdict::udp_checksum_bad);
      CHECK(judge(frame, UdpChecksum::trusted) == kContinue);
    }
  }
}

TEST_CASE("no UDP checksum is fine over IPv4 and wrong over IPv6") {
  Bytes v4 = udp_frame({});
  store_be16(v4.data() + 40, 0);
  CHECK(judge(v4) == kContinue);
  Bytes v6 = udp_frame(ipv6_spec());
  store_be16(v6.data() + 60, 0);
  CHECK(judge(v6) == Verdict::udp_checksum_bad);
}

TEST_CASE("a checksum that a virtual link left unfinished is accepted") {
  for (const Spec& s : families()) {
    Bytes frame = udp_frame(s);
    const std::uint16_t pseudo = slow_pseudo_sum(s.from, s.to, 17, 56);
    store_be16(frame.data() + s.l4() + 6, pseudo);
    CHECK(judge(frame) == kContinue);
    store_be16(frame.data() + s.l4() + 6, static_cast<std::uint16_t>(pseudo + 1));
    CHECK(judge(frame) == Verdict::udp_checksum_bad);
  }
}

TEST_CASE("the reply goes back where the request came from") {
  for (Spec s : families()) {
    s.tags = {{0x88A8, 0x3007}, {0x8100, 0xF064}};
    s.tos = 0xFF;
    s.hop_limit = 3;
    s.identification = 0xBEEF;
    s.fragment = 0;
    s.flow_label = 0x12345;
    Exact frame{udp_frame(s)};
    const ParsedFrame p = parsed_of(frame.span());
    const std::uint32_t length = reverse(frame.span(), p, 48, 46);
    finish_udp_checksum(frame.span().first(length), p);

    Spec expected = s;
    std::swap(expected.from, expected.to);
    std::swap(expected.source_mac, expected.destination_mac);
    std::swap(expected.source_port, expected.destination_port);
    expected.tos = 46 << 2;
    expected.hop_limit = 64;
    expected.identification = 0;
    expected.fragment = 0x4000;
    expected.flow_label = 0;
    const Bytes want = udp_frame(expected);
    REQUIRE(length == want.size());
    CHECK(std::equal(want.begin(), want.end(), frame.span().begin()));
  }
}

TEST_CASE("a shorter reply shrinks the frame, but not below the Ethernet minimum it had") {
  Spec s;
  s.payload = 100;
  Exact frame{udp_frame(s)};
  const ParsedFrame p = parsed_of(frame.span());
  CHECK(reverse(frame.span(), p, 48, 0) == 90);
  CHECK(load_be16(frame.span().data() + 16) == 76);
  CHECK(load_be16(frame.span().data() + 38) == 56);
  finish_udp_checksum(frame.span().first(90), p);
  CHECK(checksums_right(frame.span().first(90), 14, 56));

  Exact small{udp_frame(s)};
  CHECK(reverse(small.span(), p, 4, 0) == 60);
  const auto padding = small.span().subspan(46, 14);
  CHECK(std::all_of(padding.begin(), padding.end(), [](std::byte b) { return b == std::byte{0}; }));

  s.payload = 4;
  Exact unpadded{udp_frame(s)};
  CHECK(reverse(unpadded.span(), parsed_of(unpadded.span()), 2, 0) == 46);
}

TEST_CASE("a reply is never longer than its request") {
  for (const Spec& s : families()) {
    Exact frame{udp_frame(s)};
    const ParsedFrame p = parsed_of(frame.span());
    CHECK(reverse(frame.span(), p, 1000, 0) == frame.span().size());
    CHECK(load_be16(frame.span().data() + p.udp_offset + 4) == 56);
  }
}

TEST_CASE("a UDP checksum that computes to zero is sent as all ones") {
  for (const Spec& s : families()) {
    Exact frame{udp_frame(s)};
    const ParsedFrame p = parsed_of(frame.span());
    std::byte* last_word = frame.span().data() + frame.span().size() - 2;
    store_be16(last_word, 0);
    finish_udp_checksum(frame.span(), p);
    const std::uint16_t missing = load_be16(frame.span().data() + p.udp_offset + 6);
    store_be16(last_word, missing);
    finish_udp_checksum(frame.span(), p);
    CHECK(load_be16(frame.span().data() + p.udp_offset + 6) == 0xFFFF);
    CHECK(judge(frame.span()) == kContinue);
  }
}
