// SPDX-License-Identifier: BSD-3-Clause
// Owner of one open file descriptor: closed exactly once, moved, never copied. Control thread and start-up.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace wiretime::os {

class FileDescriptor {
 public:
  FileDescriptor() noexcept = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) close(old);
  }

 private:
  int fd_ = -1;
};

// Separate fcntl calls rather than SOCK_NONBLOCK and friends: simulators of libc's socket calls know only the
// plain socket types. Nothing in this program forks and executes concurrently, so there is no leak to race.
inline void set_close_on_exec(int fd) noexcept {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}
inline void set_non_blocking(int fd) noexcept {
  fcntl(fd, F_SETFL, O_NONBLOCK);
}

}  // namespace wiretime::os
