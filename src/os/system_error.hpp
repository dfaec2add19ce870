// SPDX-License-Identifier: BSD-3-Clause
// errno as text for operators. Any thread.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace wiretime::os {

// "No such file or directory"; call before anything else can change errno.
[[nodiscard]] inline std::string errno_text(int error = errno) {
  return std::generic_category().message(error);
}

}  // namespace wiretime::os
