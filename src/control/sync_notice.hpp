// SPDX-License-Identifier: BSD-3-Clause
// The one log line that tells an operator how clients see this server, above all when they see it as
// unsynchronised, and why; and one more when that changes. Control thread; pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "clock/served_reference.hpp"

namespace wiretime::control {

using Seconds = std::chrono::duration<double>;

class SyncNotice {
 public:
  static constexpr Seconds kShortestPause{10.0};  // between two lines: a flapping clock does not fill the log

  struct Situation {
    clock::ServedReference served;
    clock::ClockState state;
    clock::LocalConfig local;
    bool sources_configured = false;  // and followed
    std::string config_file;  // where a `local` line would go; empty: directives came from the command line
  };
  struct Line {
    bool warning = false;
    std::string text;
  };

  // Call whenever the served reference was refreshed; a line to log, or nothing new.
  [[nodiscard]] std::optional<Line> update(const Situation& now, Seconds uptime);

 private:
  std::string last_topic_;
  std::optional<Seconds> last_time_;
};

}  // namespace wiretime::control
