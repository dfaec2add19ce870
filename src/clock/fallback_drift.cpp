// SPDX-License-Identifier: BSD-3-Clause
#include "clock/fallback_drift.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

FallbackDrift::FallbackDrift(int min, int max) : min_{min} {
  if (min > 0 && max >= min) averages_.resize(static_cast<std::size_t>(max - min) + 1);
}

void FallbackDrift::update(double frequency, double interval) {
  used_ = -1;
  if (!(interval > 0)) return;
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    Average& a = averages_[i];
    const double constant = std::ldexp(1.0, min_ + static_cast<int>(i));
    // The plain mean until it covers its time, the exponential one with that time constant from then on.
    const double gain =
        a.covers < constant ? interval / (a.covers + interval) : 1 - std::exp(-interval / constant);
    a.frequency += gain * (frequency - a.frequency);
    a.covers = std::min(a.covers + interval, constant);
  }
}

std::optional<FallbackDrift::Fallback> FallbackDrift::due(double since_update) {
  int found = -1;
  for (int i = 0; i < static_cast<int>(averages_.size()); ++i) {
    const double constant = std::ldexp(1.0, min_ + i);
    if (since_update < constant) break;
    if (averages_[static_cast<std::size_t>(i)].covers >= constant) found = i;
  }
  if (found <= used_) return std::nullopt;
  used_ = found;
  return Fallback{min_ + found, averages_[static_cast<std::size_t>(found)].frequency};
}

}  // namespace wiretime::clock
