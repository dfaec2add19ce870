// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/timing.hpp"

#include <rte_cycles.h>

#include <chrono>

#include "os/tsc.hpp"

namespace wiretime::load {

double ticks_per_second() {
  return static_cast<double>(rte_get_tsc_hz());
}

OwnClock read_own_clock() {
  const auto before = os::read_tsc().value;
  const auto now = std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now());
  const auto after = os::read_tsc().value;
  return OwnClock::at(before + (after - before) / 2, NtpTimestamp::from(now), ticks_per_second());
}

}  // namespace wiretime::load
