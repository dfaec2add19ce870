// SPDX-License-Identifier: BSD-3-Clause
#include "os/pidfile.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

// 0: no number in the file
pid_t read_pid(int fd) {
  std::array<char, 32> text{};
  const ssize_t n = pread(fd, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (n > 0) std::from_chars(text.data(), text.data() + n, pid);
  return pid > 0 ? pid : 0;
}

// The command name of a process, or empty when it cannot be seen (/proc hidden).
std::string command_name(pid_t pid) {
  const FileDescriptor fd{open(fmt::format("/proc/{}/comm", pid).c_str(), O_RDONLY)};
  std::array<char, 64> text{};
  const ssize_t n = fd.valid() ? read(fd.get(), text.data(), text.size()) : 0;
  std::string name{text.data(), static_cast<std::size_t>(n > 0 ? n : 0)};
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

bool alive(pid_t pid) {
  return kill(pid, 0) == 0 || errno == EPERM;
}

bool same_file(int fd, const std::string& path) {
  struct stat held {};
  struct stat named {};
  return fstat(fd, &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_dev == named.st_dev &&
         held.st_ino == named.st_ino;
}

Error already_running(std::string_view name, pid_t pid, const std::string& path) {
  const auto who = pid > 0 ? fmt::format("another {}, pid {}, is already running", name, pid)
                           : fmt::format("another {} is already starting", name);
  return {fmt::format("{} (pidfile {})", who, path)};
}

// We hold the lock, so whoever wrote this pid is no wiretimed that still runs. A chronyd takes no lock.
bool held_by_chronyd(pid_t pid) {
  if (pid == 0 || pid == getpid() || !alive(pid)) return false;
  const auto name = command_name(pid);
  return name == "chronyd" || name.empty();  // unseen: rather refuse than fight over the clock
}

// The open and locked file; not valid when it was removed meanwhile: try again.
Result<FileDescriptor> open_locked(const std::string& path) {
  FileDescriptor fd{open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY, 0644)};
  if (!fd.valid()) return fail(fmt::format("cannot open pidfile {}: {}", path, errno_text()));
  set_close_on_exec(fd.get());
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return tl::make_unexpected(already_running("wiretimed", read_pid(fd.get()), path));
    return fail(fmt::format("cannot lock pidfile {}: {}", path, errno_text()));
  }
  if (!same_file(fd.get(), path)) return FileDescriptor{};
  return fd;
}

}  // namespace

Result<PidFile> PidFile::acquire(const std::string& path, std::optional<Owner> directory_owner) {
  if (auto made = create_directory(parent_directory(path), 0770, directory_owner); !made)
    return tl::make_unexpected(made.error());
  constexpr int kAttempts = 10;  // each retry means that one instance exited just now
  for (int i = 0; i < kAttempts; ++i) {
    auto opened = open_locked(path);
    if (!opened) return tl::make_unexpected(opened.error());
    if (!opened->valid()) continue;
    FileDescriptor fd = std::move(*opened);
    if (const pid_t pid = read_pid(fd.get()); held_by_chronyd(pid)) {
      const auto name = command_name(pid);
      return tl::make_unexpected(already_running(name.empty() ? "program" : name, pid, path));
    }
    const auto text = fmt::format("{}\n", getpid());
    if (ftruncate(fd.get(), 0) != 0 ||
        pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
      return fail(fmt::format("cannot write pidfile {}: {}", path, errno_text()));
    return PidFile{std::move(fd), path};
  }
  return fail(fmt::format("cannot lock pidfile {}: it keeps being replaced", path));
}

PidFile::PidFile(PidFile&& other) noexcept
    : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})) {}

PidFile& PidFile::operator=(PidFile&& other) noexcept {
  if (this != &other) {
    remove();
    fd_ = std::move(other.fd_);
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

PidFile::~PidFile() {
  remove();
}

void PidFile::remove() noexcept {
  if (!fd_.valid() || !same_file(fd_.get(), path_)) return;
  // Removed while still locked, so that nobody gets a lock on a file that is about to vanish unnoticed.
  if (unlink(path_.c_str()) != 0) {
    [[maybe_unused]] const int ignored = ftruncate(fd_.get(), 0);
  }
}

}  // namespace wiretime::os
