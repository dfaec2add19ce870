// SPDX-License-Identifier: BSD-3-Clause
// The clock of a network interface (PHC) against the system's: one reading out of many taken in a row, and,
// for what such a clock stamped, the system's time at that instant. Control thread; pure.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "clock/refclock.hpp"

namespace wiretime::clock {

struct CrossStamp {
  WallTime before{};  // CLOCK_REALTIME
  WallTime device{};
  WallTime after{};  // CLOCK_REALTIME
};

// Of the quickest of `stamps`; its error is half of what these took. nullopt without any.
[[nodiscard]] std::optional<ClockReading> best_reading(std::span<const CrossStamp> stamps);

class PhcMap {
 public:
  struct Size {
    std::size_t least = 3;  // readings for a line, at least 3
    std::size_t most = 16;
  };
  PhcMap() = default;
  explicit PhcMap(Size size) : size_{size} {}

  // In order of time. One that is far off the line through the others starts a new one: a clock was set.
  void add(const ClockReading& reading);

  struct Moment {
    WallTime system{};
    double error = 0;  // s
  };
  // nullopt until there are a few readings. `device`: a time near the last of them.
  [[nodiscard]] std::optional<Moment> system_time(WallTime device) const;

 private:
  [[nodiscard]] static WallTime device_time(const ClockReading& reading);

  Size size_;
  std::vector<ClockReading> readings_;  // oldest first
};

}  // namespace wiretime::clock
