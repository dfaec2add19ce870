// SPDX-License-Identifier: BSD-3-Clause
#include "clock/delay_test.hpp"

#include <cmath>

namespace wiretime::clock {

namespace {
constexpr std::size_t kWindowForRatio = 3;
constexpr unsigned kSamplesForQuantile = 8;
}  // namespace

void QuantileEstimate::add(double x) {
  if (count_ == 0) {
    value_ = x;
  } else {
    step_ += (std::fabs(x - last_) - step_) / (count_ < 20 ? count_ : 20);
    value_ += (x > value_ ? p_ : p_ - 1) * step_ * 0.1;
  }
  last_ = x;
  ++count_;
}

void DelayTest::set_limits(const DelayLimits& limits) {
  if (limits.max_delay_quantile != limits_.max_delay_quantile)
    quantile_ = QuantileEstimate{limits.max_delay_quantile};
  limits_ = limits;
}

// A queue of length q moves the offset by q/2 at most. If the sample is further from the prediction than
// that, the delay is not what is wrong with it, and the news is kept.
bool DelayTest::deviates(const Sample& sample, const SourceStatistics& statistics) const {
  if (!statistics.ready() || statistics.spread() <= 0) return false;
  const double excess = (sample.peer_delay - statistics.min_delay()) / 2;
  const double age = seconds_between(statistics.window().back().time, sample.time);
  const double allowed = statistics.spread() * limits_.max_delay_deviation +
                         std::fabs(age) * (limits_.max_clock_error + statistics.estimate().skew);
  if (excess <= allowed) return false;
  return std::fabs(sample.offset - statistics.offset_at(sample.time)) - excess <= allowed;
}

DelayVerdict DelayTest::test(const Sample& sample, const SourceStatistics& statistics) {
  if (sample.peer_delay > limits_.max_delay) return DelayVerdict::too_long;
  if (limits_.max_delay_ratio > 0 && statistics.samples() >= kWindowForRatio &&
      sample.peer_delay > limits_.max_delay_ratio * statistics.min_delay())
    return DelayVerdict::above_ratio;
  if (limits_.max_delay_quantile > 0) {
    const double limit = quantile_.value();
    quantile_.add(sample.peer_delay);
    if (quantile_.count() > kSamplesForQuantile && sample.peer_delay > limit)
      return DelayVerdict::above_quantile;
  } else if (limits_.max_delay_deviation > 0) {
    refused_ = deviates(sample, statistics) ? refused_ + 1 : 0;
    if (refused_ > 0 && refused_ <= kRefusalsInARow) return DelayVerdict::above_deviation;
  }
  return DelayVerdict::accepted;
}

}  // namespace wiretime::clock
