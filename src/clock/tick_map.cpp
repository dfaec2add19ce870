// SPDX-License-Identifier: BSD-3-Clause
#include "clock/tick_map.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace wiretime::clock {

namespace {

constexpr std::int64_t kStepThresholdNs =
    20'000;                                  // plus what a 10 % slew could explain since the last reading
constexpr std::uint32_t kSlewPpb = 500'000;  // the kernel's largest ordinary slew: growth of the error bound

}  // namespace

double TickMap::ticks_per_second() const {
  if (rate_ == 0) return 0.0;
  return 4294967296.0 * std::ldexp(1.0, TimeSnapshot::kRateShift) / static_cast<double>(rate_);
}

std::int64_t TickMap::residual_ns(const Point& p) const {
  TimeSnapshot map;
  fill(map);
  return (p.time - map.time_at(p.ticks)).nanoseconds().count();
}

void TickMap::add(const CrossReading& reading) {
  if (reading.after < reading.before) return;
  const std::uint64_t half_width = (reading.after.value - reading.before.value) / 2;
  const Point p{{reading.before.value + half_width}, NtpTimestamp::from(reading.time), half_width};
  if (count_ > 0 && p.ticks <= newest().ticks) return;

  std::int64_t residual = 0;
  if (count_ > 0 && rate_ != 0) {
    residual = residual_ns(p);
    const auto elapsed_ns = (p.time - newest().time).nanoseconds().count();
    const std::int64_t explained = kStepThresholdNs + std::abs(elapsed_ns) / 10;
    if (std::abs(residual) > explained) {
      ++steps_;
      count_ = 0;
      residual = 0;
    }
  }
  points_[next_] = p;
  next_ = (next_ + 1) % kWindow;
  count_ = std::min(count_ + 1, kWindow);

  if (count_ > 1) {
    const Point& first = oldest();
    const auto ticks = p.ticks.value - first.ticks.value;
    const std::int64_t units = (p.time - first.time).units;
    if (units > 0) {
      const auto scaled = static_cast<unsigned __int128>(units) << TimeSnapshot::kRateShift;
      rate_ = static_cast<std::uint64_t>(scaled / ticks);
    }
  }
  // What the last interval taught about how wrong extrapolation gets, and what this reading may be wrong by.
  const double width_ns = rate_ == 0 ? 0.0 : static_cast<double>(half_width) / ticks_per_second() * 1e9;
  error_ns_ = static_cast<std::uint64_t>(width_ns) + static_cast<std::uint64_t>(std::abs(residual)) + 1;
}

void TickMap::fill(TimeSnapshot& snapshot) const {
  const Point& p = newest();
  snapshot.anchor_ticks = p.ticks;
  snapshot.anchor_time = p.time;
  snapshot.rate = rate_;
  snapshot.error_bound_ns = static_cast<std::uint32_t>(std::min<std::uint64_t>(error_ns_, UINT32_MAX));
  snapshot.error_growth_ppb = kSlewPpb;
}

}  // namespace wiretime::clock
