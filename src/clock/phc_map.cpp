// SPDX-License-Identifier: BSD-3-Clause
#include "clock/phc_map.hpp"

#include <algorithm>
#include <cmath>

#include "clock/regression.hpp"

namespace wiretime::clock {

namespace {

constexpr double kStep = 1e-3;  // s: more than any slew does between two readings
// Readings this much slower than the quickest are as good: the bus has its own jitter.
constexpr double kAsQuick = 1.1;
constexpr Nanoseconds kAsQuickToo{20};

}  // namespace

std::optional<ClockReading> best_reading(std::span<const CrossStamp> stamps) {
  const auto delay = [](const CrossStamp& s) { return s.after - s.before; };
  const CrossStamp* quickest = nullptr;
  for (const CrossStamp& s : stamps)
    if (delay(s).count() >= 0 && (quickest == nullptr || delay(s) < delay(*quickest))) quickest = &s;
  if (quickest == nullptr) return std::nullopt;
  const Nanoseconds least = delay(*quickest);
  const double limit = std::max(kAsQuick * static_cast<double>(least.count()),
                                static_cast<double>((least + kAsQuickToo).count()));
  const auto twice_offset = [](const CrossStamp& s) { return (s.device - s.before) + (s.device - s.after); };
  double sum = 0;
  double count = 0;
  for (const CrossStamp& s : stamps) {
    if (delay(s).count() < 0 || static_cast<double>(delay(s).count()) > limit) continue;
    sum += static_cast<double>((twice_offset(s) - twice_offset(*quickest)).count()) / 2;
    ++count;
  }
  const Nanoseconds half{least / 2};
  ClockReading reading = reading_of(quickest->before + half, quickest->device);
  // What halving in whole nanoseconds lost, and what the others say.
  reading.fraction +=
      (static_cast<double>(half.count()) - static_cast<double>(least.count()) / 2 + sum / count) * 1e-9;
  reading.error = static_cast<double>(least.count()) / 2 * 1e-9;
  return reading;
}

WallTime PhcMap::device_time(const ClockReading& r) {
  return advanced(r.system + std::chrono::seconds{r.seconds}, r.fraction);
}

void PhcMap::add(const ClockReading& reading) {
  if (const auto expected = system_time(device_time(reading)))
    if (std::fabs(seconds_between(expected->system, reading.system)) > kStep) readings_.clear();
  if (!readings_.empty() && device_time(reading) <= device_time(readings_.back())) readings_.clear();
  readings_.push_back(reading);
  if (readings_.size() > size_.most) readings_.erase(readings_.begin());
}

std::optional<PhcMap::Moment> PhcMap::system_time(WallTime device) const {
  if (readings_.size() < size_.least) return std::nullopt;
  const ClockReading& last = readings_.back();
  const WallTime origin = device_time(last);
  std::vector<Point> points;
  for (const ClockReading& r : readings_) {
    const double apart = static_cast<double>(r.seconds - last.seconds) + (r.fraction - last.fraction);
    points.push_back({seconds_between(origin, device_time(r)), apart, 1});
  }
  const auto line = fit_window(points, size_.least);
  if (!line) return std::nullopt;
  const double offset = last.fraction + line->offset + line->frequency * seconds_between(origin, device);
  Moment moment;
  moment.system = advanced(device - std::chrono::seconds{last.seconds}, -offset);
  moment.error = last.error + line->offset_sd;
  return moment;
}

}  // namespace wiretime::clock
