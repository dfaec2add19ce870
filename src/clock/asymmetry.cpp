// SPDX-License-Identifier: BSD-3-Clause
#include "clock/asymmetry.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr double kSymmetricShare = 0.2887;  // 1/sqrt(12): the error is uniform in +-1/2 of the excess
constexpr double kLeastShare = 0.02;
// Symmetric queues are taken for one-sided in 2 of 10,000 windows with these, one-sided ones found in all
// with other errors up to a fifth of the jitter.
constexpr std::size_t kSamples = 16;
constexpr double kOneSided = 0.4;
constexpr double kOneSidedSpread = 0.15;  // symmetric queues leave 0.29
constexpr double kNoLonger = 0.3;
constexpr double kNoLongerSpread = 0.25;
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
  double excess = window[0].excess * window[0].excess;
  for (std::size_t i = 1; i < window.size(); ++i) {
    const double x = window[i].excess - window[i - 1].excess;
    xx += x * x;
    xy += x * (window[i].residual - window[i - 1].residual);
    excess += window[i].excess * window[i].excess;
  }
  if (!(xx > 0)) return;
  const double slope = std::clamp(-xy / xx, -0.5, 0.5);
  double squares = 0;
  for (std::size_t i = 1; i < window.size(); ++i) {
    const double rest =
        window[i].residual - window[i - 1].residual + slope * (window[i].excess - window[i - 1].excess);
    squares += rest * rest;
  }
  const double n = static_cast<double>(window.size());
  spread_ = std::sqrt(squares / (2 * (n - 1)) / (excess / n));
  const bool same_side = slope * value_ > 0 || agreeing_ == 0;
  value_ = slope;
  if (in_use_) {
    in_use_ = std::fabs(slope) > kNoLonger && spread_ < kNoLongerSpread && same_side;
    if (!in_use_) agreeing_ = 0;
    return;
  }
  const bool one_sided = std::fabs(slope) > kOneSided && spread_ < kOneSidedSpread;
  agreeing_ = one_sided && same_side ? agreeing_ + 1 : 0;
  in_use_ = agreeing_ >= kAgreeing;
}

}  // namespace wiretime::clock
