// SPDX-License-Identifier: BSD-3-Clause
#include "control/clock_steering.hpp"

namespace wiretime::control {

namespace {

constexpr double kFastest = 0;  // s: as fast as maxslewrate lets it

}  // namespace

Result<clock::ClockAction> ClockSteering::update(WallTime kernel, const clock::ClockEstimate& estimate) {
  const clock::ClockAction action = discipline_.update(device_.raw(kernel), estimate);
  if (action.kind == clock::UpdateKind::ignored || action.kind == clock::UpdateKind::give_up) return action;
  if (auto ok = apply_frequency(kernel); !ok) return tl::make_unexpected(ok.error());
  if (action.step != 0)
    if (auto ok = device_.step(kernel, action.step); !ok) return tl::make_unexpected(ok.error());
  return action;
}

Result<void> ClockSteering::step(WallTime kernel, double offset) {
  const double amount = discipline_.model().step(device_.raw(kernel), offset);
  if (auto ok = apply_frequency(kernel); !ok) return ok;
  return device_.step(kernel, amount);
}

Result<double> ClockSteering::step_remaining(WallTime kernel) {
  const double amount = discipline_.step_remaining(device_.raw(kernel));
  if (auto ok = apply_frequency(kernel); !ok) return tl::make_unexpected(ok.error());
  if (auto ok = device_.step(kernel, amount); !ok) return tl::make_unexpected(ok.error());
  return amount;
}

Result<void> ClockSteering::step_leap(WallTime kernel, double seconds) {
  const WallTime raw = device_.raw(kernel);
  if (auto ok = device_.step(kernel, seconds); !ok) return ok;
  discipline_.model().moved(raw, seconds);
  return {};
}

Result<void> ClockSteering::hold(WallTime before, WallTime after) {
  return device_.step(after, clock::seconds_between(device_.raw(after), device_.raw(before)));
}

Result<void> ClockSteering::compensate(WallTime kernel, double frequency) {
  compensation_ = frequency;
  return apply_frequency(kernel);
}

Result<clock::ClockChange> ClockSteering::adjust(WallTime kernel, double frequency_change, double offset) {
  clock::ClockChange change{cooked(kernel), 0, offset};
  change.frequency = discipline_.model().adjust(device_.raw(kernel), frequency_change, offset, kFastest);
  if (auto ok = apply_frequency(kernel); !ok) return tl::make_unexpected(ok.error());
  return change;
}

std::optional<double> ClockSteering::slew_left(WallTime kernel) const {
  const auto deadline = discipline_.model().deadline();
  if (!deadline) return std::nullopt;
  // The steered clock runs fast or slow while it is slewed.
  const double rate = 1 + discipline_.model().kernel_frequency();
  return clock::seconds_between(device_.raw(kernel), *deadline) / rate;
}

Result<void> ClockSteering::service(WallTime kernel) {
  if (!discipline_.model().service(device_.raw(kernel))) return {};
  return apply_frequency(kernel);
}

}  // namespace wiretime::control
