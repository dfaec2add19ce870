// SPDX-License-Identifier: BSD-3-Clause
// A simulated machine's clocks: an oscillator with frequency error and random-walk wander, counted by a
// kernel clock that can be stepped and whose frequency can be set, and by a monotonic clock that takes the
// frequency and not the steps, as Linux's do. Reads are whole nanoseconds, as Linux's are.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>

#include "sim/timeline.hpp"

namespace wiretime::sim {

struct OscillatorConfig {
  double offset = 0.1;        // s, the clock is ahead by this at time 0
  double frequency = 100e-6;  // s/s, the clock is fast by this
  double wander = 1e-9;       // s/s each second: standard deviation of the random walk
};

class Oscillator {
 public:
  Oscillator(const OscillatorConfig& config, WallTime start, std::uint64_t seed)
      : random_{seed},
        start_{start},
        wander_{config.wander},
        frequency_{config.frequency},
        error_{config.offset} {}

  void advance(TrueTime to) {
    while (now_ < to) {
      const TrueTime next = std::min(to, next_wander_);
      const double gained = seconds(next - now_) * rate();
      error_ += gained;
      monotonic_error_ += gained;
      now_ = next;
      if (now_ < next_wander_) continue;
      next_wander_ += std::chrono::seconds{1};
      if (wander_ > 0) frequency_ += wander_ * normal_(random_);
    }
  }
  // s, what the clock shows minus true time.
  [[nodiscard]] double error() const { return error_; }
  // s/s, of the clock against true time, corrections included.
  [[nodiscard]] double rate() const { return (1 + frequency_) * (1 + correction_) - 1; }
  [[nodiscard]] WallTime read() const { return start_ + shown(error_); }
  [[nodiscard]] Nanoseconds monotonic() const { return shown(monotonic_error_); }

  [[nodiscard]] double correction() const { return correction_; }
  void set_correction(double correction) { correction_ = correction; }
  void step(double by) { error_ += by; }
  void disturb(double frequency) { frequency_ += frequency; }

 private:
  [[nodiscard]] Nanoseconds shown(double error) const {
    return std::chrono::floor<Nanoseconds>(now_ + true_time(error));
  }

  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  WallTime start_;
  double wander_;
  double frequency_;
  double correction_ = 0;
  double error_;
  double monotonic_error_ = 0;
  TrueTime now_{0};
  TrueTime next_wander_ = std::chrono::seconds{1};
};

}  // namespace wiretime::sim
