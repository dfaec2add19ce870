// SPDX-License-Identifier: BSD-3-Clause
#include "os/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {
constexpr std::size_t kMostBytes = 65'536;
}

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

Result<std::string> read_file(const std::string& path) {
  const FileDescriptor fd{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd.valid()) return fail(fmt::format("cannot open {}: {}", path, errno_text()));
  std::string text(kMostBytes, '\0');
  const ssize_t n = read(fd.get(), text.data(), text.size());
  if (n < 0) return fail(fmt::format("cannot read {}: {}", path, errno_text()));
  text.resize(static_cast<std::size_t>(n));
  return text;
}

bool open_to_others(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH)) != 0;
}

Result<void> replace_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".tmp";
  FileDescriptor fd{open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (!fd.valid()) return fail(fmt::format("cannot create {}: {}", fresh, errno_text()));
  const ssize_t n = write(fd.get(), text.data(), text.size());
  if (n != static_cast<ssize_t>(text.size())) {
    const std::string why = n < 0 ? errno_text() : "no space";
    unlink(fresh.c_str());
    return fail(fmt::format("cannot write {}: {}", fresh, why));
  }
  if (rename(fresh.c_str(), path.c_str()) != 0)
    return fail(fmt::format("cannot replace {}: {}", path, errno_text()));
  return {};
}

Result<FileDescriptor> open_for_append(const std::string& path) {
  FileDescriptor fd{open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK, 0640)};
  if (!fd.valid()) return fail(fmt::format("Could not open {} : {}", path, errno_text()));
  set_close_on_exec(fd.get());
  return fd;
}

Result<std::size_t> write_some(const FileDescriptor& file, std::string_view text, const std::string& path) {
  const ssize_t n = write(file.get(), text.data(), text.size());
  if (n <= 0) return fail(fmt::format("Could not write {} : {}", path, n < 0 ? errno_text() : "no space"));
  return static_cast<std::size_t>(n);
}

}  // namespace wiretime::os
