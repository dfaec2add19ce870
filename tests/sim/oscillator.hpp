// SPDX-License-Identifier: BSD-3-Clause
// A simulated kernel clock: an oscillator with frequency error and random-walk wander, counted by a clock
// whose frequency can be set and which can be stepped. True time is a double in seconds from 0; exact to
// 1e-11 s for a simulated day.
#pragma once

#include <cmath>
#include <random>

#include "clock/sample.hpp"

namespace wiretime::sim {

struct OscillatorConfig {
  double offset = 0.1;        // s, the clock is ahead by this at time 0
  double frequency = 100e-6;  // s/s, the clock is fast by this
  double wander = 1e-9;       // s/s each second: standard deviation of the random walk
  WallTime start{std::chrono::seconds{1'800'000'000}};  // of true time 0
};

class Oscillator {
 public:
  Oscillator(const OscillatorConfig& config, std::mt19937_64& random)
      : random_{random},
        start_{config.start},
        wander_{config.wander},
        frequency_{config.frequency},
        error_{config.offset} {}

  void advance(double to) {
    while (now_ < to) {
      const double next = std::min(to, next_wander_);
      error_ += (next - now_) * rate();
      now_ = next;
      if (now_ < next_wander_) continue;
      next_wander_ += 1;
      if (wander_ > 0) frequency_ += wander_ * normal_(random_);
    }
  }
  [[nodiscard]] double now() const { return now_; }
  // s, what the clock shows minus true time.
  [[nodiscard]] double error() const { return error_; }
  // s/s, of the clock against true time, corrections included.
  [[nodiscard]] double rate() const { return (1 + frequency_) * (1 + correction_) - 1; }
  [[nodiscard]] WallTime read() const { return clock::advanced(start_, now_ + error_); }

  void set_frequency(double correction) { correction_ = correction; }
  void step(double by) { error_ += by; }
  void disturb(double frequency) { frequency_ += frequency; }

 private:
  std::mt19937_64& random_;
  std::normal_distribution<double> normal_;
  WallTime start_;
  double wander_;
  double frequency_;
  double correction_ = 0;
  double error_;
  double now_ = 0;
  double next_wander_ = 1;
};

}  // namespace wiretime::sim
