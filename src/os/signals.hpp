// SPDX-License-Identifier: BSD-3-Clause
// SIGTERM, SIGINT and SIGHUP as flags that the control thread takes, and a timerfd that a signal makes
// expire. Created on the control thread; the handler may run on any thread. One at a time per process.
#pragma once

#include <array>
#include <csignal>
#include <memory>
#include <vector>

#include "base/result.hpp"

namespace wiretime::os {

class SignalTrap {
 public:
  // `wake_timer_fd`, a CLOCK_MONOTONIC timerfd, is set to expire at once whenever a signal arrives.
  [[nodiscard]] static Result<std::unique_ptr<SignalTrap>> install(int wake_timer_fd);
  SignalTrap(const SignalTrap&) = delete;
  SignalTrap& operator=(const SignalTrap&) = delete;
  ~SignalTrap();  // previous dispositions come back

  // The signals that came since the last call; each once, however often it was sent.
  [[nodiscard]] std::vector<int> take() noexcept;
  [[nodiscard]] bool pending() const noexcept;

  static constexpr std::array<int, 3> kTrapped{SIGTERM, SIGINT, SIGHUP};

 private:
  SignalTrap() = default;
  std::array<struct sigaction, kTrapped.size()> previous_{};
  struct sigaction previous_pipe_ {};
};

}  // namespace wiretime::os
