// SPDX-License-Identifier: BSD-3-Clause
// The scenarios and their limits: what the simulator's table and the meson test run.
#pragma once

#include <string>
#include <vector>

#include "sim/client.hpp"

namespace wiretime::sim {

struct Scenario {
  std::string name;  // one word
  std::string what;  // a sentence for the table
  ClientConfig config;
  double limit = 0;      // s, of the median RMS error over the seeds
  std::string states;    // expected at the end, one selectdata letter a source ('?': any); empty: not checked
  double reference = 0;  // s, chronyd 4.3's figure where known; 0: unknown
};

[[nodiscard]] std::vector<Scenario> all_scenarios();

struct Summary {
  double median = 0;            // s, RMS error
  double worst = 0;             // s, RMS error of the worst seed
  double maximum = 0;           // s, largest error of any seed
  double frequency = 0;         // s/s, median RMS
  double poll = 0;              // log2 s, median
  double first_correction = 0;  // s, latest of the seeds
  unsigned unexpected = 0;      // seeds whose sources ended in other states
  std::string states;           // of the last seed
};

[[nodiscard]] Summary run_seeds(const Scenario& scenario, unsigned seeds);

}  // namespace wiretime::sim
