// SPDX-License-Identifier: BSD-3-Clause
#include "os/files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/system_error.hpp"

namespace wiretime::os {

std::string parent_directory(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> create_directory(const std::string& path, mode_t mode, std::optional<Owner> owner) {
  struct stat status {};
  // stat, not lstat: /run or /var/run may be a link, and simulators replace only stat.
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return {};
    return fail(fmt::format("{} exists and is not a directory", path));
  }
  if (errno != ENOENT) return fail(fmt::format("cannot look at directory {}: {}", path, errno_text()));
  const auto parent = parent_directory(path);
  if (parent != path)
    if (auto made = create_directory(parent, 0755); !made) return made;
  if (mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST) return {};  // somebody else was faster
    return fail(fmt::format("cannot create directory {}: {}", path, errno_text()));
  }
  if (chmod(path.c_str(), mode) != 0)
    return fail(fmt::format("cannot set the permissions of {}: {}", path, errno_text()));
  if (owner && chown(path.c_str(), owner->uid, owner->gid) != 0)
    return fail(fmt::format("cannot give directory {} to uid {}: {}", path, owner->uid, errno_text()));
  return {};
}

}  // namespace wiretime::os
