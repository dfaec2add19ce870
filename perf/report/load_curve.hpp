// SPDX-License-Identifier: BSD-3-Clause
// Runs as one picture: answers, loss and response time over the rate of the requests.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "perf/report/result.hpp"

namespace wiretime::report {

// A whole SVG document. The requests a second are those that were sent, not those asked for: a generator that
// falls short does not look like a server that drops. An empty title is made from the runs.
[[nodiscard]] std::string load_curve_svg(std::span<const Run> runs, std::string_view title);

}  // namespace wiretime::report
