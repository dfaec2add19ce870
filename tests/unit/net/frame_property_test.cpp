// SPDX-License-Identifier: BSD-3-Clause
// parse() and reverse() against frames nobody thought of. Every frame is a heap block of its exact size, so
// an ASan build sees a read or write beyond it.
#include <algorithm>

#include "catch.hpp"
#include "frames.hpp"
#include "net/frame.hpp"

using namespace wiretime;
using namespace wiretime::net;
using namespace wiretime::net::test;

namespace {

Spec random_spec(std::mt19937_64& random) {
  Spec s = random() % 2 == 0 ? Spec{} : ipv6_spec();
  for (std::size_t i = random() % 3; i > 0; --i)
    s.tags.emplace_back(random() % 2 == 0 ? 0x8100 : 0x88A8, static_cast<std::uint16_t>(random()));
  s.source_port = static_cast<std::uint16_t>(1 + random() % 65535);
  s.from.bytes[3] = static_cast<std::uint8_t>(10 + random() % 200);
  s.payload = random() % 200;
  s.padding = random() % 3 * 10;
  return s;
}

bool within(const ParsedFrame& p, std::size_t size) {
  return p.l3_offset >= 14 && p.l3_offset <= 22 && p.udp_offset == p.l3_offset + (p.ipv6 ? 40 : 20) &&
         p.payload_offset == p.udp_offset + 8 && std::size_t{p.payload_offset} + p.payload_length <= size;
}

}  // namespace

TEST_CASE("random frames are judged without reading beyond them") {
  constexpr std::uint64_t kSeed = 20261123;
  INFO("seed " << kSeed);
  std::mt19937_64 random{kSeed};
  std::size_t let_through = 0;
  for (int round = 0; round < 200'000; ++round) {
    Exact frame{random_bytes(random, random() % 120)};
    const auto bytes = frame.span();
    // Random bytes alone never get past the EtherType: lead some of them further down.
    std::size_t at = 12;
    while (random() % 3 == 0 && bytes.size() >= at + 6) {
      store_be16(bytes.data() + at, 0x8100);
      at += 4;
    }
    if (bytes.size() >= at + 12 && random() % 8 != 0) {
      const bool v6 = random() % 2 == 0;
      store_be16(bytes.data() + at, v6 ? 0x86DD : 0x0800);
      bytes[at + 2] = std::byte{v6 ? std::uint8_t{0x60} : std::uint8_t{0x45}};
      store_be16(bytes.data() + at + (v6 ? 6 : 4), static_cast<std::uint16_t>(random() % 128));
      bytes[at + (v6 ? 8 : 11)] = std::byte{17};
      if (!v6 && bytes.size() >= at + 22) set_ipv4_checksum(bytes, at + 2);
      const std::size_t udp = at + (v6 ? 42 : 22);
      if (bytes.size() >= udp + 8) {
        store_be16(bytes.data() + udp + 2, 123);
        store_be16(bytes.data() + udp + 4, static_cast<std::uint16_t>(random() % 100));
        if (!v6) store_be16(bytes.data() + udp + 6, 0);
      }
    }
    ParsedFrame parsed;
    if (parse(bytes, 123, parsed, random() % 2 == 0 ? UdpChecksum::verify : UdpChecksum::trusted) !=
        kContinue)
      continue;
    ++let_through;
    REQUIRE(within(parsed, bytes.size()));
    const auto reply = static_cast<std::uint16_t>(random() % 100);
    const std::uint32_t length = reverse(bytes, parsed, reply, 0);
    REQUIRE(length <= bytes.size());
    finish_udp_checksum(bytes.first(length), parsed);
    REQUIRE(checksums_right(bytes, parsed.l3_offset, load_be16(bytes.data() + parsed.udp_offset + 4)));
  }
  CHECK(let_through > 0);  // else this test does not reach what it is about
}

