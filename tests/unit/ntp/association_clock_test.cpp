// SPDX-License-Identifier: BSD-3-Clause
// Exchanges while the local clock is corrected, jumps, or passes the end of an era.
#include "catch.hpp"
#include "ntp/association.hpp"
#include "ntp/simulated_source.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::Simulation;

namespace {

SourceOptions server_options(bool xleave = false) {
  SourceOptions options;
  options.min_poll = 4;
  options.max_poll = 4;
  options.xleave = xleave;
  return options;
}

}  // namespace

TEST_CASE("a step of the clock between request and reply leaves no trace in the sample") {
  for (const bool xleave : {false, true}) {
    Simulation sim{server_options(xleave)};
    sim.start();
    sim.run_for(50);
    const auto sends = sim.sends.size();
    while (sim.sends.size() == sends && sim.step()) {
    }
    const WallTime before = sim.world.local_time(sim.world.now);
    sim.world.local_offset += 5.0;
    sim.association.shift(before, 0, 5.0);
    const auto samples = sim.samples.size();
    sim.run_for(10);
    REQUIRE(sim.samples.size() == samples + 1);
    CHECK(sim.samples.back().offset == Approx(-5).margin(1e-8));
    CHECK(sim.samples.back().peer_delay == Approx(2e-3).margin(1e-8));
  }
}

TEST_CASE("a change of frequency moves kept stamps to where the corrected clock would have put them") {
  Simulation sim{server_options(true)};
  sim.start();
  sim.run_for(50);
  const auto sends = sim.sends.size();
  while (sim.sends.size() == sends && sim.step()) {
  }
  // The previous exchange, 16 s ago, is measured with the next reply.
  const double change = 1e-3;
  const WallTime before = sim.world.local_time(sim.world.now);
  sim.association.shift(before, change, 0);
  const auto samples = sim.samples.size();
  while (sim.samples.size() == samples && sim.step()) {
  }
  const double age = clock::seconds_between(sim.samples.back().time, before);
  CHECK(age > 16);
  CHECK(sim.samples.back().offset == Approx(change * age).epsilon(0.002));
}

TEST_CASE("after a jump of unknown size nothing from before it is measured") {
  for (const bool xleave : {false, true}) {
    for (const bool under_way : {false, true}) {
      Simulation sim{server_options(xleave)};
      sim.start();
      sim.run_for(50);
      const auto sends = sim.sends.size();
      while (under_way && sim.sends.size() == sends && sim.step()) {
      }
      const auto samples = sim.samples.size();
      sim.world.local_offset += 1;  // short enough to pass as a long delay
      sim.association.clock_lost();
      sim.run_for(5);
      CHECK(sim.samples.size() == samples);
      sim.run_for(40);
      REQUIRE(sim.samples.size() > samples);
      for (std::size_t i = samples; i < sim.samples.size(); ++i)
        CHECK(sim.samples[i].offset == Approx(-1).margin(1e-8));
    }
  }
}

TEST_CASE("the end of the NTP era in 2036 passes without a mark") {
  for (const bool xleave : {false, true}) {
    Simulation sim{server_options(xleave)};
    sim.world.epoch = WallTime{std::chrono::seconds{2'085'978'496 - 100}};
    sim.world.local_offset = 30;
    sim.start();
    sim.run_for(300);
    REQUIRE(sim.samples.size() >= 18);
    for (const auto& s : sim.samples) CHECK(s.offset == Approx(-30).margin(1e-8));
  }
}

TEST_CASE("a clock at 1970 finds a server in 2040") {
  Simulation sim{server_options()};
  sim.world.epoch = WallTime{std::chrono::seconds{2'240'000'000}};
  sim.world.local_offset = -2'240'000'000.0 + 60;
  sim.start();
  sim.run_for(50);
  REQUIRE_FALSE(sim.samples.empty());
  for (const auto& s : sim.samples) CHECK(s.offset == Approx(2'240'000'000.0 - 60).margin(1e-5));
}
