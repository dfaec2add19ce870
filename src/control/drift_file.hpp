// SPDX-License-Identifier: BSD-3-Clause
// The drift file: one line with the clock's own frequency error and its skew, both in ppm, as chronyd writes
// and reads it: positive is a clock that runs fast. Pure; os/files.hpp reads and writes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wiretime::control {

struct Drift {
  double frequency_ppm = 0;
  double skew_ppm = 0;
};

[[nodiscard]] std::optional<Drift> parse_drift(std::string_view text);
[[nodiscard]] std::string format_drift(const Drift& drift);

}  // namespace wiretime::control
