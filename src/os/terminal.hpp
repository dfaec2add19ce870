// SPDX-License-Identifier: BSD-3-Clause
// Whether standard output is somebody's screen. Start-up.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace wiretime::os {

// A terminal that knows colours, of somebody who did not ask for none (https://no-color.org).
[[nodiscard]] inline bool colours_wanted() noexcept {
  const char* const none = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && (none == nullptr || *none == '\0') && terminal != nullptr &&
         std::string_view{terminal} != "dumb";
}

}  // namespace wiretime::os
