// SPDX-License-Identifier: BSD-3-Clause
#include "server/burst.hpp"

#include <map>
#include <random>

#include "catch.hpp"
#include "server/fixture.hpp"
#include "server/handler.hpp"

using namespace wiretime;
using net::test::Bytes;
using net::test::checksums_right;
using net::test::ip;
using net::test::ipv6_spec;
using net::test::Spec;
using test::Fixture;
using test::frame_with;
using test::ntp_request;

namespace {

std::vector<Spec> link_variants() {
  std::vector<Spec> specs;
  for (const Spec& base : {Spec{}, ipv6_spec()}) {
    for (const auto& tags : std::vector<std::vector<std::pair<std::uint16_t, std::uint16_t>>>{
             {}, {{0x8100, 7}}, {{0x88A8, 100}, {0x8100, 7}}}) {
      specs.push_back(base);
      specs.back().tags = tags;
    }
  }
  return specs;
}

// All of them arrived then.
std::vector<server::Frame> burst_of(std::vector<Bytes>& frames, NtpTimestamp arrival) {
  std::vector<server::Frame> burst;
  for (Bytes& f : frames) burst.push_back({f.data(), static_cast<std::uint32_t>(f.size()), arrival});
  return burst;
}

}  // namespace

TEST_CASE("a request becomes its reply in place, over every link and both families") {
  for (const Spec& spec : link_variants()) {
    Fixture f;
    auto frame = frame_with(spec, ntp_request());
    const auto request = frame;
    REQUIRE(f.answer(frame) == Verdict::answered);
    CHECK(frame.size() == request.size());
    CHECK(std::equal(frame.begin(), frame.begin() + 6, request.begin() + 6));
    CHECK(std::equal(frame.begin() + 6, frame.begin() + 12, request.begin()));
    CHECK(std::equal(frame.begin() + 12, frame.begin() + static_cast<std::ptrdiff_t>(spec.l3()),
                     request.begin() + 12));
    CHECK(checksums_right(frame, spec.l3(), 56));
    const std::byte* reply = frame.data() + spec.l4() + 8;
    CHECK(ntp::mode(reply) == ntp::Mode::server);
    CHECK(ntp::timestamp(reply, ntp::offset::kOrigin).value == 0x0123'4567'89AB'CDEFU);
    CHECK((ntp::timestamp(reply, ntp::offset::kTransmit) - f.snapshot.anchor_time).units / 256 ==
          (1 << 16) / 256);
  }
}

TEST_CASE("a reply has 48 bytes however long its request was") {
  for (const Spec& spec : link_variants()) {
    Fixture f;
    auto m = ntp_request();
    test::add_field(m, 0x2005, 400);
    auto frame = frame_with(spec, m);
    REQUIRE(f.answer(frame) == Verdict::answered);
    CHECK(frame.size() == spec.l4() + 56);
    CHECK(checksums_right(frame, spec.l3(), 56));
  }
}

TEST_CASE(
    "symmetric packets of our peers are handed over where there is a way, with or without time; other "
    "packets are answered") {
  for (const Spec& spec : link_variants()) {
    for (const bool valid : {true, false}) {
      Fixture f;
      f.snapshot.valid = valid;
      auto active = ntp_request();
      active[0] = std::byte{0x21};  // version 4, mode 1
      auto with_mac = active;
      with_mac.resize(with_mac.size() + 20, std::byte{1});
      const auto verdict_of = [&](const std::vector<std::byte>& message) {
        auto frame = frame_with(spec, message);
        return f.answer(frame);
      };
      f.tables.peers = {spec.from};
      CHECK(verdict_of(active) == (valid ? Verdict::answered_symmetric : Verdict::no_time));
      f.state.hands_over_peers = true;
      CHECK(verdict_of(active) == Verdict::peer_packet);
      CHECK(verdict_of(with_mac) == Verdict::peer_packet);
      CHECK(verdict_of(ntp_request()) == (valid ? Verdict::answered : Verdict::no_time));
      f.tables.peers = {ip("192.0.2.200"), ip("2001:db8::200")};
      CHECK(verdict_of(active) == (valid ? Verdict::answered_symmetric : Verdict::no_time));
    }
  }
}

TEST_CASE("only our own addresses are answered for") {
  Fixture f;
  Spec spec;
  spec.to = ip("192.0.2.77");
  auto frame = frame_with(spec, ntp_request());
  CHECK(f.answer(frame) == Verdict::not_our_address);
  CHECK(disposition(Verdict::not_our_address) == Disposition::pass_on);
}

TEST_CASE("a source that is one of our addresses is spoofed, whichever of them it is") {
  Fixture f;
  f.ours = server::LocalAddresses{{ip("192.0.2.1"), ip("192.0.2.5")}};
  Spec spec;
  for (const char* source : {"192.0.2.1", "192.0.2.5"}) {
    spec.from = ip(source);
    auto frame = frame_with(spec, ntp_request());
    CHECK(f.answer(frame) == Verdict::source_own_address);
  }
}

TEST_CASE("nothing comes from the broadcast address of our own subnet") {
  Fixture f;
  f.ours = server::LocalAddresses{{ip("192.0.2.1")}, {ip("192.0.2.255")}};
  Spec spec;
  spec.from = ip("192.0.2.255");
  auto frame = frame_with(spec, ntp_request());
  CHECK(f.answer(frame) == Verdict::source_multicast);
}

TEST_CASE("a burst of every kind ends frame by frame as each alone would") {
  Fixture f;
  std::mt19937_64 random{77};
  std::vector<Bytes> kinds;
  for (const Spec& spec : link_variants()) kinds.push_back(frame_with(spec, ntp_request()));
  Spec denied;
  denied.from = ip("192.0.2.66");
  kinds.push_back(frame_with(denied, ntp_request()));
  kinds.push_back(frame_with(Spec{}, ntp_request(4, 4)));
  kinds.push_back(frame_with(Spec{}, ntp_request(4, 3, 20)));
  kinds.push_back(Bytes(9));
  auto broken = frame_with(Spec{}, ntp_request());
  broken[50] ^= std::byte{1};
  kinds.push_back(broken);

  for (int round = 0; round < 200; ++round) {
    std::vector<Bytes> frames;
    std::vector<Verdict> expected;
    for (std::size_t i = 0; i < 1 + random() % server::kBurstSize; ++i) {
      frames.push_back(kinds[random() % kinds.size()]);
      Fixture alone;
      auto copy = frames.back();
      expected.push_back(alone.answer(copy));
    }
    auto burst = burst_of(frames, f.snapshot.anchor_time);
    server::answer(burst, f.snapshot, f.tables, f.ours, f.state);
    server::finish(burst, f.snapshot.anchor_time, f.snapshot, f.state);
    for (std::size_t i = 0; i < burst.size(); ++i) {
      CHECK(burst[i].verdict == expected[i]);
      if (is_ntp_answer(burst[i].verdict)) {
        const server::Frame& b = burst[i];
        const auto plain_l3 = static_cast<std::size_t>(b.plain_udp - b.data) - (b.plain_ipv6 ? 40 : 20);
        CHECK(
            checksums_right({b.data, b.length}, b.plain_udp != nullptr ? plain_l3 : b.parsed.l3_offset, 56));
      }
    }
  }
}

TEST_CASE("no frame makes the path read beyond it, and no reply is longer than its request") {
  std::mt19937_64 random{20261123};
  Fixture f;
  const auto specs = link_variants();
  for (int i = 0; i < 20'000; ++i) {
    auto m = ntp_request(1 + static_cast<unsigned>(random() % 4), static_cast<unsigned>(random() % 8),
                         48 + random() % 80);
    auto frame = frame_with(specs[random() % specs.size()], m);
    for (auto flips = random() % 3; flips > 0; --flips)
      frame[random() % frame.size()] ^= static_cast<std::byte>(1 << random() % 8);
    if (random() % 3 == 0) frame.resize(random() % frame.size());
    net::test::Exact exact{frame};
    server::Frame burst{
        exact.span().data(), static_cast<std::uint32_t>(frame.size()), f.snapshot.anchor_time, {}, {}};
    server::answer({&burst, 1}, f.snapshot, f.tables, f.ours, f.state);
    server::finish({&burst, 1}, f.snapshot.anchor_time, f.snapshot, f.state);
    CHECK(burst.length <= frame.size());
  }
}

TEST_CASE("each reply of a burst leaves when the wire is done with those before it") {
  Fixture f;
  f.snapshot.precision = -32;
  std::vector<net::test::Bytes> requests{frame_with({}, ntp_request()),
                                         frame_with(ipv6_spec(), ntp_request()),
                                         frame_with({}, ntp_request(4, 6)), frame_with({}, ntp_request())};
  auto burst = burst_of(requests, f.snapshot.anchor_time);
  server::answer(burst, f.snapshot, f.tables, f.ours, f.state);
  const NtpTimestamp first = f.snapshot.anchor_time + NtpDuration{1 << 16};
  constexpr std::uint64_t kPerByte = 225'180;  // 0.8 ns, in 2^-48 s: 10 Gbit/s
  server::finish(burst, {first, kPerByte}, f.snapshot, f.state);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < burst.size(); ++i) {
    if (is_ntp_answer(burst[i].verdict)) {
      REQUIRE(burst[i].plain_udp != nullptr);
      const auto says = ntp::timestamp(burst[i].plain_udp + 8, ntp::offset::kTransmit);
      CHECK(says.value == ((first.value + (bytes * kPerByte >> 16)) & ~std::uint64_t{1}));
    }
    bytes += burst[i].length + 24;
  }
}

