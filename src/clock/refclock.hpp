// SPDX-License-Identifier: BSD-3-Clause
// A reference clock: what its driver reads becomes filtered samples. A driver gives either the time, or
// pulses that only say where a second (or another fraction of it) begins; these are completed with the time
// of another reference clock (`lock`) or of the clock we serve. Control thread; pure.
#pragma once

#include <cstdint>
#include <optional>

#include "clock/sample_filter.hpp"

namespace wiretime::clock {

// What a driver read.
struct ClockReading {
  WallTime system{};  // CLOCK_REALTIME at that instant
  // The reference's time less `system`: whole seconds, which a pulse does not know, and the rest. Apart, so
  // that a clock that counts from its power-up keeps its nanoseconds.
  std::int64_t seconds = 0;
  double fraction = 0;
  double error = 0;        // s, of both times
  Leap leap = Leap::none;  // unsynchronised: the reference clock does not know the time
  bool pulse = false;
};

// When the system's clock read `system`, the reference clock read `reference`.
[[nodiscard]] ClockReading reading_of(WallTime system, WallTime reference, Leap leap = Leap::none);

struct RefclockConfig {
  bool polled = true;         // the driver is asked every 2^driver_poll s, else it reports by itself
  int poll = 4;               // log2 s between filtered samples
  int driver_poll = 0;        // log2 s, at most poll
  unsigned rate = 1;          // pulses a second
  unsigned max_lock_age = 2;  // pulse intervals between a pulse and the sample that completes it
  double width = 0;           // s, of pulses with both edges reported; 0: one edge is
  bool pps = false;           // the driver's whole seconds are not to be trusted
  bool tai = false;
  bool local = false;         // a free-running clock that is steadier than ours: only its rate counts
  double offset = 0;          // s, added to what is read
  double delay = 1e-9;        // s
  double precision = 1e-7;    // s
  double max_dispersion = 0;  // s, of the samples filtered; 0: any
  unsigned filter_length = 64;
  std::uint8_t stratum = 0;
};

enum class ReadingVerdict : std::uint8_t {
  taken,
  nonsense,          // the offset is no number, or decades
  wrong_age,         // not of the last two polls
  out_of_order,      // not later than the last
  not_synchronised,  // says the reference clock
  no_tai_offset,     // TAI - UTC is not known
  no_partner,        // the clock to lock to has no sample
  old_partner,       // too much time between the pulse and the partner's sample
  ambiguous,         // the partner is not sure enough which pulse this is, or does not fit
  wrong_edge,        // the end of a pulse
  we_are_lost,       // without a partner: our own time is not good enough to count pulses
  lost_lock,         // `local`: pulses were missed, all measurements are void
};

class Refclock {
 public:
  explicit Refclock(const RefclockConfig& config);

  // What has to be known about the moment of a reading.
  struct Context {
    WallTime now{};         // cooked
    double correction = 0;  // s, cooked less kernel time at the reading
    int tai_offset = 0;     // s, TAI - UTC; 0: not known
    bool locked = false;    // to a reference clock: `partner`, nullptr if that does not exist
    const Refclock* partner = nullptr;
    double distance = 0;               // s, root distance of what we serve
    Leap leap = Leap::unsynchronised;  // its leap status
  };
  ReadingVerdict add(const ClockReading& reading, const Context& context);

  // s until the next tick.
  [[nodiscard]] double interval() const;
  // The driver was asked, or 2^poll s passed: true when it is time for poll().
  [[nodiscard]] bool tick();
  struct Poll {
    bool reached = false;  // the driver had something
    std::optional<Sample> sample;
  };
  [[nodiscard]] Poll poll();

  void shift(const ClockChange& change) { filter_.shift(change); }
  // The measurements are void.
  void reset() { filter_.reset(); }
  void set_offset(double s) { config_.offset = s; }

  [[nodiscard]] const RefclockConfig& config() const { return config_; }
  [[nodiscard]] const std::optional<Sample>& last() const { return filter_.last(); }
  // Its last sample was a pulse.
  [[nodiscard]] bool pulses() const { return pulses_; }
  [[nodiscard]] Leap leap() const { return leap_; }
  // Times the driver was asked, or samples it gave, since the last poll.
  [[nodiscard]] std::uint64_t ticks() const { return ticks_; }

 private:
  [[nodiscard]] ReadingVerdict complete(Sample& sample, const Context& context);
  [[nodiscard]] ReadingVerdict lock_to(const Refclock& partner, Sample& sample);
  [[nodiscard]] bool is_edge(double offset, double distance) const;

  RefclockConfig config_;
  SampleFilter filter_;
  Leap leap_ = Leap::none;
  std::uint64_t ticks_ = 0;
  bool reached_ = false;
  bool pulses_ = false;
};

}  // namespace wiretime::clock
