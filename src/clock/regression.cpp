// SPDX-License-Identifier: BSD-3-Clause
#include "clock/regression.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr std::size_t kMinPoints = 3;  // two define the line, the third its error

struct Residuals {
  unsigned runs = 0;
  std::size_t positive = 0;
  std::size_t negative = 0;
};

Residuals count_runs(std::span<const Point> points, double offset, double frequency) {
  Residuals r;
  bool last_positive = false;
  for (const Point& p : points) {
    const bool positive = p.offset - (offset + frequency * p.time) >= 0;
    if (r.runs == 0 || positive != last_positive) ++r.runs;
    last_positive = positive;
    ++(positive ? r.positive : r.negative);
  }
  return r;
}

}  // namespace

double student_t(std::size_t degrees) {
  static constexpr std::array<double, 10> kFirst{12.706, 4.303, 3.182, 2.776, 2.571,
                                                 2.447,  2.365, 2.306, 2.262, 2.228};
  if (degrees == 0) return kFirst[0];
  if (degrees <= kFirst.size()) return kFirst[degrees - 1];
  // Cornish-Fisher expansion about the normal quantile, good to 1e-3 from here on.
  constexpr double z = 1.959964;
  const double n = static_cast<double>(degrees);
  const double z3 = z * z * z;
  const double z5 = z3 * z * z;
  return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n);
}

bool too_few_runs(unsigned runs, std::size_t positive, std::size_t negative) {
  const double n1 = static_cast<double>(positive);
  const double n2 = static_cast<double>(negative);
  const double n = n1 + n2;
  if (n1 < 1 || n2 < 1 || n < 4) return false;  // the test says nothing
  const double product = 2 * n1 * n2;
  const double mean = product / n + 1;
  const double variance = product * (product - n) / (n * n * (n - 1));
  if (variance <= 0) return false;
  return (static_cast<double>(runs) + 0.5 - mean) / std::sqrt(variance) < -1.645;
}

std::optional<LineFit> fit_line(std::span<const Point> points) {
  if (points.size() < kMinPoints) return std::nullopt;
  double w_sum = 0;
  double wt = 0;
  double wx = 0;
  for (const Point& p : points) {
    const double w = 1 / (p.sigma * p.sigma);
    w_sum += w;
    wt += w * p.time;
    wx += w * p.offset;
  }
  const double mean_t = wt / w_sum;
  const double mean_x = wx / w_sum;
  double s_tt = 0;
  double s_tx = 0;
  for (const Point& p : points) {
    const double w = 1 / (p.sigma * p.sigma);
    s_tt += w * (p.time - mean_t) * (p.time - mean_t);
    s_tx += w * (p.time - mean_t) * (p.offset - mean_x);
  }
  if (!(s_tt > 0)) return std::nullopt;

  LineFit fit;
  fit.samples = points.size();
  fit.frequency = s_tx / s_tt;
  fit.offset = mean_x - fit.frequency * mean_t;
  double chi = 0;
  for (const Point& p : points) {
    const double residual = (p.offset - (fit.offset + fit.frequency * p.time)) / p.sigma;
    chi += residual * residual;
  }
  const std::size_t degrees = points.size() - 2;
  const double unit_variance = chi / static_cast<double>(degrees);
  fit.frequency_sd = std::sqrt(unit_variance / s_tt);
  fit.offset_sd = std::sqrt(unit_variance * (1 / w_sum + mean_t * mean_t / s_tt));
  fit.residual_sd = std::sqrt(unit_variance * static_cast<double>(points.size()) / w_sum);
  fit.skew = fit.frequency_sd * student_t(degrees);
  fit.runs = count_runs(points, fit.offset, fit.frequency).runs;
  return fit;
}

std::optional<LineFit> fit_window(std::span<const Point> points, std::size_t min_samples) {
  const std::size_t least = std::max(min_samples, kMinPoints);
  std::size_t first = 0;
  while (true) {
    const auto window = points.subspan(first);
    auto fit = fit_line(window);
    if (!fit) return std::nullopt;
    const Residuals r = count_runs(window, fit->offset, fit->frequency);
    if (window.size() <= least || !too_few_runs(r.runs, r.positive, r.negative)) {
      fit->first = first;
      return fit;
    }
    // A line through a curve keeps failing: dropping one at a time would cost O(n^2) for nothing.
    first += std::min(std::max<std::size_t>(1, window.size() / 16), window.size() - least);
  }
}

}  // namespace wiretime::clock
