// SPDX-License-Identifier: BSD-3-Clause
// Several samples made into one: the `filter` of an NTP source (the quicker packets count) and the median
// filter of a reference clock (the middle ones count). Control thread; pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
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

  // `length`: 1.. samples kept, the oldest give way. The network filter gives a result when it is full, the
  // median filter whenever there is a sample. `max_spread`: s, results of more scattered samples are dropped;
  // 0: never.
  SampleFilter(FilterKind kind, std::size_t length, double max_spread = 0);

  // Samples come in order of time, others are ignored (false).
  bool add(const Sample& sample);
  // Takes the result, if there are enough samples, and starts collecting anew. Its time is the mean of the
  // samples used, its dispersion their standard error beside their own least dispersion.
  [[nodiscard]] std::optional<Sample> take();
  [[nodiscard]] bool full() const { return samples_.size() >= length_; }
  [[nodiscard]] std::size_t samples() const { return samples_.size(); }
  // The newest sample added, also after take().
  [[nodiscard]] const std::optional<Sample>& last() const { return last_; }
  // s: standard deviation of single samples, over the last results.
  [[nodiscard]] double spread() const;
  void shift(const ClockChange& change);
  void reset();

 private:
  [[nodiscard]] Sample mean_of(std::span<const Sample> used, double error) const;
  void learn(double variance, double degrees);

  FilterKind kind_;
  std::size_t length_;
  double max_spread_;
  double variance_ = 0;  // of samples, pooled over some tens of them
  double degrees_ = 0;   // of freedom that it stands for
  std::optional<Sample> last_;
  std::vector<Sample> samples_;  // oldest first
};

}  // namespace wiretime::clock
