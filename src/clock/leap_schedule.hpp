// SPDX-License-Identifier: BSD-3-Clause
// A leap second from its announcement to its end: whether one is due at the end of this UTC day, when the
// clock is to be corrected for it and by whom, and when samples are not to be trusted. Unix time has no
// 23:59:60: with a second inserted the clock reaches 00:00:00 and goes back to 23:59:59, with one removed it
// goes from 23:59:58 to 00:00:00. Rules as chronyd's. Control thread; pure: every call says what the (cooked)
// time is.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "clock/leap.hpp"
#include "clock/smoothing.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::clock {

enum class LeapMode : std::uint8_t {
  system,  // the kernel steps its clock
  step,    // we do
  slew,    // the time changes at once, the kernel's clock slowly
  ignore,  // an error like any other
};

class LeapSchedule {
 public:
  explicit LeapSchedule(LeapMode mode) : mode_{mode} {}

  [[nodiscard]] LeapMode mode() const { return mode_; }
  // Empty: none, or no longer to be used.
  void set_table(std::optional<LeapTable> table) { table_ = std::move(table); }

  // At every update of the clock and at least once a second. `announced`: by the majority of the believed
  // sources, if the clock is synchronised; the table is asked where they announce none.
  void update(std::optional<Leap> announced, WallTime now);

  // Of this day: insert, remove or none. Also while the leap second is in progress.
  [[nodiscard]] Leap due() const { return due_; }
  // From shortly before the clock is corrected till shortly after: nobody can tell which second it is.
  [[nodiscard]] bool in_progress() const { return state_ == State::in_progress; }
  // Within a few seconds of a leap second: a sample may have one of its stamps on either side.
  [[nodiscard]] bool is_close(WallTime t) const;
  [[nodiscard]] int tai_offset() const { return tai_offset_; }  // s, TAI - UTC; 0: not known
  // By the table alone, whether or not the clock is known to be right.
  [[nodiscard]] int tai_offset_at(WallTime t) const { return table_ ? table_->tai_offset(t) : 0; }
  // By how much the leap second moves the clock: -1 s for one inserted.
  [[nodiscard]] double correction() const { return due_ == Leap::insert ? -1 : due_ == Leap::remove ? 1 : 0; }
  // That of this half day, or of the next.
  [[nodiscard]] std::optional<LeapEvent> event(WallTime now) const;

  // When service() is due; never before update() said that there is something to come.
  [[nodiscard]] std::optional<WallTime> deadline() const;
  enum class Step : std::uint8_t {
    none,
    wait,     // system: the kernel corrects its clock within the next second
    correct,  // the time is to change by correction() now, as mode() says; ignore: not at all
    end,      // it is over: due() is none from now on
  };
  // At or after the deadline, and again until it says none.
  [[nodiscard]] Step service(WallTime now);

 private:
  enum class State : std::uint8_t { idle, pending, in_progress };
  [[nodiscard]] WallTime instant() const;

  LeapMode mode_;
  std::optional<LeapTable> table_;
  State state_ = State::idle;
  Leap due_ = Leap::none;
  WallTime midnight_{};  // UTC, of the last leap second that was due
  bool corrected_ = false;
  int last_ = 0;  // s inserted at midnight_, once it is over; 0: none so far
  int tai_offset_ = 0;
};

}  // namespace wiretime::clock
