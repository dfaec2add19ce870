// SPDX-License-Identifier: BSD-3-Clause
#include "control/drift_file.hpp"

#include <fmt/format.h>

#include <cmath>
#include <sstream>

namespace wiretime::control {

std::optional<Drift> parse_drift(std::string_view text) {
  constexpr double kMostPpm = 1e6;
  std::istringstream in{std::string{text}};
  in.imbue(std::locale::classic());
  Drift drift;
  if (!(in >> drift.frequency_ppm >> drift.skew_ppm)) return std::nullopt;
  if (!std::isfinite(drift.frequency_ppm) || !std::isfinite(drift.skew_ppm)) return std::nullopt;
  if (std::fabs(drift.frequency_ppm) > kMostPpm || drift.skew_ppm < 0 || drift.skew_ppm > kMostPpm)
    return std::nullopt;
  return drift;
}

std::string format_drift(const Drift& drift) {
  return fmt::format("{:20.6f} {:20.6f}\n", drift.frequency_ppm, drift.skew_ppm);
}

}  // namespace wiretime::control
