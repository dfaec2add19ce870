// SPDX-License-Identifier: BSD-3-Clause
// CLOCK_REALTIME as a clock device: frequency by tick and freq of adjtimex, steps by ADJ_SETOFFSET. Opening
// it takes the clock over from the kernel's own PLL. Needs CAP_SYS_TIME. Control thread.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "clock/device.hpp"

namespace wiretime::os {

// How a frequency is told to the kernel. Pure.
struct KernelFrequency {
  long tick = 0;  // us per 1/100 s: steps of 100 ppm
  long freq = 0;  // ppm with a 16-bit fraction, within +-500 ppm

  // s/s; limited to what the kernel accepts, 10 % either way.
  [[nodiscard]] static KernelFrequency from(double frequency) noexcept;
  [[nodiscard]] double value() const noexcept;
};

class SystemClock final : public clock::ClockDevice {
 public:
  struct Settings {
    bool report_synchronised = false;  // rtcsync: the kernel copies its clock to the RTC while synchronised
  };
  // The error says what to do without the privilege.
  [[nodiscard]] static Result<std::unique_ptr<SystemClock>> open(const Settings& settings);

  [[nodiscard]] WallTime raw(WallTime kernel) const override { return kernel; }
  [[nodiscard]] double frequency() const override { return frequency_; }
  [[nodiscard]] Result<void> set_frequency(WallTime kernel, double frequency) override;
  [[nodiscard]] Result<void> step(WallTime kernel, double seconds) override;
  void notify(const clock::KernelNotice& notice) override;

 private:
  SystemClock(const Settings& settings, double frequency) : settings_{settings}, frequency_{frequency} {}

  Settings settings_;
  double frequency_;
};

}  // namespace wiretime::os
