// SPDX-License-Identifier: BSD-3-Clause
// A comparison as a picture: a horizontal bar for each server, grouped by link, with its ratio to what the
// link carries.
#pragma once

#include <string>

#include "perf/report/comparison.hpp"

namespace wiretime::report {

// A whole SVG document. Each link has its own scale; bars are medians, whiskers reach from the least to the
// most.
[[nodiscard]] std::string bars_svg(const Comparison& comparison);

}  // namespace wiretime::report
