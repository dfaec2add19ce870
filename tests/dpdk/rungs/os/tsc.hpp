// SPDX-License-Identifier: BSD-3-Clause
// Stands in for src/os/tsc.hpp where dpdk/worker.cpp, the same file, is to run in simulated time: compiled
// with this directory first in the include path it reads the counter of processor.hpp, which shows true time.
#pragma once

#include "base/time.hpp"

namespace wiretime::os {

[[nodiscard]] Ticks read_tsc() noexcept;  // rungs/processor.cpp
[[nodiscard]] inline Ticks read_tsc_ordered() noexcept {
  return read_tsc();
}
[[nodiscard]] inline bool tsc_is_invariant() noexcept {
  return true;
}

}  // namespace wiretime::os
