// SPDX-License-Identifier: BSD-3-Clause
// Values to pixels along one side of a panel, and where its ticks stand.
#pragma once

#include <string>
#include <vector>

namespace wiretime::report {

class Axis {
 public:
  // The low end of the values stands at pixel `from`, the high end at `to`. A logarithmic axis needs 0 < low
  // < high.
  static Axis linear(double low, double high, double from, double to) { return {low, high, from, to, false}; }
  static Axis logarithmic(double low, double high, double from, double to) {
    return {low, high, from, to, true};
  }

  // What lies outside is drawn on the edge.
  [[nodiscard]] double at(double value) const noexcept;
  // Decades, with 2 and 5 between them where there are few; of a linear axis both ends and the middle.
  [[nodiscard]] std::vector<double> ticks() const;

  [[nodiscard]] double low() const noexcept { return low_; }
  [[nodiscard]] double high() const noexcept { return high_; }
  [[nodiscard]] double from() const noexcept { return from_; }
  [[nodiscard]] double to() const noexcept { return to_; }

 private:
  Axis(double low, double high, double from, double to, bool logarithmic)
      : low_{low}, high_{high}, from_{from}, to_{to}, logarithmic_{logarithmic} {}

  double low_, high_, from_, to_;
  bool logarithmic_;
};

// The least of 1, 2, 5 times a power of ten that is not below value, which is positive.
[[nodiscard]] double round_up(double value) noexcept;

[[nodiscard]] std::string rate_label(double per_second);  // "200k"
[[nodiscard]] std::string time_label(double ns);          // "20 µs"

}  // namespace wiretime::report
