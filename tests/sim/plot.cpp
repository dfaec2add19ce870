// SPDX-License-Identifier: BSD-3-Clause
#include "sim/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace wiretime::sim {

namespace {

constexpr double kWidth = 1000, kHeight = 400, kMargin = 60;

// Five times the RMS error fills the height: the start, which is thousands of times larger, is cut off.
double full_scale(const RunResult& r) {
  return std::max(5 * r.rms_error, 1e-9);
}

}  // namespace

bool write_plot(const std::string& path, const Scenario& scenario, const RunResult& r) {
  const double scale = full_scale(r);
  const std::size_t n = r.errors.size();
  const std::size_t step = std::max<std::size_t>(n / 4000, 1);
  std::string points;
  for (std::size_t i = 0; i < n; i += step) {
    const double x = kMargin + (kWidth - kMargin) * static_cast<double>(i) / static_cast<double>(n);
    const double y = kHeight / 2 - std::clamp(r.errors[i] / scale, -1.0, 1.0) * kHeight / 2;
    points += fmt::format("{:.1f},{:.1f} ", x, y);
  }
  std::ofstream file{path};
  file << fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 -30 {0} {1}' font-family='sans-serif' "
      "font-size='13'>\n"
      "<rect y='-30' width='{0}' height='{1}' fill='white'/>\n"
      "<text x='{2}' y='-10'>{3}: {4}; {5} s, RMS error {6:.3g} s</text>\n"
      "<path d='M{2} 0V{7}M{2} {8}H{0}' stroke='#888' fill='none'/>\n"
      "<text x='0' y='12'>{9:+.2g} s</text><text x='0' y='{8}'>0</text><text x='0' y='{7}'>{10:+.2g} "
      "s</text>\n"
      "<polyline fill='none' stroke='#06c' points='{11}'/>\n</svg>\n",
      kWidth, kHeight + 60, kMargin, scenario.name, scenario.what, n, r.rms_error, kHeight, kHeight / 2,
      scale, -scale, points);
  file.close();
  return file.good();
}

}  // namespace wiretime::sim
