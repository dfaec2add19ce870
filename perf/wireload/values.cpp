// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/values.hpp"

#include <cctype>
#include <charconv>
#include <cmath>

namespace wiretime::load {

namespace {

// The number in front and what stands behind it.
struct Number {
  double value = 0;
  std::string_view unit;
};

std::optional<Number> parse_number(std::string_view text) {
  Number n;
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text.front())) == 0) return std::nullopt;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), n.value, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(n.value)) return std::nullopt;
  n.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return n;
}

std::optional<double> plain(std::string_view text) {
  const auto n = parse_number(text);
  if (!n || !n->unit.empty()) return std::nullopt;
  return n->value;
}

}  // namespace

std::optional<double> parse_quantity(std::string_view text) {
  const auto n = parse_number(text);
  if (!n || n->value <= 0) return std::nullopt;
  if (n->unit.empty()) return n->value;
  if (n->unit == "k" || n->unit == "K") return n->value * 1e3;
  if (n->unit == "M") return n->value * 1e6;
  if (n->unit == "G") return n->value * 1e9;
  return std::nullopt;
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  const auto value = parse_quantity(text);
  constexpr double kMost = 1e15;
  if (!value || *value > kMost || std::floor(*value) != *value) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::optional<std::chrono::nanoseconds> parse_time(std::string_view text) {
  const auto n = parse_number(text);
  if (!n || n->value <= 0) return std::nullopt;
  const double unit = n->unit == "ns"                      ? 1
                      : n->unit == "us"                    ? 1e3
                      : n->unit == "ms"                    ? 1e6
                      : n->unit == "s" || n->unit.empty()  ? 1e9
                      : n->unit == "min" || n->unit == "m" ? 60e9
                      : n->unit == "h"                     ? 3600e9
                                                           : 0;
  constexpr double kMost = 1e17;  // three years
  const double ns = n->value * unit;
  if (unit == 0 || ns < 1 || ns > kMost) return std::nullopt;
  return std::chrono::nanoseconds{std::llround(ns)};
}

std::optional<double> parse_share(std::string_view text) {
  const std::size_t slash = text.find('/');
  std::optional<double> share;
  if (slash != std::string_view::npos) {
    const auto top = plain(text.substr(0, slash));
    const auto bottom = plain(text.substr(slash + 1));
    if (top && bottom && *bottom > 0) share = *top / *bottom;
  } else if (!text.empty() && text.back() == '%') {
    share = plain(text.substr(0, text.size() - 1));
    if (share) *share /= 100;
  } else {
    share = plain(text);
  }
  if (share && *share > 1) return std::nullopt;
  return share;
}

}  // namespace wiretime::load
