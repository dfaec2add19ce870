// SPDX-License-Identifier: BSD-3-Clause
// The core's ticks against time, and how many replies a core has time to check. Control thread.
#pragma once

#include "perf/wireload/verify.hpp"

namespace wiretime::load {

[[nodiscard]] double ticks_per_second();
[[nodiscard]] OwnClock read_own_clock();

// Of so many replies a second; measured on one core of 2.6 GHz.
[[nodiscard]] constexpr double automatic_check_share(double replies_per_second) noexcept {
  return replies_per_second < 5e6 ? 1.0 : replies_per_second < 10e6 ? 1.0 / 4 : 1.0 / 16;
}

}  // namespace wiretime::load
