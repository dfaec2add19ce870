// SPDX-License-Identifier: BSD-3-Clause
// What this build can do, as `wiretimed -v` and the first log line say it: chronyd's words where we have
// them, since scripts look for them. Start-up.
#pragma once

#include <string>

namespace wiretime {

[[nodiscard]] std::string version_text();  // "wiretimed (wiretime) version 0.1.0 (+CMDMON +NTP ...)"
[[nodiscard]] std::string start_text();    // "wiretimed version 0.1.0 starting (+CMDMON ...)"

}  // namespace wiretime
