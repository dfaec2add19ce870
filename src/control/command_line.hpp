// SPDX-License-Identifier: BSD-3-Clause
// The daemon's command line, chronyd's: init scripts and units written for chronyd must keep working.
// Pure; start-up only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "control/config_parse.hpp"

namespace wiretime::control {

struct Options {
  enum class Action : std::uint8_t { run, print_config, print_version, print_help };
  // -q and -Q: measure, act, exit; both stay in the foreground and log to the terminal.
  enum class Once : std::uint8_t { no, set_clock, report_offset };

  Action action = Action::run;
  Once once = Once::no;
  Family family = Family::unspecified;  // -4, -6
  std::string config_file{kDefaultConfigFile};
  bool foreground = false;       // -n, and what -d, -q and -Q imply
  bool log_to_terminal = false;  // -d, -q, -Q
  std::optional<std::string> log_file;
  int log_level = 0;                // -1 debug, 0 information, 1 warning, 2 error, 3 fatal; -d -d: -1
  bool reload_dumps = false;        // -r
  bool restart = false;             // -R: no initstepslew, no limited makestep
  bool set_clock_from_rtc = false;  // -s
  std::optional<std::chrono::seconds> timeout;  // -t
  std::optional<std::string> user;              // -u, wins over the user directive
  bool skip_root_check = false;                 // -U
  int system_call_filter = 0;                   // -F: 0 off, 1 and 2 kill, -1 and -2 signal
  std::optional<unsigned> scheduler_priority;   // -P, wins over sched_priority
  bool lock_memory = false;                     // -m
  bool no_clock_control = false;                // -x
  std::vector<std::string> directives;          // when any is given, no configuration file is read
  std::vector<std::string> warnings;            // options accepted without effect

  friend bool operator==(const Options&, const Options&) = default;
};

// `arguments` without the program's name. Errors are finished lines: "command line: ...".
[[nodiscard]] Result<Options> parse_command_line(std::span<const std::string> arguments);

// What -h prints.
[[nodiscard]] std::string help_text(const std::string& program);

}  // namespace wiretime::control
