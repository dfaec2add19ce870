// SPDX-License-Identifier: BSD-3-Clause
// Carries what the discipline decides to a clock device, and tells the corrected ("cooked") time between
// updates: what is served, and what stamps are taken in. Control thread; pure but for the device.
#pragma once

#include <optional>

#include "base/result.hpp"
#include "clock/device.hpp"
#include "clock/discipline.hpp"

namespace wiretime::control {

class ClockSteering {
 public:
  // `frequency` (s/s, of the steered clock now) and `skew`: from the drift file or the device.
  ClockSteering(const clock::DisciplineConfig& config, clock::ClockDevice& device, double frequency,
                double skew)
      : device_{device}, discipline_{config, frequency, skew} {}

  [[nodiscard]] WallTime cooked(WallTime kernel) const {
    return discipline_.model().cooked(device_.raw(kernel));
  }
  // s, to add to the kernel's clock for the time.
  [[nodiscard]] double correction(WallTime kernel) const {
    return clock::seconds_between(kernel, cooked(kernel));
  }

  // What was done; samples and stamps are then to be shifted by it at cooked time estimate.time.
  [[nodiscard]] Result<clock::ClockAction> update(WallTime kernel, const clock::ClockEstimate& estimate);
  // Only adds `offset` to the clock, at once.
  [[nodiscard]] Result<void> step(WallTime kernel, double offset);
  // makestep: what is still to be slewed, at once. The amount.
  [[nodiscard]] Result<double> step_remaining(WallTime kernel);
  // Moves the clock by a leap second, which `seconds` is (-1: one inserted), at once; what is being slewed
  // goes on.
  [[nodiscard]] Result<void> step_leap(WallTime kernel, double seconds);
  // The steered clock runs faster by `frequency` (s/s) than the discipline thinks, to make up for what its
  // temperature does.
  [[nodiscard]] Result<void> compensate(WallTime kernel, double frequency);
  // chronyc doffset, dfreq: as an update would, without one.
  [[nodiscard]] Result<clock::ClockChange> adjust(WallTime kernel, double frequency_change, double offset);

  // s until service() is due; nothing while no slew is on.
  [[nodiscard]] std::optional<double> slew_left(WallTime kernel) const;
  [[nodiscard]] Result<void> service(WallTime kernel);
  // Somebody else moved the kernel's clock, which would have read `before`, by `delta` seconds.
  void moved(WallTime before, double delta) { discipline_.model().moved(device_.raw(before), delta); }
  // The same for a clock that is not the kernel's: it is to go on as if it had not happened.
  [[nodiscard]] Result<void> hold(WallTime before, WallTime after);
  // The slew ends here, whatever remains of it.
  [[nodiscard]] Result<void> end(WallTime kernel) {
    static_cast<void>(discipline_.model().step(device_.raw(kernel), 0));
    return apply_frequency(kernel);
  }
  // Sets the device to the frequency we started with (the drift file's).
  [[nodiscard]] Result<void> begin(WallTime kernel) { return apply_frequency(kernel); }

  [[nodiscard]] clock::Discipline& discipline() { return discipline_; }
  [[nodiscard]] const clock::Discipline& discipline() const { return discipline_; }
  [[nodiscard]] clock::ClockDevice& device() { return device_; }
  [[nodiscard]] const clock::ClockDevice& device() const { return device_; }

 private:
  [[nodiscard]] Result<void> apply_frequency(WallTime kernel) {
    const double wanted = discipline_.model().kernel_frequency();
    return device_.set_frequency(kernel, (1 + wanted) * (1 + compensation_) - 1);
  }

  clock::ClockDevice& device_;
  clock::Discipline discipline_;
  double compensation_ = 0;  // s/s
};

}  // namespace wiretime::control
