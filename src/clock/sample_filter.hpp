// SPDX-License-Identifier: BSD-3-Clause
// Several samples made into one: the `filter` of an NTP source (the quicker packets count) and the median
// filter of a reference clock (the middle ones count). Control thread; pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "clock/sample.hpp"

namespace wiretime::clock {

enum class FilterKind : std::uint8_t {
  network,  // drops the samples with the longest delay
  median,   // drops the samples with the extreme offsets
};

class SampleFilter {
 public:
  // Of what is collected, about 40 % is dropped.
  static constexpr double kKept = 0.6;

  // `length`: 1.. samples kept, the oldest give way. A result needs 4 of them, or all when fewer are asked
  // for (all of them with `full`).
  SampleFilter(FilterKind kind, std::size_t length, bool full);

  // Samples come in order of time, others are ignored (false).
  bool add(const Sample& sample);
  // Takes the result, if there are enough samples, and starts collecting anew. Its time is the mean of the
  // samples used, its dispersion their standard error beside their own least dispersion.
  [[nodiscard]] std::optional<Sample> take();
  [[nodiscard]] bool full() const { return samples_.size() >= length_; }
  [[nodiscard]] std::size_t samples() const { return samples_.size(); }
  void shift(const ClockChange& change);
  void reset() { samples_.clear(); }

 private:
  FilterKind kind_;
  std::size_t length_;
  std::size_t needed_;
  std::vector<Sample> samples_;  // oldest first
};

}  // namespace wiretime::clock
