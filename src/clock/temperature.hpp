// SPDX-License-Identifier: BSD-3-Clause
// How much faster the clock must run at a temperature (`tempcomp`): a parabola, as crystals have, or a line
// from point to point. Control thread; pure: what sensor and file say comes in.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace wiretime::clock {

// The number a sensor's file begins with, in whatever unit it has.
[[nodiscard]] std::optional<double> parse_temperature(std::string_view text);

class TemperatureCurve {
 public:
  static constexpr double kMostPpm = 10;  // beyond, the sensor or the curve is wrong

  // k0 + (T - t0) k1 + (T - t0)^2 k2, ppm.
  [[nodiscard]] static TemperatureCurve parabola(double t0, double k0, double k1, double k2);
  // Lines "temperature ppm", in order of temperature, at least two; the outer pieces go on for ever.
  [[nodiscard]] static Result<TemperatureCurve> points(std::string_view text);

  // ppm; may be beyond kMostPpm.
  [[nodiscard]] double at(double temperature) const;

 private:
  struct Point {
    double temperature;
    double ppm;
  };
  double t0_ = 0, k0_ = 0, k1_ = 0, k2_ = 0;
  std::vector<Point> points_;  // none: the parabola
};

}  // namespace wiretime::clock
