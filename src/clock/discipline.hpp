// SPDX-License-Identifier: BSD-3-Clause
// From estimates of the clock's error to changes of the clock: how much is slewed, how fast, when it is
// stepped, and what `tracking` tells of it. The estimator is optimal for the clock's own noise, so estimated
// frequency and offset are applied whole (separation of estimation and control: Astrom, Introduction to
// Stochastic Control Theory, ch. 8); the slew only spreads the offset over time. Control thread; pure.
#pragma once

#include <cstdint>
#include <optional>

#include "clock/clock_model.hpp"
#include "clock/sample.hpp"

namespace wiretime::clock {

struct DisciplineConfig {
  double correction_time_ratio = 3;
  double max_slew_rate = 83333.333e-6;  // s/s
  double max_drift = 0.1;               // s/s
  double max_update_skew = 1000e-6;     // s/s
  double max_clock_error = 1e-6;        // s/s
  double step_threshold = 0;            // s; `makestep`; 0: never
  int step_limit = 0;                   // in the first so many updates; negative: always
  bool max_change = false;
  double max_change_offset = 0;  // s
  int max_change_start = 0;      // updates before the check begins
  int max_change_ignore = 0;     // ignored before giving up; negative: all
  bool free_running = false;     // -x: the kernel clock is left alone
};

// The combined estimate of all sources at `time` (cooked clock).
struct ClockEstimate {
  WallTime time{};
  double offset = 0;            // s, positive: the clock is behind
  double offset_sd = 0;         // s
  double frequency = 0;         // s/s, positive: the clock is to run faster
  double skew = 0;              // s/s, bound of frequency
  double correction = 0;        // s: size of an ordinary correction
  double source_frequency = 0;  // s/s, of the selected source alone
  double root_delay = 0;        // s
  double root_dispersion = 0;   // s
};

enum class UpdateKind : std::uint8_t { slew, step, ignored, give_up };

// What the caller does: step the raw clock by `step`, set kernel_frequency(), then apply `change` to all that
// is remembered in cooked time: statistics, filters, timestamps of exchanges under way.
struct ClockAction {
  UpdateKind kind = UpdateKind::slew;
  double step = 0;  // s, of the raw clock; 0: none
  ClockChange change;
};

struct Tracking {
  WallTime reference_time{};
  double last_offset = 0;  // s
  double rms_offset = 0;   // s, long-term
  double frequency = 0;    // s/s, what the kernel clock is corrected by
  double residual_frequency = 0;
  double skew = 0;
  double root_delay = 0;
  double root_dispersion = 0;  // at reference_time
  double update_interval = 0;  // s, of the last updates
  std::uint64_t updates = 0;
};

class Discipline {
 public:
  // `frequency` and `skew`: of the kernel clock now, from the drift file or the kernel.
  Discipline(const DisciplineConfig& config, double frequency, double skew);

  // `raw`: the kernel clock at the same instant as estimate.time.
  ClockAction update(WallTime raw, const ClockEstimate& estimate);
  // Step now whatever remains (chronyc makestep): the amount for the raw clock.
  [[nodiscard]] double step_remaining(WallTime raw) { return model_.step(raw, 0); }

  [[nodiscard]] const ClockModel& model() const { return model_; }
  [[nodiscard]] ClockModel& model() { return model_; }
  [[nodiscard]] const Tracking& tracking() const { return tracking_; }
  // Root dispersion at a later time: grows with the frequency's error bound.
  [[nodiscard]] double root_dispersion(WallTime cooked) const;

  // The time itself moved by `seconds`: a leap second, or a step that somebody else made.
  void time_moved(double seconds) { tracking_.reference_time = advanced(tracking_.reference_time, seconds); }

  void set_step_rule(double threshold, int limit);  // chronyc makestep T N: counts updates from now
  void set_max_update_skew(double skew) { config_.max_update_skew = skew; }

 private:
  [[nodiscard]] bool step_wanted(double total) const;
  [[nodiscard]] std::optional<UpdateKind> refuse(double offset);
  [[nodiscard]] double slew_duration(double remaining, double ordinary, double interval) const;
  void track(const ClockEstimate& estimate, double applied);

  DisciplineConfig config_;
  ClockModel model_;
  Tracking tracking_;
};

}  // namespace wiretime::clock
