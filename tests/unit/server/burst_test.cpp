// SPDX-License-Identifier: BSD-3-Clause
#include "server/burst.hpp"

#include <random>

#include "catch.hpp"
#include "server/fixture.hpp"

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
    std::vector<server::Frame> burst;
    for (auto& b : frames)
      burst.push_back({b.data(), static_cast<std::uint32_t>(b.size()), f.snapshot.anchor_time, {}, {}});
    server::answer(burst, f.snapshot, f.tables, f.ours, f.state);
    server::finish(burst, f.snapshot.anchor_time, f.snapshot, f.state);
    for (std::size_t i = 0; i < burst.size(); ++i) {
      CHECK(burst[i].verdict == expected[i]);
      if (is_ntp_answer(burst[i].verdict)) {
        const std::span<const std::byte> reply{burst[i].data, burst[i].length};
        CHECK(checksums_right(reply, burst[i].parsed.l3_offset, 56));
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
