// SPDX-License-Identifier: BSD-3-Clause
// One measurement of one source (RFC 5905 section 8): what associations and reference clocks produce and the
// statistics consume. Control thread; a plain value.
// Sign everywhere: offset > 0 means the local clock is behind the source.
#pragma once

#include <cstdint>

#include "base/time.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::clock {

struct Sample {
  WallTime time{};             // local (cooked) clock, middle of the exchange
  double offset = 0;           // s
  double peer_delay = 0;       // s, >= clock precision
  double peer_dispersion = 0;  // s
  double root_delay = 0;       // s, the source's own plus peer_delay
  double root_dispersion = 0;  // s, the source's own plus peer_dispersion
  std::uint8_t stratum = 0;    // of the source
  Leap leap = Leap::none;

  friend bool operator==(const Sample&, const Sample&) = default;
};

[[nodiscard]] inline double seconds_between(WallTime from, WallTime to) noexcept {
  return std::chrono::duration<double>(to - from).count();
}

// t + s, to the nearest nanosecond. At most an NTP era and a half, so that no source can make time overflow.
[[nodiscard]] inline WallTime advanced(WallTime t, double s) noexcept {
  constexpr double kMost = 7e9;
  const double ns = (s < -kMost ? -kMost : s > kMost ? kMost : s) * 1e9;
  return t + Nanoseconds{static_cast<std::int64_t>(ns < 0 ? ns - 0.5 : ns + 0.5)};
}

// A change of the clock, made at `at` (cooked, before it): it now runs faster by `frequency` (s/s), and was
// advanced by `offset` (s). Everything remembered in the clock's time moves with it. `leap` (s): the clock
// and the true time moved by that both, so times change and offsets do not.
struct ClockChange {
  WallTime at{};
  double frequency = 0;
  double offset = 0;
  double leap = 0;

  // s, by how much the clock as it is now would have shown more at what it called `t`.
  [[nodiscard]] double moved(WallTime t) const noexcept {
    return offset + seconds_between(at, t) * frequency;
  }
  [[nodiscard]] WallTime apply(WallTime t) const noexcept { return advanced(t, moved(t) + leap); }
  void apply(Sample& s) const noexcept {
    const double d = moved(s.time);
    s.offset -= d;
    s.time = advanced(s.time, d + leap);
  }
};

}  // namespace wiretime::clock
