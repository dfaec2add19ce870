// SPDX-License-Identifier: BSD-3-Clause
// Keeps a NIC's clock on our time: a PI controller whose start is adaptive. The first update knows the
// clock's rate and sets offset and frequency right at once; gains are high until the clock is there, then
// low. A rate that is far off later (the time itself is being slewed) is taken over as it is. Control thread;
// pure. Source: Astrom and Hagglund, PID Controllers, chapters 3.5 (windup) and 7.
#pragma once

#include "base/time.hpp"

namespace wiretime::clock {

class NicServo {
 public:
  // `max_adjustment`: what the device can, s/s. `frequency`: what it is corrected by now.
  NicServo(double max_adjustment, double frequency)
      : max_adjustment_{max_adjustment}, base_{frequency}, frequency_{frequency} {}

  struct Action {
    double frequency = 0;  // s/s: what to set the device to
    double change = 0;     // s/s, from what it is now
    Nanoseconds step{0};   // forward for positive; 0: none
  };
  // `offset`: s, the clock ahead of the time. `rate`: s/s, how much faster it runs, as corrected now.
  // `interval`: s since the last update, about 1.
  [[nodiscard]] Action update(double interval, double offset, double rate);
  // The next update is the first.
  void restart() { state_ = State::start; }

  [[nodiscard]] double frequency() const { return frequency_; }
  [[nodiscard]] bool locked() const { return state_ == State::locked; }

 private:
  enum class State : unsigned char { start, pulling_in, locked };

  [[nodiscard]] Action act(double frequency, double step);

  double max_adjustment_;
  double base_;  // s/s, the integral
  double frequency_;
  State state_ = State::start;
  unsigned good_ = 0;  // updates in a row that found the clock where it should be
  unsigned lost_ = 0;  // and far off
};

}  // namespace wiretime::clock
