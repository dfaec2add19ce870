// SPDX-License-Identifier: BSD-3-Clause
#include "clock/temperature.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr std::string_view kBlank = " \t\r\n";

std::optional<double> take_number(std::string_view& text) {
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return std::nullopt;
  text.remove_prefix(first);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty() && kBlank.find(text.front()) == std::string_view::npos) return std::nullopt;
  return value;
}

}  // namespace

std::optional<double> parse_temperature(std::string_view text) {
  return take_number(text);
}

TemperatureCurve TemperatureCurve::parabola(double t0, double k0, double k1, double k2) {
  TemperatureCurve curve;
  curve.t0_ = t0;
  curve.k0_ = k0;
  curve.k1_ = k1;
  curve.k2_ = k2;
  return curve;
}

Result<TemperatureCurve> TemperatureCurve::points(std::string_view text) {
  TemperatureCurve curve;
  for (int line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view rest = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto first = rest.find_first_not_of(kBlank);
    if (first == std::string_view::npos || rest[first] == '#') continue;
    const auto temperature = take_number(rest);
    const auto ppm = take_number(rest);
    if (!temperature || !ppm) return fail(fmt::format("line {}: expected a temperature and ppm", line));
    if (!curve.points_.empty() && *temperature <= curve.points_.back().temperature)
      return fail(fmt::format("line {}: expected a higher temperature than on the line before", line));
    curve.points_.push_back({*temperature, *ppm});
  }
  if (curve.points_.size() < 2) return fail("expected at least two points");
  return curve;
}

double TemperatureCurve::at(double temperature) const {
  if (points_.empty()) {
    const double d = temperature - t0_;
    return k0_ + d * k1_ + d * d * k2_;
  }
  std::size_t i = 1;
  while (i + 1 < points_.size() && points_[i].temperature < temperature) ++i;
  const Point& a = points_[i - 1];
  const Point& b = points_[i];
  return a.ppm + (temperature - a.temperature) / (b.temperature - a.temperature) * (b.ppm - a.ppm);
}

}  // namespace wiretime::clock
