// SPDX-License-Identifier: BSD-3-Clause
// Reads what a metrics endpoint says: the text exposition format 0.0.4 in an HTTP response. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace wiretime::doctor {

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;

  [[nodiscard]] std::string label(const std::string& key) const;  // empty: it has none
};

// What follows the head of a response with status 200.
[[nodiscard]] Result<std::string_view> body_of(std::string_view response);

// Comments are left out, and so is what is no sample.
[[nodiscard]] std::vector<Sample> read_metrics(std::string_view page);
[[nodiscard]] std::optional<Sample> read_sample(std::string_view line);

}  // namespace wiretime::doctor
