// SPDX-License-Identifier: BSD-3-Clause
// For tests: the findings of one topic.
#pragma once

#include <algorithm>
#include <string_view>

#include "catch.hpp"
#include "deploy/doctor/finding.hpp"

namespace wiretime::doctor {

inline Findings about(const Findings& all, std::string_view topic) {
  Findings found;
  std::copy_if(all.begin(), all.end(), std::back_inserter(found),
               [&](const Finding& f) { return f.topic == topic; });
  return found;
}

inline Finding only(const Findings& all, std::string_view topic) {
  const Findings found = about(all, topic);
  INFO(topic);
  REQUIRE(found.size() == 1);
  return found.front();
}

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace wiretime::doctor
