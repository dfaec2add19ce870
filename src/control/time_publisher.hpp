// SPDX-License-Identifier: BSD-3-Clause
// Makes the TimeSnapshot that replies are written from: which reference is served (clock::ReferenceSelector)
// and, for data-plane workers, how TSC ticks become time (clock::TickMap). Control thread; clocks are read by
// the caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/seqlock.hpp"
#include "base/time.hpp"
#include "clock/served_reference.hpp"
#include "clock/snapshot.hpp"
#include "clock/tick_map.hpp"
#include "os/kernel_clock.hpp"

namespace wiretime::control {

using Seconds = std::chrono::duration<double>;

class TimePublisher {
 public:
  struct Settings {
    clock::LocalConfig local;
    std::int8_t precision = -20;                 // log2 seconds
    std::uint32_t dispersion_growth_ppb = 1000;  // maxclockerror
  };

  // `workers`: what data-plane workers read; this object is its only writer.
  TimePublisher(const Settings& settings, Seqlock<clock::TimeSnapshot>& workers);

  // About once a second, after a clock step, and when `local` changed.
  const clock::ServedReference& refresh_reference(const clock::ClockState& state, Seconds uptime,
                                                  WallTime now);
  void set_local(const clock::LocalConfig& local) { selector_.set_local(local); }

  // Data plane only: one reading every publication interval. Publishes once the map is known.
  void add_reading(const clock::CrossReading& reading, Seconds uptime);
  // The clock was set: the next reading starts afresh.
  void clock_was_set() {
    map_.clock_was_set();
    ++base_.epoch;
  }

  // For transports that take their time from CLOCK_REALTIME themselves: the ticks part is not filled.
  [[nodiscard]] clock::TimeSnapshot kernel_snapshot(Seconds uptime) const;

  [[nodiscard]] const clock::LocalConfig& local() const { return selector_.local(); }
  // Before smoothing: what we say of ourselves to peers and to chronyc.
  [[nodiscard]] const clock::ServedReference& served() const { return served_; }
  [[nodiscard]] const clock::ClockState& clock_state() const { return state_; }
  [[nodiscard]] const clock::TickMap& tick_map() const { return map_; }
  [[nodiscard]] Nanoseconds error_bound() const { return Nanoseconds{published_.error_bound_ns}; }

 private:
  clock::ReferenceSelector selector_;
  std::uint32_t dispersion_growth_ppb_;
  clock::TickMap map_;
  clock::ClockState state_;
  clock::ServedReference served_;
  clock::TimeSnapshot base_;       // all but the ticks part
  clock::TimeSnapshot published_;  // what workers were given last
  Seqlock<clock::TimeSnapshot>& workers_;
};

// The kernel does not say whom it follows: we claim no more than the default stratum of `local`, and refid
// 127.127.1.0. Nothing is taken from it where `local` is configured: then, as with a chronyd without sources,
// the operator vouches for the clock, whatever others tell the kernel of it.
[[nodiscard]] clock::ClockState clock_state_of(const os::KernelClockStatus& kernel,
                                               const clock::LocalConfig& local, WallTime now);
inline constexpr std::uint8_t kKernelStratum = 10;
inline constexpr std::uint32_t kKernelRefid = 0x7F7F'0100U;

// log2 of the smallest step that `read_clock` shows, in seconds: what replies state as precision; -32..-10.
[[nodiscard]] std::int8_t measure_precision(const std::function<WallTime()>& read_clock);
[[nodiscard]] std::int8_t precision_of(Seconds step);

// The snapshot's and the client log's clock, 1/16 s; never 0, which the log reads as "never".
[[nodiscard]] std::uint32_t uptime_sixteenths(Seconds uptime);

}  // namespace wiretime::control
