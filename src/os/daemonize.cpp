// SPDX-License-Identifier: BSD-3-Clause
#include "os/daemonize.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

constexpr char kReady = 'R';

// The parent: one byte means ready, end of file means that the child is gone.
[[noreturn]] void wait_for_child(int from_child, pid_t child) {
  char byte = 0;
  ssize_t n = 0;
  do n = read(from_child, &byte, 1);
  while (n < 0 && errno == EINTR);
  if (n == 1 && byte == kReady) _exit(0);
  int status = 0;
  if (waitpid(child, &status, 0) == child && WIFSIGNALED(status)) {
    const auto line = fmt::format("start failed: killed by signal {}\n", WTERMSIG(status));
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  }
  _exit(1);
}

void point_at_dev_null(std::initializer_list<int> targets) noexcept {
  const FileDescriptor null{open("/dev/null", O_RDWR | O_NOCTTY)};
  if (!null.valid()) return;
  for (const int target : targets) dup2(null.get(), target);
}

}  // namespace

Result<Daemonizer> Daemonizer::start() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return fail("cannot create a pipe: " + errno_text());
  FileDescriptor from_child{ends[0]};
  FileDescriptor to_parent{ends[1]};
  set_close_on_exec(ends[0]);
  set_close_on_exec(ends[1]);
  const pid_t child = fork();
  if (child < 0) return fail("cannot go into the background: " + errno_text());
  if (child > 0) {
    to_parent.reset();
    wait_for_child(from_child.get(), child);
  }
  from_child.reset();
  setsid();
  if (chdir("/") != 0) return fail("cannot change to directory /: " + errno_text());
  point_at_dev_null({STDIN_FILENO, STDOUT_FILENO});
  return Daemonizer{std::move(to_parent)};
}

void Daemonizer::ready() noexcept {
  if (!to_parent_.valid()) return;
  point_at_dev_null({STDERR_FILENO});
  // The parent may have been interrupted by its user meanwhile: no SIGPIPE for that.
  const auto previous = signal(SIGPIPE, SIG_IGN);
  [[maybe_unused]] const ssize_t n = write(to_parent_.get(), &kReady, 1);
  signal(SIGPIPE, previous);
  to_parent_.reset();
}

}  // namespace wiretime::os
