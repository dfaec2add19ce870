// SPDX-License-Identifier: BSD-3-Clause
// SourceManager: leap seconds and how those we serve see them, and what corrects the clock's frequency when
// it is not the sources that do.
#include <fmt/format.h>

#include <cmath>

#include "clock/temperature.hpp"
#include "control/source_manager.hpp"

namespace wiretime::control {

using clock::Leap;
using clock::LeapMode;

void SourceManager::warn_about_leap_mode() {
  if (options_.use != ClockUse::follow || !smoothing_.enabled()) return;
  if (smoothing_.linear() && leap_.mode() == LeapMode::ignore)
    log(os::LogLevel::warning, "smoothtime linear does nothing with leapsecmode ignore");
  else if (smoothing_.linear() && settings_.leap_second_mode == LeapSecondMode::system &&
           steering_.device().is_real())
    log(os::LogLevel::info, "Leap seconds are stepped by this daemon, not by the kernel (smoothtime linear)");
  else if (!smoothing_.linear() && smoothing_.leap_only() && leap_.mode() != LeapMode::slew)
    log(os::LogLevel::warning, "smoothtime leaponly does nothing without leapsecmode slew");
}

WallTime SourceManager::served_time(WallTime kernel) const {
  const WallTime now = steering_.cooked(kernel);
  return smoothing_.enabled() ? clock::advanced(now, smoothing_.offset(now)) : now;
}

bool SourceManager::smears_leap() const {
  if (!smoothing_.enabled() || !smoothing_.active()) return false;
  return smoothing_.linear() ? leap_.mode() != LeapMode::ignore : leap_.mode() == LeapMode::slew;
}

void SourceManager::set_leap_table(std::optional<clock::LeapTable> table) {
  leap_.set_table(std::move(table));
  update_leap();
}

// What is known of leap seconds, for today.
void SourceManager::update_leap() {
  if (options_.use != ClockUse::follow) return;
  const WallTime now = cooked_now();
  const Leap before = leap_.due();
  leap_.update(followed_.ever ? std::optional{followed_.leap} : std::nullopt, now);
  const Leap due = leap_.due();
  if (due != before && due != Leap::none) {
    leap_applied_ = false;
    log(os::LogLevel::info, fmt::format("Leap second to be {} at the end of this day (UTC)",
                                        due == Leap::insert ? "inserted" : "deleted"));
  } else if (due != before && !leap_applied_) {
    log(os::LogLevel::info, "No leap second at the end of this day after all");
  }
  if (followed_.ever && smears_leap()) smoothing_.follow(leap_.event(now), now);
  if (leap_.deadline()) arm_clock_timer();
}

void SourceManager::service_leap() {
  for (;;) {
    const WallTime kernel = host_.kernel_time();
    switch (leap_.service(steering_.cooked(kernel))) {
      case clock::LeapSchedule::Step::none:
        return;
      case clock::LeapSchedule::Step::wait:
        host_.clock_updated();  // nobody is to take time from us across it
        break;
      case clock::LeapSchedule::Step::correct:
        correct_leap(kernel);
        break;
      case clock::LeapSchedule::Step::end:
        tell_kernel();
        host_.clock_updated();
        break;
    }
  }
}

void SourceManager::correct_leap(WallTime kernel) {
  const double seconds = leap_.correction();
  const WallTime before = steering_.cooked(kernel);
  if (leap_.mode() == LeapMode::ignore) {
    log(os::LogLevel::warning, "Ignoring leap second");
    return;
  }
  if (leap_.mode() == LeapMode::slew) {
    if (auto change = steering_.adjust(kernel, 0, seconds); !change) return report_failure(change.error());
    log(os::LogLevel::warning, "Adjusting system clock for leap second");
  } else {
    if (auto ok = steering_.step_leap(kernel, seconds); !ok) return report_failure(ok.error());
    log(os::LogLevel::warning, "System clock was stepped for leap second");
  }
  leap_applied_ = true;
  leap_passed(before);
}

// The time, which was `before`, has moved. All sources' times did as well, so offsets stay what they are.
void SourceManager::leap_passed(WallTime before) {
  clock::ClockChange change;
  change.at = before;
  change.leap = leap_.correction();
  if (smears_leap())
    smoothing_.leap(before, change.leap);
  else
    smoothing_.shift(change);
  shift_memory(change);
  steering_.discipline().time_moved(change.leap);
  arm_clock_timer();
  host_.clock_stepped();
}

void SourceManager::tell_kernel() {
  const clock::ClockState state = clock_state();
  const std::chrono::duration<double> delay = state.root_delay;
  const std::chrono::duration<double> dispersion = state.root_dispersion;
  clock::KernelNotice notice;
  notice.synchronised = state.synchronised;
  notice.max_error = dispersion.count() + delay.count() / 2;
  notice.estimated_error = steering_.discipline().tracking().rms_offset;
  if (leap_.mode() == LeapMode::system) {
    notice.leap = leap_.due();
    // Only news: the kernel counts on by itself at a leap second.
    if (leap_.tai_offset() != kernel_tai_offset_) notice.tai_offset = leap_.tai_offset();
  }
  steering_.device().notify(notice);
  if (notice.leap != kernel_leap_) {
    const char* const what = notice.leap == Leap::insert   ? "set to insert"
                             : notice.leap == Leap::remove ? "set to delete"
                             : leap_applied_               ? "reset after"
                                                           : "set to not insert/delete";
    log(os::LogLevel::info, fmt::format("System clock status {} leap second", what));
  }
  if (notice.tai_offset != 0)
    log(os::LogLevel::info, fmt::format("System clock TAI offset set to {} seconds", notice.tai_offset));
  kernel_leap_ = notice.leap;
  if (notice.tai_offset != 0) kernel_tai_offset_ = notice.tai_offset;
}

void SourceManager::withdraw_leap() {
  if (kernel_leap_ == Leap::none) return;
  clock::KernelNotice notice;
  notice.max_error = notice.estimated_error = 16;
  steering_.device().notify(notice);
  kernel_leap_ = Leap::none;
}

// Nothing has been heard for long: the usual frequency rather than the last one.
void SourceManager::fall_back() {
  if (options_.use != ClockUse::follow || !updated_at_) return;
  const auto fallback = fallback_.due(clock::seconds_between(*updated_at_, cooked_now()));
  if (!fallback) return;
  const double now = steering_.discipline().model().frequency();
  const auto change = steering_.adjust(host_.kernel_time(), (1 + fallback->frequency) / (1 + now) - 1, 0);
  if (!change) return report_failure(change.error());
  shift(*change, Move::slewed);
  followed_.ever = false;
  log(os::LogLevel::warning,
      fmt::format("No update for {:.0f} s: clock frequency set to its average over that time, {:.3f} ppm",
                  std::ldexp(1.0, fallback->power), -fallback->frequency * 1e6));
  arm_clock_timer();
  tell_kernel();
  host_.clock_updated();
}

bool SourceManager::compensate_temperature(double ppm) {
  if (!(std::fabs(ppm) <= clock::TemperatureCurve::kMostPpm)) return false;
  if (auto ok = steering_.compensate(host_.kernel_time(), ppm * 1e-6); !ok) report_failure(ok.error());
  return true;
}

}  // namespace wiretime::control
