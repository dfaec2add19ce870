// SPDX-License-Identifier: BSD-3-Clause
// Every scenario on a few seeds: its limit holds in the median, its end is as expected. `sim -n 20` is the
// long version. [smoke]: what a build with sanitizers and without optimisation does in seconds.
#include "catch.hpp"
#include "sim/scenarios.hpp"

using namespace wiretime::sim;

namespace {

Scenario scenario(const std::string& name) {
  for (const Scenario& s : all_scenarios())
    if (s.name == name) return s;
  throw std::invalid_argument(name);
}

}  // namespace

TEST_CASE("simulated clocks stay within their limits") {
  for (const Scenario& scenario : all_scenarios()) {
    const Summary s = run_seeds(scenario, 3);
    INFO(scenario.name << ": " << scenario.what << "; ends with " << s.end);
    CHECK(s.median <= scenario.limit);
    CHECK(s.complaint == "");
    // The limits are chronyd's figures there; this many hundredths of them is what was reached.
    if (scenario.reference > 0) CHECK(s.median <= 0.75 * scenario.reference);
  }
}

TEST_CASE("a run repeats exactly with the same seed and differs with another", "[smoke]") {
  Scenario s = scenario("liar-of-3");
  s.duration = 2100;
  const double first = run(s, 7).rms_error;
  CHECK(run(s, 7).rms_error == first);
  CHECK(run(s, 8).rms_error != first);
}

TEST_CASE("a mesh of orphans, a chain, peers and a pool run", "[smoke]") {
  for (const char* name : {"orphans", "chain", "peers", "peers-xleave", "pool", "restart", "xleave"}) {
    Scenario s = scenario(name);
    s.duration = std::min(s.duration, 3000.0);
    s.count_from = 2000;
    s.events.clear();
    const RunResult r = run(s, 1);
    INFO(name);
    CHECK(r.wrong == "");
    CHECK(r.rms_error < 10 * s.limit);
  }
}
