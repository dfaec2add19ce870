// SPDX-License-Identifier: BSD-3-Clause
#include "clock/leap_schedule.hpp"

namespace wiretime::clock {

namespace {

using namespace std::chrono_literals;

constexpr Nanoseconds kClose = 5s;
constexpr Nanoseconds kKernelNotice = 500ms;  // before the kernel acts
constexpr Nanoseconds kSettled = 2s;          // after midnight, when the second that was repeated has passed
constexpr Nanoseconds kHalfSmear = 12h;

int inserted_by(Leap leap) {
  return leap == Leap::insert ? 1 : leap == Leap::remove ? -1 : 0;
}

}  // namespace

void LeapSchedule::update(std::optional<Leap> announced, WallTime now) {
  // Around the leap second what day it is depends on whom one asks: leave everything as it was decided.
  if (is_close(now)) return;
  Leap leap = announced.value_or(Leap::none);
  if (announced && table_) {
    if (leap != Leap::insert && leap != Leap::remove) leap = table_->leap_at_end_of_day(now);
    tai_offset_ = table_->tai_offset(now);
  }
  if ((leap != Leap::insert && leap != Leap::remove) || !may_end_with_leap(now)) leap = Leap::none;
  due_ = leap;
  corrected_ = false;
  state_ = leap == Leap::none ? State::idle : State::pending;
  if (leap == Leap::none) return;
  midnight_ = start_of_day(now) + kOneDay;
  last_ = 0;
}

bool LeapSchedule::is_close(WallTime t) const {
  if (state_ == State::idle && last_ == 0) return false;
  return t >= midnight_ - kClose && t < midnight_ + kClose;
}

std::optional<LeapEvent> LeapSchedule::event(WallTime now) const {
  if (due_ != Leap::none) return LeapEvent{midnight_, inserted_by(due_), corrected_};
  if (last_ != 0 && now >= midnight_ - kClose && now - midnight_ < kHalfSmear)
    return LeapEvent{midnight_, last_, true};
  if (!table_) return std::nullopt;
  const LeapTable::Entry* const before = table_->last_before(now);
  if (before == nullptr || now - before->from >= kHalfSmear) return std::nullopt;
  return LeapEvent{before->from, inserted_by(before->leap), true};
}

WallTime LeapSchedule::instant() const {
  const WallTime at = due_ == Leap::remove ? midnight_ - 1s : midnight_;
  return mode_ == LeapMode::system ? at - kKernelNotice : at;
}

std::optional<WallTime> LeapSchedule::deadline() const {
  switch (state_) {
    case State::idle:
      break;
    case State::pending:
      return instant();
    case State::in_progress:
      return midnight_ + kSettled;
  }
  return std::nullopt;
}

LeapSchedule::Step LeapSchedule::service(WallTime now) {
  const auto due = deadline();
  if (!due || now < *due) return Step::none;
  if (state_ == State::pending) {
    state_ = State::in_progress;
    if (mode_ == LeapMode::system) return Step::wait;
    corrected_ = true;
    return Step::correct;
  }
  state_ = State::idle;
  last_ = inserted_by(due_);
  due_ = Leap::none;
  corrected_ = false;
  if (table_)
    tai_offset_ = table_->tai_offset(now);
  else if (tai_offset_ != 0)
    tai_offset_ += last_;
  return Step::end;
}

}  // namespace wiretime::clock
