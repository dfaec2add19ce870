// SPDX-License-Identifier: BSD-3-Clause
// How the kernel's clock is being steered: base frequency, and the slew that removes a known error. "Raw" is
// what the kernel clock reads; "cooked" is raw plus the correction still being slewed in, our best estimate
// of the time. Control thread; pure: every call says what the raw clock reads.
#pragma once

#include <optional>

#include "clock/sample.hpp"

namespace wiretime::clock {

class ClockModel {
 public:
  // `frequency`: what the kernel clock is corrected by now, s/s, positive runs faster. `max_drift` bounds the
  // base frequency, `max_slew` the slew on top of it; both s/s.
  // `free_running` (-x): the kernel clock is never touched; cooked time alone carries every correction.
  ClockModel(double frequency, double max_drift, double max_slew, bool free_running = false);

  // s, to add to the raw clock for the time: positive while the clock is being advanced.
  [[nodiscard]] double correction(WallTime raw) const;
  [[nodiscard]] WallTime cooked(WallTime raw) const { return advanced(raw, correction(raw)); }

  [[nodiscard]] double frequency() const { return frequency_; }  // without the slew
  // What the kernel is to be set to, slew included. Changes only in the calls below.
  [[nodiscard]] double kernel_frequency() const {
    return free_running_ ? 0 : (1 + frequency_) * (1 + slew_rate_) - 1;
  }

  // Base frequency becomes (1 + frequency) (1 + change) - 1, bounded; returns the change made. The cooked
  // clock jumps by `offset`, which with what remained is slewed out in `duration` seconds or as fast as
  // allowed.
  double adjust(WallTime raw, double frequency_change, double offset, double duration);
  // Ends the slew; returns by how much the raw clock must be stepped for the time plus `offset` (free
  // running: 0).
  [[nodiscard]] double step(WallTime raw, double offset);
  // Somebody else stepped the raw clock, which would have read `before`, by `delta` s: what remained still
  // does.
  void moved(WallTime before, double delta);

  // When the slew ends and service() is due; nothing while no slew is on.
  [[nodiscard]] std::optional<WallTime> deadline() const;
  // At or after the deadline: true if the kernel frequency changed. A late call overshoots the correction;
  // what was too much is slewed back, so lateness costs no accuracy in the mean.
  bool service(WallTime raw);

 private:
  void start_slew(WallTime raw, double remaining, double duration);

  double frequency_;
  double max_drift_;
  double max_slew_;
  bool free_running_;
  WallTime start_{};          // raw, of the slew
  double remaining_ = 0;      // s, at start_
  double slew_rate_ = 0;      // s/s of base time
  double slew_duration_ = 0;  // s of cooked time
  double duration_ = 0;       // the same in raw time, from start_
};

}  // namespace wiretime::clock
