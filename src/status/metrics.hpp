// SPDX-License-Identifier: BSD-3-Clause
// The metrics page: a Report as Prometheus text. Families called chrony_ carry the names, labels and units
// that existing dashboards for chronyd query; what is ours alone is called wiretime_. Control thread.
#pragma once

#include <string>
#include <string_view>

#include "status/report.hpp"

namespace wiretime::status {

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// A value that is not known now is left out rather than written as 0.
[[nodiscard]] std::string render_metrics(const Report& report);

}  // namespace wiretime::status
