// SPDX-License-Identifier: BSD-3-Clause
// Wakes the control thread's loop from a worker: an eventfd. It is in the loop only with a data plane:
// simulators of libc know nothing of it.
#pragma once

#include <sys/eventfd.h>

#include <cstdint>

#include "base/result.hpp"
#include "os/file_descriptor.hpp"
#include "os/system_error.hpp"

namespace wiretime::os {

class Wakeup {
 public:
  [[nodiscard]] static Result<Wakeup> create() {
    FileDescriptor fd{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!fd.valid()) return fail("cannot make an eventfd: " + errno_text());
    return Wakeup{std::move(fd)};
  }

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Any thread: fd() is readable from now on.
  void signal() const noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(fd_.get(), &one, sizeof one);
  }
  // Control thread.
  void clear() const noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = read(fd_.get(), &count, sizeof count);
  }

 private:
  explicit Wakeup(FileDescriptor fd) noexcept : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

}  // namespace wiretime::os
