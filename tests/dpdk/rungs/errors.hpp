// SPDX-License-Identifier: BSD-3-Clause
// How wrong stamps were, and what that looks like in a table.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace wiretime::dpdk::test {

// s; of absolute values.
class Errors {
 public:
  void add(double error) {
    sum_ += error;
    values_.push_back(std::fabs(error));
    sorted_ = false;
  }
  [[nodiscard]] std::size_t count() const { return values_.size(); }
  [[nodiscard]] double mean() const {
    double sum = 0;
    for (const double v : values_) sum += v;
    return sum / static_cast<double>(values_.size());
  }
  [[nodiscard]] double bias() const { return sum_ / static_cast<double>(values_.size()); }  // with its sign
  [[nodiscard]] double quantile(double share) const {
    if (!sorted_) std::sort(values_.begin(), values_.end());
    sorted_ = true;
    const auto last = static_cast<double>(values_.size() - 1);
    return values_[static_cast<std::size_t>(share * last)];
  }
  [[nodiscard]] double median() const { return quantile(0.5); }
  [[nodiscard]] double most() const { return quantile(1); }
  [[nodiscard]] double rms() const {
    double sum = 0;
    for (const double v : values_) sum += v * v;
    return std::sqrt(sum / static_cast<double>(values_.size()));
  }

 private:
  mutable std::vector<double> values_;
  mutable bool sorted_ = false;
  double sum_ = 0;
};

}  // namespace wiretime::dpdk::test
