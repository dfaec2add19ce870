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

// Small files only. Error: says which and why.
[[nodiscard]] Result<std::string> read_file(const std::string& path);
// Readers see the old text or the new one, never half: written beside it and renamed over it.
[[nodiscard]] Result<void> replace_file(const std::string& path, const std::string& text);

}  // namespace wiretime::os
