// SPDX-License-Identifier: BSD-3-Clause
#include "clock/smoothing.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr double kSkewToWander = 10'000;  // s: a clock known this well against the wander has settled
constexpr double kHalfSmear = 43'200;     // s, noon to midnight
constexpr double kDay = 86'400;           // s
constexpr double kLeastRate = 1e-12;      // s/s and s/s^2: against division by nothing

}  // namespace

Smoothing::Smoothing(const SmoothingConfig& config) : config_{config} {
  config_.max_frequency = std::max(config_.max_frequency, kLeastRate);
  config_.max_wander = std::max(config_.max_wander, kLeastRate);
  if (linear()) config_.leap_only = active_ = true;
}

Smoothing::State Smoothing::at(WallTime now) const {
  double elapsed = seconds_between(from_, now);
  State s{offset_, frequency_, 0, 0};
  if (linear()) {
    if (offset_ == 0 && elapsed <= 0) return {};  // not begun
    s.offset += s.frequency * elapsed;
    if (to_zero_) {
      if (s.offset * offset_ <= 0) return {};
      s.remaining = -s.offset / s.frequency;
    } else if (event_) {
      s.remaining = seconds_between(now, event_->midnight) + kHalfSmear + event_->inserted;
    }
    return s;
  }
  if (elapsed < 0) {  // a stamp taken just before the correction
    s.offset += s.frequency * elapsed;
    elapsed = 0;
  }
  bool found = false;  // the stage we are in
  for (const Stage& stage : stages_) {
    const double t = std::min(elapsed, stage.length);
    s.offset += t * (s.frequency + stage.wander * t / 2);
    s.frequency += stage.wander * t;
    s.remaining += stage.length - t;
    if (t < stage.length && !found) {
      found = true;
      s.wander = stage.wander;
    }
    elapsed -= t;
  }
  // At rest; what rounding left of hours of arithmetic is not to be served for ever.
  if (s.remaining == 0) return {};
  return s;
}

void Smoothing::plan() {
  const double w = config_.max_wander;
  const double v = config_.max_frequency;
  double d = -1;
  double l1 = 0;
  double l3 = 0;
  for (const double direction : {-1.0, 1.0}) {
    const double square = frequency_ * frequency_ / (2 * w * w) - direction * offset_ / w;
    if (square < 0) continue;
    d = direction;
    l3 = std::sqrt(square);
    l1 = l3 - d * frequency_ / w;
    if (l1 >= 0) break;
  }
  l1 = std::max(l1, 0.0);  // both directions are right and rounding says neither
  double l2 = 0;
  double first = d * w;
  if (w * l3 > v) {
    const double over = d * frequency_ - v;  // positive: a correction of the frequency took it beyond
    l1 = std::fabs(over) / w;
    if (over > 0) first = -first;
    const double way = -d * offset_;
    const double ends =
        over > 0 ? frequency_ * frequency_ / (2 * w) : (2 * v * v - frequency_ * frequency_) / (2 * w);
    l2 = std::max((way - ends) / v, 0.0);
    l3 = v / w;
  }
  stages_ = {Stage{first, l1}, Stage{0, l2}, Stage{-d * w, l3}};
}

bool Smoothing::corrected(const ClockChange& change, double skew) {
  if (!enabled()) return false;
  if (config_.leap_only || !active_) {
    shift(change);
    const bool settled = config_.leap_only || skew < kSkewToWander * config_.max_wander;
    return settled && activate(change.apply(change.at));
  }
  const State now = at(change.at);
  offset_ = now.offset - change.offset;
  frequency_ = (now.frequency - change.frequency) / (1 + change.frequency);
  from_ = change.apply(change.at);
  plan();
  return false;
}

void Smoothing::leap(WallTime before, double seconds) {
  if (!enabled() || !active_) return;
  const State now = at(before);
  from_ = advanced(before, seconds);
  if (!linear()) {
    offset_ = now.offset - seconds;
    frequency_ = now.frequency;
    plan();
    return;
  }
  if (!event_ || event_->over) return;  // nobody announced it: there is no smear to go on with
  event_->over = true;
  offset_ = now.offset - seconds;
  to_zero_ = true;
}

void Smoothing::shift(const ClockChange& change) {
  if (linear()) return;  // the smear is a matter of the time of day
  from_ = change.apply(from_);
}

void Smoothing::reset(WallTime now) {
  if (linear()) return;
  from_ = now;
  offset_ = frequency_ = 0;
  stages_ = {};
}

bool Smoothing::activate(WallTime now) {
  if (!enabled() || active_) return false;
  active_ = true;
  reset(now);
  return true;
}

void Smoothing::begin_smear(const LeapEvent& event, WallTime now) {
  const double s = event.inserted;
  const WallTime noon = advanced(event.midnight, -kHalfSmear);
  // Learned late while already serving: from here to the same end, a little faster, rather than with a step.
  from_ = unsmeared_at_ && *unsmeared_at_ > noon && !event.over ? now : noon;
  const double total = seconds_between(from_, event.midnight) + kHalfSmear + s;
  frequency_ = -s / total;
  // Over: the time went back by s in between, as the ramp sees it.
  offset_ = event.over ? s + frequency_ * s : 0;
  to_zero_ = event.over;
}

void Smoothing::follow(const std::optional<LeapEvent>& event, WallTime now) {
  if (!linear()) return;
  if (event) {
    if (event_ != event) begin_smear(*event, now);
    event_ = event;
    return;
  }
  unsmeared_at_ = now;
  if (!event_) return;
  if (!event_->over) {  // called off: back as slowly as it came
    const double left = at(now).offset;
    from_ = now;
    offset_ = left;
    frequency_ = left > 0 ? -1 / kDay : 1 / kDay;
    to_zero_ = true;
  }
  event_.reset();
}

}  // namespace wiretime::clock
