// SPDX-License-Identifier: BSD-3-Clause
// Error over time of one run, as an SVG that any browser shows.
#pragma once

#include <string>

#include "sim/scenarios.hpp"

namespace wiretime::sim {

// False: the file cannot be written.
[[nodiscard]] bool write_plot(const std::string& path, const Scenario& scenario, const RunResult& result);

}  // namespace wiretime::sim
