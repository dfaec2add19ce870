// SPDX-License-Identifier: BSD-3-Clause
#include "clock/manual_input.hpp"

#include <algorithm>

namespace wiretime::clock {

namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

std::optional<ManualInput::Estimate> ManualInput::add(WallTime now, double offset) {
  if (!samples_.empty() && seconds_between(samples_.back().when, now) < kLeastInterval) return std::nullopt;
  if (samples_.size() == kMostSamples) samples_.erase(samples_.begin());
  samples_.push_back({now, offset, offset, offset});
  return estimate(now);
}

std::optional<ManualInput::Estimate> ManualInput::remove(std::size_t index, WallTime now) {
  if (index >= samples_.size()) return std::nullopt;
  samples_.erase(samples_.begin() + static_cast<std::ptrdiff_t>(index));
  return estimate(now);
}

ManualInput::Estimate ManualInput::estimate(WallTime now) {
  if (samples_.empty()) return {};
  std::vector<double> slopes;
  for (std::size_t i = 0; i < samples_.size(); ++i)
    for (std::size_t j = i + 1; j < samples_.size(); ++j)
      slopes.push_back((samples_[j].offset - samples_[i].offset) /
                       seconds_between(samples_[i].when, samples_[j].when));
  Estimate line;
  if (!slopes.empty()) line.frequency = median(std::move(slopes));
  std::vector<double> offsets;
  for (const Sample& s : samples_)
    offsets.push_back(s.offset + line.frequency * seconds_between(s.when, now));
  line.offset = median(offsets);
  for (std::size_t i = 0; i < samples_.size(); ++i) samples_[i].residual = offsets[i] - line.offset;
  return line;
}

void ManualInput::shift(const ClockChange& change) {
  for (Sample& s : samples_) {
    const double moved = change.moved(s.when);
    s.offset -= moved;
    s.when = advanced(s.when, moved);
  }
}

}  // namespace wiretime::clock
