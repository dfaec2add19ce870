// SPDX-License-Identifier: BSD-3-Clause
#include "clock/nic_servo.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr double kFirstStep = 20e-6;  // s: less is slewed even in the beginning
constexpr double kStep = 1e-3;        // s: more than any update finds unless the time itself was set
constexpr unsigned kLost = 2;         // updates in a row that far off
constexpr double kRateOff = 2e-6;     // s/s
constexpr double kThere = 200e-9;     // s
constexpr unsigned kGood = 5;
// Proportional and integral gain, of an offset and a second. Pulling in: critically damped within seconds.
// Locked: an offset is gone in some 20 s, and readings' noise is divided by ten.
constexpr double kFastP = 0.7, kFastI = 0.3;
constexpr double kSlowP = 0.2, kSlowI = 0.01;

}  // namespace

NicServo::Action NicServo::act(double frequency, double step) {
  const double wanted = std::clamp(frequency, -max_adjustment_, max_adjustment_);
  base_ = std::clamp(base_, -max_adjustment_, max_adjustment_);
  const double change = (1 + wanted) / (1 + frequency_) - 1;
  frequency_ = wanted;
  return {wanted, change, Nanoseconds{std::llround(step * 1e9)}};
}

NicServo::Action NicServo::update(double interval, double offset, double rate) {
  const double far = std::fabs(offset);
  lost_ = far > kStep ? lost_ + 1 : 0;
  if (state_ == State::start || lost_ >= kLost) {
    const bool set = far > kFirstStep;
    state_ = State::pulling_in;
    good_ = lost_ = 0;
    base_ = (1 + frequency_) / (1 + rate) - 1;
    return act(set ? base_ : base_ - kFastP * offset, set ? -offset : 0);
  }
  if (lost_ != 0) return act(frequency_, 0);  // once is nothing
  if (std::fabs(rate) > kRateOff) {
    base_ = (1 + frequency_) / (1 + rate) - 1;
    state_ = State::pulling_in;
  }
  good_ = far < kThere ? good_ + 1 : 0;
  if (good_ >= kGood) state_ = State::locked;
  if (far > 10 * kThere) state_ = State::pulling_in;
  const bool slow = state_ == State::locked;
  const double seconds = std::clamp(interval, 0.1, 10.0);
  base_ -= (slow ? kSlowI : kFastI) * offset * std::min(seconds, 1.0);
  return act(base_ - (slow ? kSlowP : kFastP) * offset / std::max(seconds, 1.0), 0);
}

}  // namespace wiretime::clock
