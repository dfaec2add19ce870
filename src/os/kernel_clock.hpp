// SPDX-License-Identifier: BSD-3-Clause
// The system clock as the kernel keeps it: reading it, its synchronisation status (adjtimex), and reading it
// against a counter. Control thread. Reads only; nothing here sets or slews the clock.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/time.hpp"
#include "clock/snapshot.hpp"
#include "clock/tick_map.hpp"

namespace wiretime::os {

[[nodiscard]] WallTime wall_now() noexcept;          // CLOCK_REALTIME
[[nodiscard]] Nanoseconds monotonic_now() noexcept;  // CLOCK_MONOTONIC, since some point before start

// CLOCK_REALTIME less CLOCK_MONOTONIC_RAW: of a few sandwiched readings the one that took least.
[[nodiscard]] Nanoseconds wall_less_raw() noexcept;

struct KernelClockStatus {
  bool synchronised = false;             // somebody disciplines the clock and vouches for it
  clock::Leap leap = clock::Leap::none;  // insert or remove at the end of the UTC day; never unsynchronised
  bool leap_in_progress = false;         // the inserted second 23:59:60 is now
  int tai_offset = 0;                    // TAI - UTC in s; 0: nobody told the kernel
  Nanoseconds max_error{0};              // grows 500 ppm while nobody updates it; 16 s: given up
  Nanoseconds estimated_error{0};
  double frequency_ppb = 0.0;  // correction applied, positive: the clock was slow
};

[[nodiscard]] Result<KernelClockStatus> kernel_clock_status();

// CLOCK_REALTIME between two readings of `ticks` (a callable returning Ticks, such as os::read_tsc_ordered):
// the narrowest of `attempts`, as an interrupt or a page fault inside widens the others. attempts >= 1.
template <typename TickSource>
[[nodiscard]] clock::CrossReading cross_read(TickSource ticks, unsigned attempts) {
  clock::CrossReading best;
  for (unsigned i = 0; i < attempts; ++i) {
    clock::CrossReading reading;
    reading.before = ticks();
    reading.time = wall_now();
    reading.after = ticks();
    if (i == 0 || reading.after.value - reading.before.value < best.after.value - best.before.value)
      best = reading;
  }
  return best;
}

}  // namespace wiretime::os
