// SPDX-License-Identifier: BSD-3-Clause
// Findings for people and for programs. Pure.
#pragma once

#include <string>

#include "deploy/doctor/finding.hpp"

namespace wiretime::doctor {

// A line each, columns aligned, and one that sums up.
[[nodiscard]] std::string to_text(const Findings& findings, bool colours);
// {"findings": [{"level", "about", "topic", "what", "next"}], "summary": {"ok", "note", "warning",
// "problem"}}
[[nodiscard]] std::string to_json(const Findings& findings);

[[nodiscard]] int exit_status(const Findings& findings);  // 1: a problem was found

}  // namespace wiretime::doctor
