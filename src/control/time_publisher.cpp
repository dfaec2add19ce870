// SPDX-License-Identifier: BSD-3-Clause
#include "control/time_publisher.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::control {

TimePublisher::TimePublisher(const Settings& settings, Seqlock<clock::TimeSnapshot>& workers)
    : selector_{settings.local}, dispersion_growth_ppb_{settings.dispersion_growth_ppb}, workers_{workers} {
  base_.precision = settings.precision;
}

const clock::ServedReference& TimePublisher::refresh_reference(const clock::ClockState& state, Seconds uptime,
                                                               WallTime now) {
  state_ = state;
  served_ = selector_.select(state, uptime, now);
  base_.reference = served_.reference;
  clock::apply_smoothing(base_.reference, state, base_.precision);
  // A local reference errs by nothing, one second unsynchronised says all: only what was measured grows old.
  base_.dispersion_growth_ppb = served_.as == clock::ServedAs::synchronised ? dispersion_growth_ppb_ : 0;
  base_.anchor_time = NtpTimestamp::from(now);
  base_.uptime = uptime_sixteenths(uptime);
  base_.valid = true;
  return served_;
}

void TimePublisher::add_reading(const clock::CrossReading& reading, Seconds uptime) {
  map_.add(reading);
  if (!map_.ready() || !base_.valid) return;
  published_ = kernel_snapshot(uptime);
  map_.fill(published_);
  workers_.store(published_);
}

clock::TimeSnapshot TimePublisher::kernel_snapshot(Seconds uptime) const {
  clock::TimeSnapshot snapshot = base_;
  snapshot.uptime = uptime_sixteenths(uptime);
  return snapshot;
}

clock::ClockState clock_state_of(const os::KernelClockStatus& kernel, const clock::LocalConfig& local,
                                 WallTime now) {
  clock::ClockState state;
  if (local.enabled) return state;
  state.synchronised = kernel.synchronised;
  state.leap = kernel.leap;
  state.stratum = kKernelStratum;
  state.refid = kKernelRefid;
  state.root_dispersion = kernel.max_error;
  state.reference_time =
      now - std::chrono::seconds{1};  // whoever steers the kernel's clock does it all the time
  return state;
}

std::int8_t precision_of(Seconds step) {
  const double log2_step = std::log2(std::max(step.count(), 1e-12));
  return static_cast<std::int8_t>(std::clamp(std::lround(log2_step), -32L, -10L));
}

std::int8_t measure_precision(const std::function<WallTime()>& read_clock) {
  constexpr int kSteps = 100;
  constexpr int kReadings = 10'000;  // a coarse clock shows few steps: do not wait for them
  Nanoseconds smallest = std::chrono::milliseconds{1};
  WallTime last = read_clock();
  for (int steps = 0, readings = 0; steps < kSteps && readings < kReadings; ++readings) {
    const WallTime now = read_clock();
    if (now > last) {
      smallest = std::min<Nanoseconds>(smallest, now - last);
      ++steps;
    }
    last = now;
  }
  return precision_of(smallest);
}

std::uint32_t uptime_sixteenths(Seconds uptime) {
  // Wraps after eight years, as the log's arithmetic expects.
  const auto ticks = static_cast<std::uint32_t>(static_cast<std::uint64_t>(uptime.count() * 16.0));
  return ticks != 0 ? ticks : 1;
}

}  // namespace wiretime::control
