// SPDX-License-Identifier: BSD-3-Clause
#include "clock/asymmetry.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr double kSymmetricShare = 0.2887;  // 1/sqrt(12): the error is uniform in +-1/2 of the excess
constexpr double kLeastShare = 0.02;
// Symmetric queues give 0 +- 0.07 with this many samples: the limits lie five deviations away.
constexpr std::size_t kSamples = 16;
constexpr double kOneSided = 0.4;
constexpr double kNoLonger = 0.3;
constexpr unsigned kAgreeing = 8;

}  // namespace

void Asymmetry::reset() {
  in_use_ = false;
  agreeing_ = 0;
  value_ = 0;
}

double Asymmetry::share() const {
  return in_use_ && !fixed_ ? std::clamp(spread_, kLeastShare, kSymmetricShare) : kSymmetricShare;
}

void Asymmetry::observe(std::span<const DelayResidual> window) {
  if (fixed_ || window.size() < kSamples) return;
  double xx = 0;
  double xy = 0;
  for (const DelayResidual& d : window) {
    xx += d.excess * d.excess;
    xy += d.excess * d.residual;
  }
  if (!(xx > 0)) return;
  const double slope = std::clamp(-xy / xx, -0.5, 0.5);
  double squares = 0;
  for (const DelayResidual& d : window) {
    const double rest = d.residual + slope * d.excess;
    squares += rest * rest;
  }
  spread_ = std::sqrt(squares / xx);
  const bool same_side = slope * value_ > 0 || agreeing_ == 0;
  value_ = slope;
  if (in_use_) {
    in_use_ = std::fabs(slope) > kNoLonger && same_side;
    if (!in_use_) agreeing_ = 0;
    return;
  }
  agreeing_ = std::fabs(slope) > kOneSided && same_side ? agreeing_ + 1 : 0;
  in_use_ = agreeing_ >= kAgreeing;
}

}  // namespace wiretime::clock
