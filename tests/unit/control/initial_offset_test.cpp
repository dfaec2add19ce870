// SPDX-License-Identifier: BSD-3-Clause
// initstepslew: the clock is measured and set right before the configured sources start.
#include <cmath>

#include "catch.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;
using namespace std::chrono_literals;

namespace {

std::function<void(Settings&)> init(double threshold, std::vector<std::string> hosts) {
  return [=](Settings& s) { s.init_step_slew = {Seconds{threshold}, hosts}; };
}

}  // namespace

TEST_CASE("initstepslew steps above its threshold, then the configured sources start") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, init(1, {"192.0.2.8", "192.0.2.9"}));
  for (const char* a : {"192.0.2.1", "192.0.2.8", "192.0.2.9"}) w->servers[ip(a)] = {};
  w->kernel_offset = -30;
  w->manager->start();
  CHECK(w->manager->source_count() == 2);
  w->run(9s);
  CHECK(w->real->steps == 1);
  CHECK(w->real->stepped == Approx(30).margin(1e-3));
  CHECK(w->said("System's initial offset : 30.00"));
  CHECK(w->said("seconds slow of true (step)"));
  CHECK_FALSE(w->said("Selected source 192.0.2.8"));
  REQUIRE(w->manager->source_count() == 1);
  CHECK(w->manager->source_name(at("192.0.2.1")));
  w->run(20s);
  CHECK(w->said("Selected source 192.0.2.1"));
  CHECK_FALSE(w->said("Can't synchronise"));
}

TEST_CASE("initstepslew slews below its threshold") {
  const auto w = real_world({}, ClockUse::follow, init(10, {"192.0.2.8"}));
  w->servers[ip("192.0.2.8")] = {};
  w->kernel_offset = 0.5;
  w->manager->start();
  w->run(30s);
  CHECK(w->real->steps == 0);
  CHECK(w->said("seconds fast of true (slew)"));
  CHECK(std::fabs(w->kernel_offset) < 1e-3);
  CHECK(w->manager->source_count() == 0);
}

TEST_CASE("initstepslew goes on without an answer, and without a resolver") {
  const auto silent = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, init(1, {"192.0.2.8"}));
  silent->manager->start();
  silent->run(20s);
  CHECK(silent->said("No suitable source for initstepslew"));
  CHECK(silent->manager->source_name(at("192.0.2.1")));
  const auto nameless = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, init(1, {"ntp.example"}));
  nameless->manager->start();
  for (int i = 0; i < 31; ++i) {
    nameless->run(1s);
    nameless->manager->every_second();
  }
  CHECK(nameless->said("No suitable source for initstepslew"));
  CHECK(nameless->manager->source_name(at("192.0.2.1")));
  CHECK(nameless->real->steps == 0);
}

TEST_CASE("initstepslew does nothing with -R and with a threshold of 0") {
  const auto restarted = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, init(1, {"192.0.2.8"}),
                                    [](SourceManager::Options& o) { o.restarted = true; });
  restarted->manager->start();
  CHECK(restarted->manager->source_name(at("192.0.2.1")));
  const auto zero = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, init(0, {"192.0.2.8"}));
  zero->manager->start();
  CHECK(zero->manager->source_name(at("192.0.2.1")));
}
