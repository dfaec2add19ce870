// SPDX-License-Identifier: BSD-3-Clause
// Notices that somebody else set the clock: wall time and monotonic time no longer agree. Control thread;
// pure.
#pragma once

#include <chrono>
#include <optional>

#include "base/time.hpp"

namespace wiretime::control {

class StepWatch {
 public:
  // Once a second. Seconds by which the clock was set since the last call; nothing when it was not.
  [[nodiscard]] std::optional<double> look(WallTime wall, Nanoseconds monotonic) {
    const Nanoseconds difference = wall.time_since_epoch() - monotonic;
    const std::optional<Nanoseconds> before = last_;
    last_ = difference;
    if (!before || std::chrono::abs(difference - *before) <= kLeast) return std::nullopt;
    return std::chrono::duration<double>(difference - *before).count();
  }
  // We set it ourselves: the next look begins afresh.
  void forget() { last_.reset(); }

 private:
  // A second of slewing at the fastest moves the clock by a tenth of this.
  static constexpr Nanoseconds kLeast = std::chrono::milliseconds{500};
  std::optional<Nanoseconds> last_;
};

}  // namespace wiretime::control
