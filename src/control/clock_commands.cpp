// SPDX-License-Identifier: BSD-3-Clause
// SourceManager: what chronyc can do to the clock, and times typed in by hand. chronyc's offsets and
// frequencies are positive for a clock that is fast, ours for one that is to run faster.
#include <fmt/format.h>

#include "control/source_manager.hpp"

namespace wiretime::control {

namespace {

using status::Status;

constexpr double kPpm = 1e6;

}  // namespace

Status SourceManager::makestep() {
  const WallTime kernel = host_.kernel_time();
  const auto amount = steering_.step_remaining(kernel);
  if (!amount) {
    report_failure(amount.error());
    return Status::failed;
  }
  if (*amount != 0) {
    log(os::LogLevel::warning, fmt::format("System clock was stepped by {:.6f} seconds", *amount));
    smoothing_.reset(cooked_now());
    host_.clock_stepped();
  }
  arm_clock_timer();
  return Status::success;
}

// The clock runs fast by `ppm` more than thought: slow it down.
Status SourceManager::adjust_frequency(double ppm) {
  const WallTime kernel = host_.kernel_time();
  const auto change = steering_.adjust(kernel, -ppm * 1e-6, 0);
  if (!change) return Status::failed;
  log(os::LogLevel::info, fmt::format("Accumulated delta freq of {:.3f}ppm", ppm));
  shift(*change);
  arm_clock_timer();
  return Status::success;
}

// The clock is slow by `offset`: slew it forward.
Status SourceManager::adjust_offset(double offset) {
  const WallTime kernel = host_.kernel_time();
  const auto change = steering_.adjust(kernel, 0, offset);
  if (!change) return Status::failed;
  log(os::LogLevel::info, fmt::format("Accumulated delta offset of {:.6f} seconds", offset));
  shift(*change);
  arm_clock_timer();
  return Status::success;
}

Status SourceManager::smooth_time(status::Smoothtime::Action action) {
  if (!smoothing_.enabled()) return Status::not_enabled;
  if (action == status::Smoothtime::Action::reset)
    smoothing_.reset(cooked_now());
  else if (smoothing_.activate(cooked_now()))
    log(os::LogLevel::info, "Time smoothing activated by command");
  host_.clock_updated();
  return Status::success;
}

void SourceManager::set_makestep(double threshold, int limit) {
  steering_.discipline().set_step_rule(threshold, limit);
}

void SourceManager::set_max_update_skew(double ppm) {
  steering_.discipline().set_max_update_skew(ppm * 1e-6);
}

Status SourceManager::manual(status::Manual::Action action) {
  if (action == status::Manual::Action::on && !options_.controls_clock && sources_.empty())
    return Status::not_enabled;
  if (action == status::Manual::Action::reset)
    manual_.reset();
  else
    manual_on_ = action == status::Manual::Action::on;
  return Status::success;
}

status::Outcome SourceManager::set_time(WallTime typed) {
  if (!manual_on_) return Status::not_enabled;
  const WallTime now = cooked_now();
  const auto estimate = manual_.add(now, clock::seconds_between(now, typed));
  if (!estimate) return Status::failed;
  const auto result = apply(*estimate);
  if (!result) return Status::failed;
  return *result;
}

Status SourceManager::delete_manual_sample(std::uint32_t index) {
  const auto estimate = manual_.remove(index, cooked_now());
  if (!estimate) return Status::bad_sample;
  return apply(*estimate) ? Status::success : Status::failed;
}

std::optional<status::ManualResult> SourceManager::apply(const clock::ManualInput::Estimate& estimate) {
  const WallTime kernel = host_.kernel_time();
  const auto change = steering_.adjust(kernel, estimate.frequency, estimate.offset);
  if (!change) {
    report_failure(change.error());
    return std::nullopt;
  }
  log(os::LogLevel::info, fmt::format("Time set by hand: offset {:.6f} seconds, frequency change {:.3f} ppm",
                                      -estimate.offset, -change->frequency * kPpm));
  shift(*change);
  followed_ = {};  // a clock set by hand is not synchronised: `local` decides what is served
  arm_clock_timer();
  tell_kernel();
  host_.clock_updated();
  return status::ManualResult{-estimate.offset, -change->frequency * kPpm,
                              -steering_.discipline().model().frequency() * kPpm};
}

}  // namespace wiretime::control
