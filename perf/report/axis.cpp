// SPDX-License-Identifier: BSD-3-Clause
#include "perf/report/axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace wiretime::report {

namespace {

std::string labelled(double value, const std::array<std::string_view, 4>& units) {
  std::size_t i = 0;
  while (value >= 999.5 && i + 1 < units.size()) {
    value /= 1000;
    ++i;
  }
  return fmt::format("{:.3g}{}", value, units[i]);
}

}  // namespace

double Axis::at(double value) const noexcept {
  const double v = std::clamp(value, low_, high_);
  const double share =
      logarithmic_ ? std::log(v / low_) / std::log(high_ / low_) : (v - low_) / (high_ - low_);
  return from_ + share * (to_ - from_);
}

std::vector<double> Axis::ticks() const {
  if (!logarithmic_) return {low_, (low_ + high_) / 2, high_};
  constexpr double kRoom = 90;  // pixels a decade must have for ticks between
  const bool between = std::abs(to_ - from_) >= kRoom * std::log10(high_ / low_);
  constexpr double kEdge = 1e-9;  // a tick on the edge is one in spite of rounding
  std::vector<double> out;
  for (double decade = std::floor(std::log10(low_)); decade <= std::log10(high_) + kEdge; ++decade) {
    for (const double part : {1.0, 2.0, 5.0}) {
      const double value = part * std::pow(10, decade);
      const bool shown = part == 1 || between;
      if (shown && value >= low_ * (1 - kEdge) && value <= high_ * (1 + kEdge)) out.push_back(value);
    }
  }
  return out;
}

double round_up(double value) noexcept {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (const double part : {1.0, 2.0, 5.0})
    if (part * decade >= value * (1 - 1e-9)) return part * decade;
  return 10 * decade;
}

std::string rate_label(double per_second) {
  return labelled(per_second, {"", "k", "M", "G"});
}

std::string time_label(double ns) {
  return labelled(ns, {" ns", " \u00b5s", " ms", " s"});
}

}  // namespace wiretime::report
