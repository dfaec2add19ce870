// SPDX-License-Identifier: BSD-3-Clause
#include "clock/discipline.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr double kFirstInterval = 2;   // s: before a second update says more (iburst)
constexpr double kMaxInterval = 2048;  // s: one lost poll at the longest usual interval
constexpr double kRmsGain = 0.1;
constexpr double kIntervalGain = 0.1;

}  // namespace

Discipline::Discipline(const DisciplineConfig& config, double frequency, double skew)
    : config_{config}, model_{frequency, config.max_drift, config.max_slew_rate, config.free_running} {
  tracking_.frequency = model_.frequency();
  tracking_.skew = skew;
}

void Discipline::set_step_rule(double threshold, int limit) {
  config_.step_threshold = threshold;
  config_.step_limit = limit < 0 ? limit : static_cast<int>(tracking_.updates) + limit;
}

bool Discipline::step_wanted(double total) const {
  if (config_.free_running || config_.step_threshold <= 0 || config_.step_limit == 0) return false;
  if (config_.step_limit > 0 && tracking_.updates >= static_cast<std::uint64_t>(config_.step_limit))
    return false;
  return std::fabs(total) > config_.step_threshold;
}

std::optional<UpdateKind> Discipline::refuse(double offset) {
  if (!config_.max_change || std::fabs(offset) <= config_.max_change_offset) return std::nullopt;
  if (tracking_.updates < static_cast<std::uint64_t>(std::max(0, config_.max_change_start)))
    return std::nullopt;
  if (config_.max_change_ignore == 0) return UpdateKind::give_up;
  if (config_.max_change_ignore > 0) --config_.max_change_ignore;
  return UpdateKind::ignored;
}

double Discipline::slew_duration(double remaining, double ordinary, double interval) const {
  // An ordinary correction takes corrtimeratio intervals; the duration is inversely proportional to the size.
  // What is not done when the next correction comes is added to it, so slow slews cost little time and much
  // frequency noise is saved.
  const double average = config_.correction_time_ratio * interval;
  const double size = std::fabs(remaining);
  constexpr double kSlowest = 4;  // times the average: a negligible correction needs no exact rate
  return size * kSlowest <= ordinary ? average * kSlowest : average * ordinary / size;
}

ClockAction Discipline::update(WallTime raw, const ClockEstimate& estimate) {
  ClockAction action;
  if (const auto refused = refuse(estimate.offset)) {
    action.kind = *refused;
    return action;
  }
  const double remaining = model_.correction(raw) + estimate.offset;
  const double since =
      tracking_.updates > 0 ? seconds_between(tracking_.reference_time, estimate.time) : kFirstInterval;
  const double interval = std::clamp(since, 1e-3, kMaxInterval);
  const double frequency_change = estimate.skew <= config_.max_update_skew ? estimate.frequency : 0;
  const bool step = step_wanted(remaining);

  action.change.at = estimate.time;
  action.change.offset = estimate.offset;
  const double slewed = step ? 0 : estimate.offset;
  action.change.frequency =
      model_.adjust(raw, frequency_change, slewed, slew_duration(remaining, estimate.correction, interval));
  if (step) {
    action.kind = UpdateKind::step;
    action.step = model_.step(raw, estimate.offset);
  }
  track(estimate, action.change.frequency);
  return action;
}

void Discipline::track(const ClockEstimate& estimate, double applied) {
  Tracking& t = tracking_;
  if (t.updates > 0) {
    const double since = seconds_between(t.reference_time, estimate.time);
    t.update_interval =
        t.updates == 1 ? since : t.update_interval + kIntervalGain * (since - t.update_interval);
    const double square = t.rms_offset * t.rms_offset;
    t.rms_offset = std::sqrt(square + kRmsGain * (estimate.offset * estimate.offset - square));
  } else {
    t.rms_offset = std::fabs(estimate.offset);
  }
  ++t.updates;
  t.reference_time = advanced(estimate.time, estimate.offset);
  t.last_offset = estimate.offset;
  t.frequency = model_.frequency();
  t.residual_frequency = estimate.source_frequency - applied;
  if (estimate.skew <= config_.max_update_skew) t.skew = estimate.skew;
  t.root_delay = estimate.root_delay;
  t.root_dispersion = estimate.root_dispersion;
}

double Discipline::root_dispersion(WallTime cooked) const {
  const double age = std::fabs(seconds_between(tracking_.reference_time, cooked));
  return tracking_.root_dispersion +
         age * (tracking_.skew + std::fabs(tracking_.residual_frequency) + config_.max_clock_error);
}

}  // namespace wiretime::clock
