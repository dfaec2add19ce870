// SPDX-License-Identifier: BSD-3-Clause
// How queues are divided between the two directions of a path (`asymmetry`): if all the jitter is on one of
// them, as on an access line that is busy one way, a sample's error is half of its excess delay, known in
// sign, and can be taken off. Found by regression of residuals on excess delay, from one sample to the next so
// that slow errors of the estimate, which a busy path and rare polls make large, do not count; given up when
// that no longer holds. Control thread; pure.
#pragma once

#include <optional>
#include <span>

namespace wiretime::clock {

struct DelayResidual {
  double excess = 0;    // s, delay above the least
  double residual = 0;  // s, measured offset minus the estimated
};

class Asymmetry {
 public:
  // `fixed`: -0.5 (all jitter on the way to the source) to +0.5 (all on the way back); not given: estimated.
  explicit Asymmetry(std::optional<double> fixed = std::nullopt) : fixed_{fixed} {}

  // After each sample, all of the window in the order of time.
  void observe(std::span<const DelayResidual> window);
  // To be multiplied with the excess delay and added to a measured offset.
  [[nodiscard]] double value() const { return fixed_ ? *fixed_ : in_use_ ? value_ : 0; }
  // Standard deviation of a corrected offset, in excess delays: 1/sqrt(12) without a known asymmetry.
  [[nodiscard]] double share() const;
  void reset();

 private:
  std::optional<double> fixed_;
  double value_ = 0;
  double spread_ = 0;  // of residuals about the correction, in excess delays
  bool in_use_ = false;
  unsigned agreeing_ = 0;  // observations in a row that show nearly all jitter on the same side
};

}  // namespace wiretime::clock
