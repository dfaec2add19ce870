// SPDX-License-Identifier: BSD-3-Clause
// Long-term averages of the clock's frequency, over 2^min to 2^max seconds (`fallbackdrift`): when updates
// stop, the frequency in use may be the exception of an hour; after 2^n seconds without one, the average over
// that time is the better guess. Control thread; pure.
#pragma once

#include <optional>
#include <vector>

namespace wiretime::clock {

class FallbackDrift {
 public:
  // Powers of two, s; min 0 or above max: never a fallback.
  FallbackDrift(int min, int max);

  // At every update of the clock: the frequency (s/s) it ran at for the `interval` (s) before.
  void update(double frequency, double interval);
  struct Fallback {
    int power = 0;         // of two: s
    double frequency = 0;  // s/s
  };
  // `since_update` (s) has passed: the frequency to use from now on. Each is told once.
  [[nodiscard]] std::optional<Fallback> due(double since_update);

 private:
  struct Average {
    double frequency = 0;
    double covers = 0;  // s, at most its time constant
  };
  int min_;
  std::vector<Average> averages_;
  int used_ = -1;  // index of the longest one told since the last update
};

}  // namespace wiretime::clock
