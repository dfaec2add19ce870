// SPDX-License-Identifier: BSD-3-Clause
// The clock that is steered. `kernel` is always what CLOCK_REALTIME reads; raw(kernel) is what the steered
// clock reads at that moment: the same for the system clock, something else for a clock that only exists as
// numbers (virtual_clock.hpp). Control thread.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::clock {

// What programs that ask the kernel about its clock are told.
struct KernelNotice {
  bool synchronised = false;
  double max_error = 0;        // s
  double estimated_error = 0;  // s
  Leap leap = Leap::none;      // insert or remove: the kernel is to do so at the end of this UTC day
  int tai_offset = 0;          // s, TAI - UTC; 0: leave what it has
};

class ClockDevice {
 public:
  virtual ~ClockDevice() = default;

  [[nodiscard]] virtual WallTime raw(WallTime kernel) const = 0;
  // What the clock is corrected by now, s/s; positive runs faster.
  [[nodiscard]] virtual double frequency() const = 0;
  [[nodiscard]] virtual Result<void> set_frequency(WallTime kernel, double frequency) = 0;
  // Forward for positive seconds.
  [[nodiscard]] virtual Result<void> step(WallTime kernel, double seconds) = 0;
  virtual void notify(const KernelNotice& /*notice*/) {}
  // False: nothing outside this process is changed.
  [[nodiscard]] virtual bool is_real() const { return true; }
};

}  // namespace wiretime::clock
