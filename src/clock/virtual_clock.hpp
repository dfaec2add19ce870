// SPDX-License-Identifier: BSD-3-Clause
// The clock device of -x and -Q: a clock that starts as the kernel's and from then on is steered as numbers
// only. What is served from it is right although the kernel's clock is left alone. Control thread; pure.
#pragma once

#include "clock/device.hpp"
#include "clock/sample.hpp"

namespace wiretime::clock {

class VirtualClock final : public ClockDevice {
 public:
  [[nodiscard]] WallTime raw(WallTime kernel) const override { return advanced(kernel, offset_at(kernel)); }
  [[nodiscard]] double frequency() const override { return frequency_; }
  [[nodiscard]] Result<void> set_frequency(WallTime kernel, double frequency) override {
    offset_ = offset_at(kernel);
    anchor_ = kernel;
    frequency_ = frequency;
    return {};
  }
  [[nodiscard]] Result<void> step(WallTime /*kernel*/, double seconds) override {
    offset_ += seconds;
    return {};
  }
  [[nodiscard]] bool is_real() const override { return false; }

 private:
  [[nodiscard]] double offset_at(WallTime kernel) const {
    return offset_ + frequency_ * seconds_between(anchor_, kernel);
  }

  WallTime anchor_{};  // kernel's
  double offset_ = 0;  // s, at anchor_
  double frequency_ = 0;
};

}  // namespace wiretime::clock
