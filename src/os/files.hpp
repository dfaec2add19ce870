// SPDX-License-Identifier: BSD-3-Clause
// Runtime directories and small files. Control thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "os/file_descriptor.hpp"

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
// Others than owner and group may read or write it.
[[nodiscard]] bool open_to_others(const std::string& path);
// Readers see the old text or the new one, never half: written beside it and renamed over it.
[[nodiscard]] Result<void> replace_file(const std::string& path, const std::string& text);

// A log file, made with 0640 when missing. A pipe without a reader is an error, not a wait.
[[nodiscard]] Result<FileDescriptor> open_for_append(const std::string& path);
// How many bytes went, at least one. `path` is for the message.
[[nodiscard]] Result<std::size_t> write_some(const FileDescriptor& file, std::string_view text,
                                             const std::string& path);

}  // namespace wiretime::os