TEST_CASE("a plain frame ends as it would if nothing recognised it as plain") {
  // A trailing VLAN tag too many, or any other oddity, keeps a frame off the plain path; an IPv4
  // identification or IPv6 flow label does not. So each frame is compared with what its parts say about it
  // one by one.
  std::mt19937_64 random{20261124};
  Fixture f;
  f.ours = server::LocalAddresses{{ip("192.0.2.1"), ip("192.0.2.5"), ip("2001:db8::1")}, {ip("192.0.2.255")}};
  f.snapshot.precision = -31;  // no random bits but parity
  Fixture slow;
  const auto specs = link_variants();
  int plain = 0;
  int answered = 0;
  for (int i = 0; i < 60'000; ++i) {
    Spec spec = specs[random() % specs.size()];
    if (!spec.is_ipv6())
      spec.from =
          IpAddress::v4(random() % 8 == 0 ? static_cast<std::uint32_t>(random())
                                          : 0xC000'0200U + static_cast<std::uint32_t>(random() % 256));
    auto frame = frame_with(
        spec, ntp_request(static_cast<unsigned>(random() % 6), static_cast<unsigned>(random() % 8)));
    const auto changes = random() % 4;
    if (changes == 0) frame[random() % frame.size()] ^= static_cast<std::byte>(1 << random() % 8);
    if (changes == 1) frame.resize(frame.size() + random() % 9);
    if (changes == 2 && random() % 4 == 0) frame.resize(random() % frame.size());

    // What parse, handle and reverse make of it.
    auto expected = frame;
    net::ParsedFrame parsed;
    Verdict verdict = net::parse(expected, 123, parsed);
    std::uint32_t length = static_cast<std::uint32_t>(expected.size());
    if (verdict == net::kContinue) {
      const auto source = net::source_address(expected, parsed);
      if (!f.ours.contains(net::destination_address(expected, parsed))) {
        verdict = Verdict::not_our_address;
      } else if (f.ours.contains(source)) {
        verdict = Verdict::source_own_address;
      } else if (f.ours.is_broadcast(source)) {
        verdict = Verdict::source_multicast;
      } else {
        const auto answer =
            server::handle({source, net::source_port(expected, parsed),
                            net::payload(std::span{expected}, parsed), f.snapshot.anchor_time},
                           f.snapshot, f.tables, slow.state);
        verdict = answer.verdict;
        if (is_ntp_answer(verdict)) {
          length = net::reverse(expected, parsed, answer.length, f.tables.dscp);
          server::finish_reply(std::span{expected}.first(length).subspan(parsed.payload_offset), answer.key,
                               answer.exchange, f.snapshot.anchor_time + NtpDuration{1 << 16}, f.snapshot,
                               slow.state);
          net::finish_udp_checksum({expected.data(), length}, parsed);
        }
      }
    }

    server::Frame one{frame.data(), static_cast<std::uint32_t>(frame.size()), f.snapshot.anchor_time};
    server::answer({&one, 1}, f.snapshot, f.tables, f.ours, f.state);
    plain += is_ntp_answer(one.verdict) && one.plain_udp != nullptr;
    server::finish({&one, 1}, f.snapshot.anchor_time + NtpDuration{1 << 16}, f.snapshot, f.state);
    REQUIRE(name(one.verdict) == name(verdict));
    if (!is_ntp_answer(verdict)) continue;
    ++answered;
    REQUIRE(one.length == length);
    REQUIRE(std::equal(frame.begin(), frame.begin() + length, expected.begin()));
  }
  // Most answers took the plain path, and some did not.
  CHECK(plain > answered / 2);
  CHECK(plain < answered);
}

TEST_CASE("over its rate limit a client gets nothing, or a kiss of death, on every path") {
  for (const Spec& spec : {Spec{}, ipv6_spec()}) {
    Fixture f;
    f.tables.rate_limit = ntp::RateLimit::of({6, 2, 4, 1});
    std::map<Verdict, int> seen;
    for (int i = 0; i < 400; ++i) {
      auto frame = frame_with(spec, ntp_request());
      const Verdict verdict = f.answer(frame);
      ++seen[verdict];
      const std::byte* reply = frame.data() + spec.l4() + 8;
      if (verdict == Verdict::answered) CHECK(load_u8(reply + ntp::offset::kPoll) == 6);
      if (verdict != Verdict::answered_kiss) continue;
      CHECK(ntp::leap(reply) == 3);
      CHECK(load_u8(reply + ntp::offset::kStratum) == 0);
      CHECK(load_be32(reply + ntp::offset::kReferenceId) == 0x52415445U);
      CHECK(ntp::timestamp(reply, ntp::offset::kOrigin).value == 0x0123'4567'89AB'CDEFU);
      CHECK(checksums_right(frame, spec.l3(), 56));
    }
    CHECK(seen.size() == 3);
    CHECK(seen[Verdict::answered] >= 2);
    CHECK(seen[Verdict::answered_kiss] > 100);
    CHECK(seen[Verdict::rate_limited] > 100);
  }
}

TEST_CASE("eight frames at a time end as they would one by one") {
  // Two servers that see the same bursts, with the same dice: one of them takes no frames together. Their
  // replies are the same to the byte, and so are their client logs.
  std::mt19937_64 random{20261125};
  for (const unsigned kod : {0U, 1U}) {
    Fixture f;
    Fixture narrow;
    narrow.state.wide = false;
    for (Fixture* each : {&f, &narrow}) {
      each->ours =
          server::LocalAddresses{{ip("192.0.2.1"), ip("192.0.2.5"), ip("2001:db8::1")}, {ip("192.0.2.255")}};
      each->snapshot.precision = -31;  // no random bits but parity
      each->tables.dscp = 46;
      each->tables.rate_limit = ntp::RateLimit::of({3, 4, 2, kod});
    }
    std::map<Verdict, int> seen;
    std::map<IpAddress, NtpTimestamp> told;  // receive timestamps of the last replies
    std::ptrdiff_t together = 0;
    int interleaved = 0;
    for (int round = 0; round < 4000; ++round) {
      const bool ipv6 = random() % 3 == 0;
      const bool mixed = random() % 8 == 0;
      const unsigned rarity = random() % 4 == 0 ? 1 : 64;  // of flaws
      const std::size_t size = 1 + random() % (server::kBurstSize + 8);
      const NtpTimestamp now = f.snapshot.anchor_time + NtpDuration{round * 65'536};
      std::vector<Bytes> frames;
      std::vector<IpAddress> senders;
      for (std::size_t i = 0; i < size; ++i) {
        Spec spec = ipv6 ? ipv6_spec() : Spec{};
        if (mixed && random() % 8 == 0) spec = ipv6 ? Spec{} : ipv6_spec();
        if (spec.is_ipv6()) {
          spec.from.bytes[15] = static_cast<std::uint8_t>(random() % 64);
          if (random() % (64 * rarity) == 0) spec.from.bytes[0] = static_cast<std::uint8_t>(random());
        } else {
          spec.from = IpAddress::v4(
              0xC000'0200U + static_cast<std::uint32_t>(rarity == 1 ? random() % 256 : 6 + random() % 64));
          if (random() % (64 * rarity) == 0) spec.from = IpAddress::v4(static_cast<std::uint32_t>(random()));
        }
        const bool plain = random() % (32 * rarity) != 0;
        auto m =
            ntp_request(plain ? 1 + static_cast<unsigned>(random() % 4) : static_cast<unsigned>(random() % 8),
                        plain ? 3 : static_cast<unsigned>(random() % 8));
        m[2] = static_cast<std::byte>(random());
        for (std::size_t at = 3; at < 24; ++at) m[at] = static_cast<std::byte>(random());
        for (std::size_t at = 32; at < 48; ++at) m[at] = static_cast<std::byte>(random());
        if (random() % (64 * rarity) == 0) m[24 + random() % 8] = std::byte{1};
        if (random() % 16 == 0)  // an origin as our own stamp, or nearly
          ntp::set_timestamp(m.data(), ntp::offset::kTransmit,
                             now + NtpDuration{static_cast<std::int64_t>(i * 1024 + random() % 4)});
        if (spec.from.bytes.back() % 4 == 0 && told.contains(spec.from) && random() % 8 != 0)
          ntp::set_timestamp(m.data(), ntp::offset::kOrigin, told[spec.from]);
        frames.push_back(frame_with(spec, m));
        senders.push_back(spec.from);
        if (random() % (32 * rarity) == 0)
          frames.back()[random() % frames.back().size()] ^= static_cast<std::byte>(1 << random() % 8);
        if (random() % (32 * rarity) == 0) frames.back().resize(frames.back().size() + random() % 9);
        if (random() % (64 * rarity) == 0) frames.back().resize(random() % frames.back().size());
      }
      auto others = frames;
      const auto serve = [&](Fixture& server, std::vector<Bytes>& bytes, bool paced) {
        std::vector<server::Frame> burst;
        for (auto& b : bytes)
          burst.push_back({b.data(), static_cast<std::uint32_t>(b.size()),
                           now + NtpDuration{static_cast<std::int64_t>(burst.size()) * 1024}});
        server::answer(burst, server.snapshot, server.tables, server.ours, server.state);
        together += std::count_if(burst.begin(), burst.end(), [](const auto& b) { return b.plain_sum != 0; });
        std::vector<server::Frame> replies;  // the worker drops the others first
        std::copy_if(burst.begin(), burst.end(), std::back_inserter(replies),
                     [](const auto& b) { return disposition(b.verdict) == Disposition::reply; });
        const NtpTimestamp at = now + NtpDuration{1 << 16};
        server::finish(replies, {at, paced ? 225'180U : 0U}, server.snapshot, server.state);
        return burst;
      };
      const bool paced = random() % 2 == 0;
      const auto one = serve(f, frames, paced);
      const auto other = serve(narrow, others, paced);
      for (std::size_t i = 0; i < one.size(); ++i) {
        REQUIRE(name(one[i].verdict) == name(other[i].verdict));
        ++seen[one[i].verdict];
        if (!is_ntp_answer(one[i].verdict)) continue;
        REQUIRE(one[i].length == other[i].length);
        REQUIRE(std::equal(frames[i].begin(), frames[i].begin() + one[i].length, others[i].begin()));
        REQUIRE(one[i].exchange.interleaved == other[i].exchange.interleaved);
        interleaved += one[i].exchange.interleaved;
        if (one[i].plain_udp != nullptr)
          told[senders[i]] = ntp::timestamp(one[i].plain_udp + 8, ntp::offset::kReceive);
      }
      for (Fixture* each : {&f, &narrow}) each->snapshot.uptime += 7;
    }
    for (std::size_t slot = 0; slot < f.state.clients->slots(); ++slot)
      REQUIRE(f.state.clients->at(slot) == narrow.state.clients->at(slot));
    CHECK((together > 20'000) == f.state.wide);  // false where the processor cannot
    CHECK(seen[Verdict::answered] > 10'000);
    CHECK(seen[Verdict::denied] > 100);
    CHECK(interleaved > 1000);
    CHECK(seen[Verdict::rate_limited] > 100);
    CHECK((kod == 0) == (seen[Verdict::answered_kiss] == 0));
  }
}

TEST_CASE("without a client log frames are answered eight at a time too") {
  for (const Spec& spec : {Spec{}, ipv6_spec()}) {
    Fixture f;
    f.state.clients.reset();
    std::vector<Bytes> frames(server::kBurstSize, frame_with(spec, ntp_request()));
    auto burst = burst_of(frames, f.snapshot.anchor_time);
    server::answer(burst, f.snapshot, f.tables, f.ours, f.state);
    server::finish(burst, f.snapshot.anchor_time, f.snapshot, f.state);
    for (const server::Frame& b : burst) {
      CHECK(b.verdict == Verdict::answered);
      CHECK((b.plain_sum != 0) == f.state.wide);
      CHECK(checksums_right({b.data, b.length}, spec.l3(), 56));
    }
  }
}

TEST_CASE("below the precision stamps are random, each its own, and above it they are the clock's") {
  for (const bool together : {false, true}) {
    for (const Spec& spec : {Spec{}, ipv6_spec()}) {
      Fixture f;
      f.state.wide = together && server::wide::available();
      f.snapshot.precision = -20;
      constexpr std::uint64_t kNoise = 0xFFF;
      std::map<std::uint64_t, int> seen;
      std::uint64_t ever = 0;
      std::uint64_t always = kNoise;
      for (int round = 0; round < 32; ++round) {
        std::vector<Bytes> frames(server::kBurstSize, frame_with(spec, ntp_request()));
        auto burst = burst_of(frames, f.snapshot.anchor_time);
        server::answer(burst, f.snapshot, f.tables, f.ours, f.state);
        server::finish(burst, f.snapshot.anchor_time, f.snapshot, f.state);
        for (const server::Frame& b : burst) {
          const auto receive = ntp::timestamp(b.plain_udp + 8, ntp::offset::kReceive).value;
          const auto transmit = ntp::timestamp(b.plain_udp + 8, ntp::offset::kTransmit).value;
          REQUIRE((receive & ~kNoise) == f.snapshot.anchor_time.value);
          REQUIRE((transmit & ~kNoise) == f.snapshot.anchor_time.value);
          REQUIRE((receive & 1U) == 1);
          REQUIRE((transmit & 1U) == 0);
          for (const std::uint64_t stamp : {receive, transmit}) {
            ++seen[stamp & kNoise];
            ever |= stamp;
            always &= stamp;
          }
        }
      }
      CHECK((ever & kNoise) == kNoise);
      CHECK(always == 0);
      CHECK(seen.size() > 1200);  // of 4,096; 2,048 draws hit 1,612 of them if they are fair
    }
  }
}

namespace {

// Frames that are nearly plain requests, right in all but one thing.
std::vector<Bytes> nearly_plain(const Spec& plain) {
  std::vector<Bytes> frames;
  const auto with = [&](auto change) {
    Spec spec = plain;
    change(spec);
    frames.push_back(frame_with(spec, ntp_request()));
  };
  const std::vector<const char*> sources =
      plain.is_ipv6()
          ? std::vector<const char*>{"::",          "::1",         "ff02::1",    "::ffff:192.0.2.9",
                                     "2001:db8::1", "2001:db8::5", "2001:db9::2"}
          : std::vector<const char*>{"127.0.0.1", "0.0.0.1",   "224.0.0.5",   "255.255.255.255",
                                     "192.0.2.1", "192.0.2.5", "192.0.2.255", "192.0.2.66"};
  for (const char* source : sources) with([&](Spec& s) { s.from = ip(source); });
  with([](Spec& s) { s.to = ip(s.is_ipv6() ? "2001:db8::77" : "192.0.2.77"); });
  with([](Spec& s) { s.to = ip(s.is_ipv6() ? "2001:db8:1::1" : "192.0.3.1"); });
  with([](Spec& s) { s.from = s.to = ip(s.is_ipv6() ? "2001:db8::77" : "192.0.2.77"); });
  with([](Spec& s) { s.source_port = 0; });
  with([](Spec& s) { s.destination_port = 124; });
  with([](Spec& s) { s.tags = {{0x8100, 7}}; });
  with([](Spec& s) { s.destination_mac |= std::uint64_t{1} << 40; });
  with([](Spec& s) { s.source_mac |= std::uint64_t{1} << 40; });
  with([](Spec& s) { s.protocol = net::protocol::kTcp; });
  if (!plain.is_ipv6()) {
    with([](Spec& s) { s.fragment = 0x2000; });
    with([](Spec& s) { s.fragment = 3; });
    with([](Spec& s) { s.options = Bytes(4, std::byte{1}); });
  }
  for (unsigned version = 0; version < 8; ++version)
    for (unsigned mode = 0; mode < 8; ++mode) frames.push_back(frame_with(plain, ntp_request(version, mode)));
  frames.push_back(frame_with(plain, ntp_request(4, 3, 52)));
  const auto patched = [&](std::size_t at, std::uint8_t bits) {
    frames.push_back(frame_with(plain, ntp_request()));
    frames.back()[at] ^= std::byte{bits};
  };
  for (std::size_t at = 12; at < plain.l4() + 8 + 48; ++at) patched(at, 0x10);
  frames.push_back(frame_with(plain, ntp_request()));
  store_be16(frames.back().data() + plain.l4() + 6, 0);  // no UDP checksum
  frames.push_back(frame_with(plain, ntp_request()));    // the same, and it would be right if it were one
  auto* const udp = frames.back().data() + plain.l4();
  const unsigned moved = load_be16(udp + 6) + load_be16(udp + 8 + ntp::offset::kRootDelay);
  store_be16(udp + 6, 0);
  store_be16(udp + 8 + ntp::offset::kRootDelay,
             static_cast<std::uint16_t>((moved & 0xFFFFU) + (moved >> 16)));
  frames.push_back(frame_with(plain, ntp_request()));
  frames.back().pop_back();
  return frames;
}

}  // namespace

TEST_CASE("one odd frame among eight is seen for what it is, and so are the others") {
  for (const Spec& plain : {Spec{}, ipv6_spec()}) {
    const auto odd_ones = nearly_plain(plain);
    std::size_t place = 0;
    for (const Bytes& odd : odd_ones) {
      Fixture f;
      f.ours = server::LocalAddresses{
          {ip("192.0.2.1"), ip("192.0.2.5"), ip("2001:db8::1"), ip("2001:db8::5")}, {ip("192.0.2.255")}};
      auto alone = odd;
      f.state.wide = false;
      const Verdict expected = f.answer(alone);
      f.state.wide = server::wide::available();
      std::vector<Bytes> frames(8, frame_with(plain, ntp_request()));
      place = (place + 3) % 8;
      frames[place] = odd;
      auto burst = burst_of(frames, f.snapshot.anchor_time);
      server::answer(burst, f.snapshot, f.tables, f.ours, f.state);
      for (std::size_t i = 0; i < burst.size(); ++i)
        CHECK(name(burst[i].verdict) == name(i == place ? expected : Verdict::answered));
    }
  }
}

TEST_CASE("a reply whose UDP checksum comes out as zero says 0xFFFF") {
  for (const Spec& plain : {Spec{}, ipv6_spec()}) {
    Fixture f;
    f.snapshot.precision = -31;  // so that the source port decides
    int all_ones = 0;
    for (unsigned first = 1; first < 65'536; first += server::kBurstSize) {
      std::vector<Bytes> frames;
      for (unsigned port = first; port < std::min(first + 32, 65'536U); ++port) {
        Spec spec = plain;
        spec.source_port = static_cast<std::uint16_t>(port);
        frames.push_back(frame_with(spec, ntp_request()));
      }
      auto burst = burst_of(frames, f.snapshot.anchor_time);
      server::answer(burst, f.snapshot, f.tables, f.ours, f.state);
      server::finish(burst, f.snapshot.anchor_time, f.snapshot, f.state);
      for (const server::Frame& b : burst) {
        const std::uint16_t checksum = load_be16(b.plain_udp + net::udp::kChecksum);
        REQUIRE(checksum != 0);
        all_ones += checksum == 0xFFFF;
      }
    }
    CHECK(all_ones > 0);
  }
}
