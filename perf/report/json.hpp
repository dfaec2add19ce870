// SPDX-License-Identifier: BSD-3-Clause
// Runs and comparisons as JSON (the schema is in wireload-plot(1)). Reading is strict: every key is there,
// none is unknown, every number is in its range. Errors are "FILE:LINE: expected ..., found ..." where the
// text is no JSON and "FILE: steps[3].lost: expected ..., found ..." where the content is wrong.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "perf/report/comparison.hpp"
#include "perf/report/result.hpp"

namespace wiretime::report {

[[nodiscard]] std::string to_json(const Run& run);
// file: what errors call the text.
[[nodiscard]] Result<Run> run_from_json(std::string_view text, std::string_view file);
[[nodiscard]] Result<Comparison> comparison_from_json(std::string_view text, std::string_view file);

}  // namespace wiretime::report
