// SPDX-License-Identifier: BSD-3-Clause
// Runtime directories. Start-up, control thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.hpp"

namespace wiretime::os {

struct Owner {
  uid_t uid;
  gid_t gid;
};

// Everything before the last slash; "." when there is none, "/" for a file in the root.
[[nodiscard]] std::string parent_directory(const std::string& path);

// Makes `path` with `mode` (whatever the umask) and `owner`, and missing parents with 0755. An existing
// directory is left as it is.
[[nodiscard]] Result<void> create_directory(const std::string& path, mode_t mode,
                                            std::optional<Owner> owner = {});

}  // namespace wiretime::os
