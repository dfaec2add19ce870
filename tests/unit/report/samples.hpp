// SPDX-License-Identifier: BSD-3-Clause
// Runs for tests: a server that answers up to `capacity` requests a second and drops what is above.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "perf/report/result.hpp"

namespace wiretime::report {

inline Run sample_run(const std::string& label, double capacity, double from = 1e4, double to = 1e7) {
  Run run{label, "sweep", "192.0.2.1:123", "af_packet eth1", "2026-11-23T10:30:00Z", "2 cores", 65536, 1, {}};
  for (double rate = from; rate <= to; rate *= 1.5) {
    Step step;
    step.offered_rate = rate;
    step.seconds = 2;
    step.sent = static_cast<std::uint64_t>(rate * 2);
    step.answered = static_cast<std::uint64_t>(std::min(rate, capacity) * 2);
    step.lost = step.sent - step.answered;
    step.checked = step.answered;
    const double queue = rate > capacity ? 40 : 1 / (1.02 - rate / capacity);
    const double p50 = 9000 + 2000 * queue;
    step.response_time = {p50, p50 * 1.3, p50 * 1.8, p50 * 3, p50 * 8, p50 * 20, step.answered};
    step.receive_to_transmit = {1200, 1300, 1500, 2500, 9000, 21000, step.answered};
    run.steps.push_back(step);
  }
  return run;
}

}  // namespace wiretime::report
