// SPDX-License-Identifier: BSD-3-Clause
// Which samples are thrown away because their packets took too long: maxdelay, maxdelayratio,
// maxdelaydevratio, maxdelayquant. Control thread; pure.
#pragma once

#include <cstdint>

#include "clock/source_statistics.hpp"

namespace wiretime::clock {

struct DelayLimits {
  double max_delay = 3;             // s
  double max_delay_ratio = 0;       // to the least delay of the window; 0: off
  double max_delay_deviation = 10;  // maxdelaydevratio; 0: off
  double max_delay_quantile = 0;    // 0.05..0.95 turns the deviation test off; 0: off
  double max_clock_error = 1e-6;    // s/s
};

enum class DelayVerdict : std::uint8_t { accepted, too_long, above_ratio, above_deviation, above_quantile };

// Estimates a quantile of a stream without keeping it: moves up by p and down by 1 - p times a step that
// follows the mean distance between samples (stochastic approximation, Robbins and Monro 1951).
class QuantileEstimate {
 public:
  explicit QuantileEstimate(double p) : p_{p} {}
  void add(double x);
  [[nodiscard]] double value() const { return value_; }
  [[nodiscard]] unsigned count() const { return count_; }

 private:
  double p_;
  double value_ = 0;
  double last_ = 0;
  double step_ = 0;
  unsigned count_ = 0;
};

class DelayTest {
 public:
  explicit DelayTest(const DelayLimits& limits) : limits_{limits}, quantile_{limits.max_delay_quantile} {}

  // `statistics`: the window without this sample. Learns the quantile from every sample.
  [[nodiscard]] DelayVerdict test(const Sample& sample, const SourceStatistics& statistics);
  void set_limits(const DelayLimits& limits);  // chronyc maxdelay and its kin

 private:
  // A path that stays long has been rerouted, or holdover would never end.
  static constexpr unsigned kRefusalsInARow = 16;

  [[nodiscard]] bool deviates(const Sample& sample, const SourceStatistics& statistics) const;

  DelayLimits limits_;
  QuantileEstimate quantile_;
  unsigned refused_ = 0;  // in a row, for deviation
};

}  // namespace wiretime::clock
