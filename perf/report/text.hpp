// SPDX-License-Identifier: BSD-3-Clause
// Load tests as lines of text: the final table, and the line that lives while a test runs.
// Rates and times are scaled to four significant characters: "812.5k", "10.96M", "12.3us", "1.20ms".
#pragma once

#include <cstddef>
#include <string>

#include "perf/report/result.hpp"

namespace wiretime::report {

[[nodiscard]] std::string format_rate(double per_second);
[[nodiscard]] std::string format_time(double ns);
[[nodiscard]] std::string format_percent(double share);  // 0.0012 is "0.12"; a share above 0 is never "0"

// What a run was, one line a step, then what the operator should know of it. Ends in a newline.
[[nodiscard]] std::string final_table(const Run& run);

struct Progress {
  std::size_t step = 0;  // from 1
  std::size_t steps = 0;
  double offered_rate = 0;  // 0: as many as possible
  double sent_rate = 0;     // since the last line
  double answered_rate = 0;
  double lost_share = 0;  // of those that have had their time to be answered
  double p99 = 0;         // response time in ns
};

// Always kProgressWidth columns, so that "\r" in front of the next one wipes it.
inline constexpr std::size_t kProgressWidth = 79;
[[nodiscard]] std::string progress_line(const Progress& progress);

}  // namespace wiretime::report
