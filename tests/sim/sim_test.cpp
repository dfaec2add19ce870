// SPDX-License-Identifier: BSD-3-Clause
// Every scenario on three seeds: its limit holds in the median, its sources end as expected. `sim -n 20` is
// the long version.
#include "catch.hpp"
#include "sim/scenarios.hpp"

using namespace wiretime::sim;

TEST_CASE("simulated clocks stay within their limits") {
  for (const Scenario& scenario : all_scenarios()) {
    const Summary s = run_seeds(scenario, 3);
    INFO(scenario.name << ": " << scenario.what << "; states " << s.states);
    CHECK(s.median <= scenario.limit);
    CHECK(s.unexpected == 0);
    CHECK(s.first_correction > 0);
    // Lost requests of the initial burst are not repeated early.
    if (scenario.config.sources[0].path.loss == 0) CHECK(s.first_correction < 10);
  }
}

TEST_CASE("a run repeats exactly with the same seed and differs with another") {
  const Scenario scenario = all_scenarios().at(1);
  const double first = Client{scenario.config, 7}.run().rms_error;
  CHECK(Client{scenario.config, 7}.run().rms_error == first);
  CHECK(Client{scenario.config, 8}.run().rms_error != first);
}
