// SPDX-License-Identifier: BSD-3-Clause
// The part of the metrics page that no chronyd has: families called wiretime_, about workers, ports and
// cards. Control thread.
#pragma once

#include "base/time.hpp"
#include "status/exposition.hpp"
#include "status/report.hpp"

namespace wiretime::status {

void write_own_families(Exposition& out, const Report& report);

// As the page tells points in time.
[[nodiscard]] inline double unix_seconds(WallTime t) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(t);
  return static_cast<double>(whole.time_since_epoch().count()) +
         static_cast<double>((t - whole).count()) / 1e9;
}

}  // namespace wiretime::status
