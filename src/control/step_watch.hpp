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
  // Once a second, and before anything is made of the clock: a measurement from after a step, shifted as if
  // it were from before, would lie in the future. Seconds by which the clock was set since the last call;
  // nothing when it was not.
  [[nodiscard]] std::optional<double> look(WallTime wall, Nanoseconds monotonic) {
    const Nanoseconds difference = wall.time_since_epoch() - monotonic;
    const std::optional<Nanoseconds> before = last_;
    last_ = difference;
    if (!before || std::chrono::abs(difference - *before) <= kLeast) return std::nullopt;
    return std::chrono::duration<double>(difference - *before).count();
  }
  // The same for a wall time read between two monotonic ones. If we lost the CPU in between, the times do not
  // belong together and the next look has to tell.
  [[nodiscard]] std::optional<double> look(Nanoseconds before, WallTime wall, Nanoseconds after) {
    return after - before < kLeast / 2 ? look(wall, after) : std::nullopt;
  }
  // We set it ourselves: the next look begins afresh.
  void forget() { last_.reset(); }

 private:
  // A second of slewing at the fastest moves the clock by a tenth of this.
  static constexpr Nanoseconds kLeast = std::chrono::milliseconds{500};
  std::optional<Nanoseconds> last_;
};

}  // namespace wiretime::control
