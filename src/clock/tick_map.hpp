// SPDX-License-Identifier: BSD-3-Clause
// Learns how a free-running counter (TSC) maps to CLOCK_REALTIME from cross readings, and gives the affine
// part of a TimeSnapshot. The rate is the slope over a window of about a second, so that reading noise (tens
// of ns) becomes tens of ppb while the kernel's own slewing (up to 500 ppm) is followed. Control thread;
// pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::clock {

// The clock was read at some instant between the two counter readings.
struct CrossReading {
  Ticks before{};
  Ticks after{};
  WallTime time{};
};

class TickMap {
 public:
  // Takes the newest reading, at most a few seconds after the last. Readings with other than increasing ticks
  // are ignored. A reading that the current map cannot explain is a clock step: the map restarts from it,
  // keeping the known rate.
  void add(const CrossReading& reading);
  // The clock is known to have been set: trust nothing but what comes.
  void clock_was_set() { count_ = 0; }

  // At least two readings since the start: rate and anchor are known.
  [[nodiscard]] bool ready() const { return rate_ != 0; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }  // steps noticed
  [[nodiscard]] double ticks_per_second() const;                // 0 until ready

  // Fills anchor, rate and error bound; requires ready().
  void fill(TimeSnapshot& snapshot) const;

 private:
  static constexpr std::size_t kWindow = 128;
  struct Point {
    Ticks ticks;
    NtpTimestamp time;
    std::uint64_t half_width;  // ticks
  };
  [[nodiscard]] const Point& newest() const { return points_[(next_ + kWindow - 1) % kWindow]; }
  [[nodiscard]] const Point& oldest() const { return points_[(next_ + kWindow - count_) % kWindow]; }
  [[nodiscard]] std::int64_t residual_ns(const Point& p) const;  // of p against the current map

  std::array<Point, kWindow> points_{};  // ring
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  std::uint64_t rate_ = 0;
  std::uint64_t error_ns_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace wiretime::clock
