// SPDX-License-Identifier: BSD-3-Clause
// Time that is easy to follow for those we serve (`smoothtime`): served = time + offset(), where the offset
// takes up every correction of the clock at once and then returns to zero slowly, so that what is served has
// neither steps nor sudden changes of rate. Control thread; pure: every call says what the time is.
//
// Quadratic, as chronyd's: with w the largest wander, v the largest frequency, and S, s the offset and its
// rate, the fastest way to S = s = 0 accelerates by d w (d = +-1), perhaps holds d v, and brakes by d w.
// Accelerating for l1 and braking for l3 must end at rest, l3 = l1 + d s / w, and at S = 0:
//   l3^2 = s^2 / (2 w^2) - d S / w;   d is the direction for which l1 >= 0.
// If the peak w l3 exceeds v, the first stage ends at v, l3 = v / w, and at v goes what of the way -d S the
// others leave, (2 v^2 - s^2) / (2 w) (double integrator with bounded speed: Bryson and Ho, Applied Optimal
// Control, ch. 3.9). A leap second with 400 ppm and 0.001024 ppm/s: 2 sqrt(1 / w) = 62 500 s, peak 32 ppm.
//
// Linear, as public clouds smear (developers.google.com/time/smear): noon to noon UTC around a leap second,
// at a constant rate of one second a day.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "clock/sample.hpp"

namespace wiretime::clock {

struct SmoothingConfig {
  enum class Shape : std::uint8_t { none, quadratic, linear };
  Shape shape = Shape::none;
  double max_frequency = 0;  // s/s
  double max_wander = 0;     // s/s per s
  bool leap_only = false;    // linear: always
};

// A leap second at hand or just over, for the linear smear.
struct LeapEvent {
  WallTime midnight;  // UTC, of the day after
  int inserted = 0;   // s: +1, or -1 for a second removed
  bool over = false;  // the time already counts it

  friend bool operator==(const LeapEvent&, const LeapEvent&) = default;
};

class Smoothing {
 public:
  explicit Smoothing(const SmoothingConfig& config);

  [[nodiscard]] bool enabled() const { return config_.shape != SmoothingConfig::Shape::none; }
  [[nodiscard]] bool leap_only() const { return config_.leap_only; }
  [[nodiscard]] bool linear() const { return config_.shape == SmoothingConfig::Shape::linear; }
  // Corrections are taken up; before, the clock is still finding its time.
  [[nodiscard]] bool active() const { return active_; }

  struct State {
    double offset = 0;     // s: served minus true time
    double frequency = 0;  // s/s, of what is served against the time
    double wander = 0;     // s/s per s
    double remaining = 0;  // s, until the offset is zero
  };
  [[nodiscard]] State at(WallTime now) const;
  [[nodiscard]] double offset(WallTime now) const { return at(now).offset; }
  [[nodiscard]] WallTime updated_at() const { return from_; }

  // The clock was corrected as `change` says, by slewing, and is now known to `skew` (s/s). True: from now on
  // smoothing is active; this correction itself was still seen by those we serve.
  bool corrected(const ClockChange& change, double skew);
  // A leap second: the time, which was `before`, moved by `seconds` (-1: one was inserted).
  void leap(WallTime before, double seconds);
  // The clock moved without that being smoothed: a step.
  void shift(const ClockChange& change);
  // Nothing is left to be smoothed; the linear smear is where its time of day says and stays.
  void reset(WallTime now);
  // chronyc smoothtime activate. True: it was not active.
  bool activate(WallTime now);
  // Linear: at least once a minute, and at once when the event changes; empty: no leap second within 12
  // hours.
  void follow(const std::optional<LeapEvent>& event, WallTime now);

 private:
  struct Stage {
    double wander = 0;
    double length = 0;  // s
  };
  void plan();
  void begin_smear(const LeapEvent& event, WallTime now);

  SmoothingConfig config_;
  bool active_ = false;
  WallTime from_{};
  double offset_ = 0;     // at from_
  double frequency_ = 0;  // at from_
  std::array<Stage, 3> stages_{};
  // linear
  bool to_zero_ = false;  // the ramp ends at zero; else it goes on until told
  std::optional<LeapEvent> event_;
  std::optional<WallTime> unsmeared_at_;  // when we last knew of no leap second
};

}  // namespace wiretime::clock
