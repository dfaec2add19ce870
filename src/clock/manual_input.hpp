// SPDX-License-Identifier: BSD-3-Clause
// Times typed in by somebody with a watch (chronyc settime): a clock without a source learns its offset and,
// from the second one on, its frequency. The line through them is Theil's and Sen's (Sen, JASA 63, 1968: the
// median of all slopes, the median of what remains), which one mistyped time does not move. Control thread;
// pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "clock/sample.hpp"

namespace wiretime::clock {

class ManualInput {
 public:
  static constexpr std::size_t kMostSamples = 16;  // then the oldest is dropped
  static constexpr double kLeastInterval = 1;      // s between two of them

  struct Sample {
    WallTime when{};      // local (cooked) clock
    double offset = 0;    // s, with the clock's corrections since
    double original = 0;  // s, as it was typed in
    double residual = 0;  // s, from the last line through all
  };
  // What the clock is to be changed by.
  struct Estimate {
    double offset = 0;     // s, now
    double frequency = 0;  // s/s
  };

  // nullopt: too soon after the last one, and not kept. The caller changes the clock and calls shift().
  [[nodiscard]] std::optional<Estimate> add(WallTime now, double offset);
  // nullopt: no such sample. What is left may say something else: change the clock as after add().
  [[nodiscard]] std::optional<Estimate> remove(std::size_t index, WallTime now);
  void reset() { samples_.clear(); }
  void shift(const ClockChange& change);

  [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }  // oldest first

 private:
  [[nodiscard]] Estimate estimate(WallTime now);

  std::vector<Sample> samples_;
};

}  // namespace wiretime::clock
