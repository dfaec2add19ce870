// SPDX-License-Identifier: BSD-3-Clause
// The core's ticks against time. Control thread.
#pragma once

#include "perf/wireload/verify.hpp"

namespace wiretime::load {

[[nodiscard]] double ticks_per_second();
[[nodiscard]] OwnClock read_own_clock();

}  // namespace wiretime::load
