// SPDX-License-Identifier: BSD-3-Clause
#include "os/signals.hpp"

#include <sys/timerfd.h>

#include <atomic>
#include <cerrno>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

// The one exception to "no mutable globals": POSIX hands a signal handler nothing but the number. Lock-free
// atomics rather than volatile sig_atomic_t, because the handler may run on a worker's thread.
// Writer: the handler (any thread); reader: the control thread.
std::array<std::atomic<bool>, SignalTrap::kTrapped.size()> arrived;
std::atomic<int> wake_fd{-1};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

extern "C" void wiretime_signal_handler(int number) {
  const int saved_errno = errno;
  for (std::size_t i = 0; i < arrived.size(); ++i)
    if (SignalTrap::kTrapped[i] == number) arrived[i].store(true);
  // The flag is set first: the loop arms the timerfd, then looks at the flags, then polls.
  itimerspec at_once{};
  at_once.it_value.tv_nsec = 1;
  timerfd_settime(wake_fd.load(), TFD_TIMER_ABSTIME, &at_once, nullptr);
  errno = saved_errno;
}

}  // namespace

Result<std::unique_ptr<SignalTrap>> SignalTrap::install(int wake_timer_fd) {
  int none = -1;
  if (!wake_fd.compare_exchange_strong(none, wake_timer_fd))
    return fail("signals are already handled by another event loop");
  for (auto& flag : arrived) flag.store(false);
  std::unique_ptr<SignalTrap> trap{new SignalTrap};
  struct sigaction action {};
  action.sa_handler = wiretime_signal_handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kTrapped.size(); ++i) sigaction(kTrapped[i], &action, &trap->previous_[i]);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, &trap->previous_pipe_);
  return trap;
}

SignalTrap::~SignalTrap() {
  for (std::size_t i = 0; i < kTrapped.size(); ++i) sigaction(kTrapped[i], &previous_[i], nullptr);
  sigaction(SIGPIPE, &previous_pipe_, nullptr);
  wake_fd.store(-1);
}

std::vector<int> SignalTrap::take() noexcept {
  std::vector<int> numbers;
  for (std::size_t i = 0; i < arrived.size(); ++i)
    if (arrived[i].exchange(false)) numbers.push_back(kTrapped[i]);
  return numbers;
}

bool SignalTrap::pending() const noexcept {
  for (const auto& flag : arrived)
    if (flag.load()) return true;
  return false;
}

}  // namespace wiretime::os
