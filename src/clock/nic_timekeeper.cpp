// SPDX-License-Identifier: BSD-3-Clause
#include "clock/nic_timekeeper.hpp"

#include <cmath>

namespace wiretime::clock {

namespace {

constexpr double kUpdateInterval = 1;  // s

// s, by which the NIC's clock, nanoseconds since 1970, is ahead of `time` plus `tai_offset`.
double offset_of(const NicSnapshot& nic, const NicTimekeeper::Moment& m, int tai_offset) {
  const WallTime shown{Nanoseconds{static_cast<std::int64_t>(nic.anchor_nic)}};
  const WallTime time = m.time.time_at(nic.anchor_ticks).near(m.wall) + std::chrono::seconds{tai_offset};
  return static_cast<double>((shown - time).count()) * 1e-9;
}

// s/s, by which it runs faster than `time`.
double rate_of(const NicSnapshot& nic, const TimeSnapshot& time) {
  const double nic_per_tick = std::ldexp(1e-9, NicSnapshot::kRateShift) / static_cast<double>(nic.rate);
  const double time_per_tick =
      std::ldexp(static_cast<double>(time.rate), -static_cast<int>(TimeSnapshot::kRateShift) - 32);
  return nic_per_tick / time_per_tick - 1;
}

}  // namespace

NicTimekeeper::NicTimekeeper(std::unique_ptr<NicClock> clock, NicRole role, double ticks_per_second,
                             const NicOptions& options)
    : clock_{std::move(clock)},
      role_{role},
      ticks_per_second_{ticks_per_second},
      options_{options},
      map_{ticks_per_second, clock_->counter_bits(), options},
      servo_{clock_->max_adjustment(), role == NicRole::free ? 0 : clock_->frequency()} {}

void NicTimekeeper::failed(const Error& error) {
  ++failures_;
  error_ = error.message;
}

// Until the clock is known it is read as often as that goes.
bool NicTimekeeper::is_due(const Moment& m) const {
  if (!ready_ || !last_reading_) return true;
  const double interval = m.idle ? options_.most_interval : options_.least_interval;
  return static_cast<double>(m.now.value - last_reading_->value) > interval * 0.95 * ticks_per_second_;
}

void NicTimekeeper::refresh(const Moment& moment) {
  ready_ = map_.ready(moment.now);
  if (!is_due(moment)) return;
  last_reading_ = moment.now;
  if (const auto readings = clock_->read()) {
    static_cast<void>(map_.add(*readings));
  } else {
    static_cast<void>(map_.missed());
    error_ = readings.error().message;
  }
  ready_ = map_.ready(moment.now);
  if (role_ != NicRole::free && ready_) steer(moment);
  ready_ = map_.ready(moment.now);
}

bool NicTimekeeper::may_steer(const Moment& m) const {
  if (m.time.rate == 0 || m.time.reference.leap == Leap::unsynchronised) return false;
  return role_ == NicRole::utc || m.tai_offset != 0;
}

void NicTimekeeper::steer(const Moment& m) {
  if (!may_steer(m)) {
    offset_.reset();
    return;
  }
  const NicSnapshot nic = map_.snapshot();
  offset_ = offset_of(nic, m, role_ == NicRole::tai ? m.tai_offset : 0);
  const double since =
      last_update_ ? static_cast<double>(m.now.value - last_update_->value) / ticks_per_second_ : 0;
  if (last_update_ && since < kUpdateInterval * 0.95) return;
  const std::uint64_t restarts = map_.counts()[static_cast<std::size_t>(NicEvent::restarted)];
  if (restarts != restarts_) servo_.restart();
  restarts_ = restarts;
  last_update_ = m.now;
  const NicServo::Action action = servo_.update(since, *offset_, rate_of(nic, m.time));
  if (auto ok = clock_->set_frequency(action.frequency); !ok) return servo_.restart(), failed(ok.error());
  map_.steered(m.now, action.change);
  if (action.step.count() == 0) return;
  if (auto ok = clock_->step(action.step); !ok) return servo_.restart(), failed(ok.error());
  map_.forget();  // drivers set a clock by reading, adding and writing: not to the nanosecond
  ++steps_;
}

NicStatus NicTimekeeper::status() const {
  NicStatus s;
  s.role = role_;
  s.method = clock_->method();
  s.ready = ready_;
  s.error_bound = map_.error_bound();
  s.nic_hertz = map_.nic_ticks_per_second();
  s.offset = offset_;
  s.correction = servo_.frequency();
  s.locked = ready_ && servo_.locked();
  s.steps = steps_;
  s.failures = failures_;
  s.events = map_.counts();
  return s;
}

}  // namespace wiretime::clock