TEST_CASE("a well-formed request is let through at every length from its own, and at none below") {
  std::mt19937_64 random{3};
  for (int round = 0; round < 300; ++round) {
    const Spec s = random_spec(random);
    const Bytes frame = udp_frame(s);
    for (std::size_t size = 0; size <= frame.size(); ++size) {
      Exact cut{std::span{frame}.first(size)};
      ParsedFrame parsed;
      const Verdict v = parse(cut.span(), 123, parsed);
      REQUIRE(v == (size < frame.size() - s.padding ? Verdict::frame_truncated : kContinue));
      if (v == kContinue) REQUIRE(within(parsed, size));
    }
  }
}

TEST_CASE("no single flipped bit under a checksum gets through") {
  for (Spec s : {Spec{}, ipv6_spec()}) {
    s.payload = 52;
    Bytes frame = udp_frame(s);
    // IPv6 covers its own header only through the pseudo-header: start at the addresses there.
    const std::size_t first = s.l3() + (s.is_ipv6() ? 8 : 0);
    for (std::size_t bit = first * 8; bit < frame.size() * 8; ++bit) {
      const std::byte mask{static_cast<std::uint8_t>(1U << (bit % 8))};
      frame[bit / 8] ^= mask;
      ParsedFrame parsed;
      REQUIRE(parse(frame, 123, parsed) != kContinue);
      frame[bit / 8] ^= mask;
    }
  }
}

TEST_CASE("parse changes nothing it was not asked to and depends only on the bytes") {
  std::mt19937_64 random{5};
  for (int round = 0; round < 2000; ++round) {
    Bytes frame = udp_frame(random_spec(random));
    for (int i = 0; i < 2; ++i) frame[random() % frame.size()] = static_cast<std::byte>(random());
    ParsedFrame a;
    ParsedFrame b;
    const Verdict v = parse(frame, 123, a);
    REQUIRE(parse(frame, 123, b) == v);
    REQUIRE(static_cast<std::size_t>(v) <= kVerdictCount);
    if (v != kContinue) REQUIRE(a.payload_length + a.udp_offset == 0);
  }
}

TEST_CASE("reversing twice gives the frame back") {
  std::mt19937_64 random{6};
  for (int round = 0; round < 5000; ++round) {
    Spec s = random_spec(random);
    s.padding = 0;
    const Bytes request = udp_frame(s);
    Exact frame{request};
    ParsedFrame parsed;
    REQUIRE(parse(frame.span(), 123, parsed) == kContinue);
    for (int turn = 0; turn < 2; ++turn) {
      REQUIRE(reverse(frame.span(), parsed, parsed.payload_length, 0) == request.size());
      finish_udp_checksum(frame.span(), parsed);
      REQUIRE(checksums_right(frame.span(), parsed.l3_offset, 8U + parsed.payload_length));
    }
    REQUIRE(std::equal(request.begin(), request.end(), frame.span().begin()));
  }
}

TEST_CASE("replies of every length carry right checksums and are accepted by the other side") {
  std::mt19937_64 random{7};
  for (int round = 0; round < 5000; ++round) {
    const Spec s = random_spec(random);
    Exact frame{udp_frame(s)};
    ParsedFrame parsed;
    REQUIRE(parse(frame.span(), 123, parsed) == kContinue);
    const auto reply = static_cast<std::uint16_t>(random() % (parsed.payload_length + 1U));
    const std::uint32_t length =
        reverse(frame.span(), parsed, reply, static_cast<std::uint8_t>(random() % 64));
    finish_udp_checksum(frame.span().first(length), parsed);
    REQUIRE(checksums_right(frame.span(), parsed.l3_offset, 8U + reply));
    ParsedFrame back;
    Exact received{frame.span().first(length)};
    REQUIRE(parse(received.span(), s.source_port, back) == kContinue);
    REQUIRE(back.payload_length == reply);
    REQUIRE(source_address(received.span(), back) == s.to);
    REQUIRE(destination_address(received.span(), back) == s.from);
  }
}
