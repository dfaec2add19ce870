// SPDX-License-Identifier: BSD-3-Clause
// Commands and connectivity: online, offline, burst, auto_offline, a new address.
#include "catch.hpp"
#include "ntp/association.hpp"
#include "ntp/simulated_source.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::Simulation;

namespace {

SourceOptions server_options(int min_poll = 6, int max_poll = 10) {
  SourceOptions options;
  options.min_poll = min_poll;
  options.max_poll = max_poll;
  return options;
}

}  // namespace

TEST_CASE("a source that starts offline waits for the online command") {
  auto options = server_options();
  options.offline = true;
  options.iburst = true;
  Simulation sim{options};
  sim.start();
  sim.run_for(1000);
  CHECK(sim.sent_at.empty());
  sim.carry_out(sim.association.go_online(sim.moment()));
  sim.run_for(20);
  CHECK(sim.sent_at.size() == 4);  // iburst again
  sim.carry_out(sim.association.go_offline());
  sim.run_for(1000);
  CHECK(sim.sent_at.size() == 4);
  CHECK_FALSE(sim.timer);
}

TEST_CASE("going offline during a burst lets the burst finish") {
  auto options = server_options();
  options.iburst = true;
  Simulation sim{options};
  sim.start();
  sim.run_for(1);
  sim.carry_out(sim.association.go_offline());
  CHECK(sim.association.connectivity() == Connectivity::burst_offline);
  sim.run_for(100);
  CHECK(sim.sent_at.size() == 4);
  CHECK(sim.went_offline == 1);
  CHECK(sim.association.connectivity() == Connectivity::offline);
}

TEST_CASE("an iburst that cannot be sent goes on until it can") {
  auto options = server_options();
  options.iburst = true;
  Simulation sim{options};
  sim.send_fails = true;
  sim.start();
  sim.run_for(100);
  CHECK(sim.association.connectivity() == Connectivity::burst_online);
  CHECK(sim.association.report().transmitted == 0);
  sim.send_fails = false;
  sim.run_for(10);
  CHECK(sim.association.connectivity() == Connectivity::online);
  CHECK(sim.samples.size() == 4);
}

TEST_CASE("the burst command works on an offline source and goes back to offline") {
  auto options = server_options();
  options.offline = true;
  Simulation sim{options};
  sim.start();
  sim.carry_out(sim.association.burst(sim.moment(), 2, 5));
  CHECK(sim.association.connectivity() == Connectivity::burst_offline);
  sim.run_for(100);
  CHECK(sim.sent_at.size() == 2);
  CHECK(sim.samples.size() == 2);
  CHECK(sim.association.connectivity() == Connectivity::offline);
  sim.lose = [] { return true; };
  sim.carry_out(sim.association.burst(sim.moment(), 2, 5));
  sim.run_for(100);
  CHECK(sim.sent_at.size() == 7);
  CHECK(sim.association.connectivity() == Connectivity::offline);
}

TEST_CASE("the answer to the last request of an offline burst still counts") {
  auto options = server_options();
  options.offline = true;
  Simulation sim{options};
  sim.forward = [] { return 1.0; };
  sim.start();
  sim.carry_out(sim.association.burst(sim.moment(), 3, 1));
  sim.run_for(100);
  CHECK(sim.sent_at.size() == 1);
  CHECK(sim.samples.size() == 1);
  CHECK(sim.association.connectivity() == Connectivity::offline);
}

TEST_CASE("online during the burst of an offline source keeps it online") {
  auto options = server_options();
  options.offline = true;
  Simulation sim{options};
  sim.start();
  sim.carry_out(sim.association.burst(sim.moment(), 2, 5));
  sim.run_for(1);
  sim.carry_out(sim.association.go_online(sim.moment()));
  sim.run_for(100);
  CHECK(sim.association.connectivity() == Connectivity::online);
  CHECK(sim.sent_at.size() >= 3);
}

TEST_CASE("auto_offline takes a source offline when a request cannot be sent") {
  for (const bool automatic : {true, false}) {
    auto options = server_options(4, 4);
    options.auto_offline = automatic;
    Simulation sim{options};
    sim.send_fails = true;
    sim.start();
    sim.run_for(100);
    CHECK(sim.went_offline == (automatic ? 1 : 0));
    CHECK(sim.timer.has_value() != automatic);
    CHECK(sim.association.report().transmitted == 0);
    sim.send_fails = false;
    sim.carry_out(sim.association.go_online(sim.moment()));
    sim.run_for(20);
    CHECK_FALSE(sim.samples.empty());
  }
}

TEST_CASE("a new address starts from nothing, and offline stays offline") {
  Simulation sim{server_options(4, 8)};
  sim.judgement.poll_change = 1;
  sim.start();
  sim.run_for(500);
  CHECK(sim.association.schedule().poll() == 8);
  sim.carry_out(sim.association.start(sim.moment()));
  CHECK(sim.association.schedule().poll() == 4);
  CHECK(sim.association.reach().bits() == 0);
  CHECK(sim.association.report().received == 0);
  sim.carry_out(sim.association.go_offline());
  sim.carry_out(sim.association.start(sim.moment()));
  CHECK(sim.association.connectivity() == Connectivity::offline);
  CHECK_FALSE(sim.timer);
}
