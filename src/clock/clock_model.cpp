// SPDX-License-Identifier: BSD-3-Clause
#include "clock/clock_model.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

namespace {
constexpr double kNegligible = 0.5e-9;  // s: below what the kernel's clock shows
constexpr double kKernelLimit = 0.1;    // s/s: Linux changes its tick by a tenth at most
constexpr double kLeastSlew = 1e-4;     // s/s, always possible
constexpr double kMinDuration = 1e-3;   // s, of a slew: timers are not better
}  // namespace

ClockModel::ClockModel(double frequency, double max_drift, double max_slew, bool free_running)
    : frequency_{std::clamp(frequency, -max_drift, max_drift)},
      max_drift_{max_drift},
      max_slew_{max_slew},
      free_running_{free_running} {}

double ClockModel::correction(WallTime raw) const {
  if (free_running_) return remaining_ + seconds_between(start_, raw) * frequency_;
  if (slew_rate_ == 0) return remaining_;
  // slew_rate_ is relative to the base clock; while it runs, raw time passes (1 + slew_rate_) as fast.
  return remaining_ - seconds_between(start_, raw) * slew_rate_ / (1 + slew_rate_);
}

void ClockModel::start_slew(WallTime raw, double remaining, double duration) {
  start_ = raw;
  remaining_ = remaining;
  if (free_running_ || std::fabs(remaining) < kNegligible) {
    slew_rate_ = 0;
    duration_ = 0;
    return;
  }
  const double room = (kKernelLimit - std::fabs(frequency_)) / (1 + std::fabs(frequency_));
  const double fastest = std::min(max_slew_, std::max(room, kLeastSlew));
  slew_duration_ = std::max({duration, kMinDuration, std::fabs(remaining) / fastest});
  slew_rate_ = remaining / slew_duration_;
  duration_ = slew_duration_ * (1 + slew_rate_);
}

double ClockModel::adjust(WallTime raw, double frequency_change, double offset, double duration) {
  const double remaining = correction(raw) + offset;
  const double wanted = (1 + frequency_) * (1 + frequency_change) - 1;
  const double bounded = std::clamp(wanted, -max_drift_, max_drift_);
  const double change = (1 + bounded) / (1 + frequency_) - 1;
  frequency_ = bounded;
  start_slew(raw, remaining, duration);
  return change;
}

double ClockModel::step(WallTime raw, double offset) {
  if (free_running_) {
    start_slew(raw, correction(raw) + offset, 0);
    return 0;
  }
  const double amount = correction(raw) + offset;
  start_slew(advanced(raw, amount), 0, 0);
  return amount;
}

void ClockModel::moved(WallTime before, double delta) {
  duration_ -= seconds_between(start_, before);
  remaining_ = correction(before);
  start_ = advanced(before, delta);
}

std::optional<WallTime> ClockModel::deadline() const {
  if (slew_rate_ == 0) return std::nullopt;
  return advanced(start_, duration_);
}

bool ClockModel::service(WallTime raw) {
  const auto end = deadline();
  if (!end || raw < *end) return false;
  start_slew(raw, correction(raw), slew_duration_);
  return true;
}

}  // namespace wiretime::clock
