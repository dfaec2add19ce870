// SPDX-License-Identifier: BSD-3-Clause
// What an association refuses, and what it then does: one case for each test, and forged packets.
#include <random>

#include "catch.hpp"
#include "ntp/association.hpp"
#include "ntp/simulated_source.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::Simulation;

namespace {

SourceOptions server_options() {
  SourceOptions options;
  options.min_poll = 4;
  options.max_poll = 10;
  return options;
}

// Sent one request, nothing has come back.
void send_one(Simulation& sim) {
  sim.start();
  while (sim.sends.empty() && sim.step()) {
  }
  sim.drop_arrivals();
  sim.world.now += std::chrono::milliseconds{2};
}

}  // namespace

TEST_CASE("a good reply passes all ten tests and is reported field by field") {
  Simulation sim{server_options()};
  sim.server.stratum = 2;
  sim.server.leap = 1;
  sim.server.root_delay = 0.25;
  sim.server.root_dispersion = 0.125;
  sim.start();
  sim.run_for(1);
  const auto& report = sim.association.report();
  CHECK(report.tests == 0b1111111111);
  CHECK(report.last.stratum == 2);
  CHECK(report.last.version == 4);
  CHECK(report.last.mode == Mode::server);
  CHECK(report.last.root_delay == 0.25);
  CHECK(report.last.root_dispersion == 0.125);
  CHECK(report.last.refid == 0x4750'5300U);
  CHECK(report.local == IpAddress::v4(test::kOurRefid));
  CHECK(report.response_time == Approx(10e-6).margin(2e-9));
  CHECK(report.peer_delay == Approx(2e-3).margin(2e-8));
  CHECK(report.transmitted == 1);
  CHECK(report.received == 1);
  CHECK(report.received_valid == 1);
  CHECK(report.received_good == 1);
  CHECK(report.receive_stamp == StampSource::kernel);
  CHECK(report.transmit_stamp == StampSource::daemon);
  CHECK(report.receive_stamps[1] == 1);
  REQUIRE(sim.samples.size() == 1);
  CHECK(sim.samples[0].stratum == 2);
  CHECK(sim.samples[0].leap == clock::Leap::insert);
  CHECK(sim.samples[0].root_delay == Approx(0.252).margin(1e-7));
  CHECK(sim.samples[0].root_dispersion >= 0.125);
  CHECK(sim.statuses.back().synchronised);
  CHECK(sim.statuses.back().reach == 1);
}

TEST_CASE("messages of impossible length, version or mode are refused") {
  Simulation sim{server_options()};
  send_one(sim);
  const Header good = sim.answer_by_hand();
  for (const std::size_t length : {0U, 1U, 47U}) sim.deliver({good.data(), length});
  CHECK(sim.refused(Refusal::length) == 3);
  std::vector<std::byte> odd(good.begin(), good.end());
  odd.resize(50);
  sim.deliver(odd);
  CHECK(sim.refused(Refusal::length) == 4);
  for (const unsigned v : {0U, 5U, 7U}) {
    Header m = good;
    store_u8(m.data(), flags(0, static_cast<std::uint8_t>(v), Mode::server));
    sim.deliver(m);
  }
  CHECK(sim.refused(Refusal::version) == 3);
  for (const unsigned mode : {0U, 1U, 2U, 3U, 5U, 6U, 7U}) {
    Header m = good;
    store_u8(m.data(), flags(0, 4, static_cast<Mode>(mode)));
    sim.deliver(m);
  }
  CHECK(sim.refused(Refusal::mode) == 7);
  CHECK(sim.samples.empty());
  sim.deliver(good);  // none of them used up the request
  CHECK(sim.samples.size() == 1);
}

TEST_CASE("test 1: a reply heard twice counts once") {
  Simulation sim{server_options()};
  send_one(sim);
  const Header good = sim.answer_by_hand();
  sim.deliver(good);
  sim.deliver(good);
  CHECK(sim.samples.size() == 1);
  CHECK(sim.refused(Refusal::duplicate) == 1);
  CHECK((sim.association.report().tests >> 9) == 0);
}

TEST_CASE("test 2: a reply must carry the stamp of the last request") {
  Simulation sim{server_options()};
  send_one(sim);
  const Header first = sim.answer_by_hand();
  for (int bit = 0; bit < 64; ++bit) {
    Header m = first;
    const NtpTimestamp origin = timestamp(m.data(), offset::kOrigin);
    set_timestamp(m.data(), offset::kOrigin, {origin.value ^ (std::uint64_t{1} << bit)});
    sim.deliver(m);
  }
  CHECK(sim.refused(Refusal::origin) == 64);
  while (sim.sends.size() < 2 && sim.step()) {
  }
  sim.deliver(first);  // reordered beyond the next request
  CHECK(sim.refused(Refusal::origin) == 65);
  CHECK(sim.samples.empty());
  CHECK((sim.association.report().tests >> 8) == 0b10);
}

TEST_CASE("test 2: a second answer to the same request is not taken, however new its times") {
  Simulation sim{server_options()};
  send_one(sim);
  sim.deliver(sim.answer_by_hand());
  sim.world.now += std::chrono::milliseconds{5};
  sim.deliver(sim.answer_by_hand());
  CHECK(sim.samples.size() == 1);
  CHECK(sim.refused(Refusal::answered) == 1);
}

TEST_CASE("before the first request nothing is an answer, not even to the stamp zero") {
  Simulation sim{server_options()};
  sim.start();
  Header m{};
  store_u8(m.data(), flags(0, 4, Mode::server));
  store_u8(m.data() + offset::kStratum, 1);
  set_timestamp(m.data(), offset::kReceive, {1});
  set_timestamp(m.data(), offset::kTransmit, {2});
  sim.deliver(m);
  CHECK(sim.refused(Refusal::origin) == 1);
  CHECK(sim.samples.empty());
}

TEST_CASE("a basic request of an xleave client is not answered by the stamp zero either") {
  auto options = server_options();
  options.xleave = true;
  Simulation sim{options};
  send_one(sim);
  Header m = sim.answer_by_hand();
  set_timestamp(m.data(), offset::kOrigin, {});
  sim.deliver(m);
  CHECK(sim.refused(Refusal::origin) == 1);
}

TEST_CASE("test 3: a reply without its timestamps is refused") {
  for (const auto field : {offset::kReceive, offset::kTransmit}) {
    Simulation sim{server_options()};
    send_one(sim);
    Header m = sim.answer_by_hand();
    set_timestamp(m.data(), field, {});
    sim.deliver(m);
    CHECK(sim.refused(Refusal::timestamps) == 1);
    CHECK(sim.samples.empty());
  }
}

TEST_CASE("test 5: authentication as configured") {
  struct Case {
    bool required;
    AuthResult result;
    bool accepted;
  };
  for (const auto& c : {Case{true, AuthResult::passed, true}, Case{true, AuthResult::none, false},
                        Case{true, AuthResult::failed, false}, Case{false, AuthResult::none, true},
                        Case{false, AuthResult::failed, false}, Case{false, AuthResult::passed, true}}) {
    auto options = server_options();
    options.require_authentication = c.required;
    Simulation sim{options};
    send_one(sim);
    sim.deliver(sim.answer_by_hand(), c.result);
    CHECK(sim.samples.size() == (c.accepted ? 1 : 0));
    CHECK(sim.refused(Refusal::authentication) == (c.accepted ? 0 : 1));
    CHECK(sim.association.report().authenticated == (c.result == AuthResult::passed));
  }
}

TEST_CASE("test 6: a source that is not synchronised is heard but not followed") {
  struct Case {
    std::uint8_t leap, stratum;
  };
  for (const auto& c : {Case{3, 1}, Case{0, 16}, Case{0, 255}, Case{3, 0}}) {
    Simulation sim{server_options()};
    sim.server.leap = c.leap;
    sim.server.stratum = c.stratum;
    sim.server.refid = 0;
    sim.start();
    sim.run_for(1);
    CHECK(sim.refused(Refusal::unsynchronised) == 1);
    CHECK(sim.samples.empty());
    CHECK(sim.association.report().received_valid == 1);
    CHECK(sim.association.reach().bits() == 0);
    CHECK_FALSE(sim.statuses.back().synchronised);
    CHECK(sim.statuses.back().stratum == 16);
    CHECK(((sim.association.report().tests >> 5) & 1) == 0);
  }
}

TEST_CASE("test 7: the root distance must stay below 16 s") {
  for (const bool far : {false, true}) {
    Simulation sim{server_options()};
    sim.server.root_delay = 16.0;
    sim.server.root_dispersion = far ? 8.0 : 7.99;
    sim.start();
    sim.run_for(1);
    CHECK(sim.refused(Refusal::root_distance) == (far ? 1 : 0));
    CHECK(sim.samples.size() == (far ? 0 : 1));
  }
}

TEST_CASE("test A: a round trip longer than maxdelay gives no sample") {
  auto options = server_options();
  options.max_delay = 0.1;
  Simulation sim{options};
  sim.forward = [] { return 0.0999; };
  sim.backward = [] { return 0.0; };
  sim.start();
  sim.run_for(1);
  CHECK(sim.samples.size() == 1);
  sim.forward = [] { return 0.1001; };
  sim.run_for(17);
  CHECK(sim.samples.size() == 1);
  CHECK(sim.refused(Refusal::delay) == 1);
  CHECK((sim.association.report().tests & 0b1111) == 0b0111);
  CHECK(sim.association.reach().bits() == 3);  // it did answer
}

TEST_CASE("test A: a clock coarser than maxdelay gives no sample") {
  auto options = server_options();
  options.max_delay = 0.01;
  Simulation sim{options};
  sim.server.precision = -6;
  sim.start();
  sim.run_for(1);
  CHECK(sim.refused(Refusal::delay) == 1);
}

TEST_CASE("test A: a server that takes long, or sends before it receives, gives no sample") {
  Simulation sim{server_options()};
  sim.processing = 4.5;
  sim.start();
  sim.run_for(6);
  CHECK(sim.refused(Refusal::response_time) == 1);
  sim.processing = 10e-6;
  sim.tamper = [](Header& m) {
    const auto receive = timestamp(m.data(), offset::kReceive);
    set_timestamp(m.data(), offset::kTransmit, receive + NtpDuration::from(-std::chrono::microseconds{5}));
  };
  sim.run_for(16);
  CHECK(sim.refused(Refusal::response_time) == 2);
  CHECK(sim.samples.empty());
}

TEST_CASE("test D: a source that follows us gives no sample, one of stratum 1 may bear our refid") {
  for (const std::uint8_t stratum : {std::uint8_t{1}, std::uint8_t{2}}) {
    Simulation sim{server_options()};
    sim.server.stratum = stratum;
    sim.server.refid = test::kOurRefid;
    sim.start();
    sim.run_for(1);
    CHECK(sim.samples.size() == (stratum == 1 ? 1 : 0));
    CHECK(sim.refused(Refusal::loop) == (stratum == 1 ? 0 : 1));
  }
}

TEST_CASE("test D: we do not follow ourselves") {
  Simulation sim{server_options()};
  sim.reference.stratum = sim.server.stratum = 3;
  sim.reference.refid = sim.server.refid = 0xCB00'7101U;
  sim.reference.reference_time = sim.server.reference_time = NtpTimestamp::from(sim.world.epoch);
  sim.start();
  sim.run_for(1);
  CHECK(sim.refused(Refusal::loop) == 1);
  sim.server.reference_time = {1};
  sim.run_for(17);
  CHECK(sim.samples.size() == 1);
}

TEST_CASE("minstratum and copy change what selection sees") {
  auto options = server_options();
  options.min_stratum = 5;
  Simulation low{options};
  low.start();
  low.run_for(1);
  CHECK(low.statuses.back().stratum == 5);
  CHECK(low.samples.back().stratum == 5);
  CHECK_FALSE(low.statuses.back().refid);

  options = server_options();
  options.copy = true;
  Simulation copy{options};
  copy.start();
  copy.run_for(1);
  CHECK(copy.statuses.back().stratum == 0);
  CHECK(copy.statuses.back().refid == 0x4750'5300U);
}

TEST_CASE("without the cookie of the request no packet ever gives a sample") {
  std::mt19937_64 random{20261123};
  auto options = server_options();
  options.xleave = true;
  Simulation sim{options, 3};
  sim.start();
  sim.run_for(60);  // interleaved by now
  const auto sent_before = sim.sends.size();
  while (sim.sends.size() == sent_before && sim.step()) {
  }
  sim.drop_arrivals();
  const auto samples = sim.samples.size();
  const Reply request = read_reply(sim.sends.back().bytes);
  REQUIRE(request.receive.value != 0);
  const auto sends = sim.sends.size();
  for (int i = 0; i < 200'000; ++i) {
    std::vector<std::byte> bytes(random() % 8 == 0 ? random() % 128 : 48);
    for (auto& b : bytes) b = static_cast<std::byte>(random());
    if (bytes.size() >= kHeaderLength) {
      if (random() % 2 == 0) store_u8(bytes.data(), flags(0, 4, Mode::server));
      if (random() % 2 == 0) store_u8(bytes.data() + offset::kStratum, 1);
      if (random() % 4 == 0) set_timestamp(bytes.data(), offset::kOrigin, request.origin);
      if (random() % 4 == 0) set_timestamp(bytes.data(), offset::kOrigin, {});
      const auto origin = timestamp(bytes.data(), offset::kOrigin);
      REQUIRE((origin != request.transmit && origin != request.receive));
    }
    sim.deliver(bytes);
  }
  CHECK(sim.samples.size() == samples);
  CHECK(sim.sends.size() == sends);
  CHECK_FALSE(sim.association.denied());
}
