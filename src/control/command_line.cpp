// SPDX-License-Identifier: BSD-3-Clause
#include "control/command_line.hpp"

#include <fmt/format.h>

#include <limits>
#include <string_view>
#include <utility>

#include "control/config_tokens.hpp"

namespace wiretime::control {

namespace {

// Where an option's argument comes from: the rest of its word ("-F1") or the next word ("-F -1").
class Cursor {
 public:
  explicit Cursor(std::span<const std::string> arguments) : arguments_(arguments) {}

  [[nodiscard]] bool at_end() const { return next_ == arguments_.size(); }
  const std::string& next_word() { return arguments_[next_++]; }

  void enter_letters(std::string_view letters) { letters_ = letters; }
  [[nodiscard]] bool has_letter() const { return !letters_.empty(); }
  char next_letter() {
    const char letter = letters_.front();
    letters_.remove_prefix(1);
    return letter;
  }

  Result<std::string> argument(char option, std::string_view expected) {
    if (has_letter()) return std::string{std::exchange(letters_, {})};
    if (at_end())
      return fail(
          fmt::format("command line: -{}: expected {}, found the end of the command line", option, expected));
    return next_word();
  }

  Result<int> number(char option, int low, int high) {
    const std::string expected = high == std::numeric_limits<int>::max()
                                     ? fmt::format("a whole number, {} or more", low)
                                     : fmt::format("a whole number from {} to {}", low, high);
    const auto text = argument(option, expected);
    if (!text) return tl::make_unexpected(text.error());
    const auto value = parse_integer(*text);
    if (!value || *value < low || *value > high)
      return fail(fmt::format("command line: -{}: expected {}, found {}", option, expected, quoted(*text)));
    return static_cast<int>(*value);
  }

 private:
  std::span<const std::string> arguments_;
  std::size_t next_ = 0;
  std::string_view letters_;  // what is left of the word of short options being read
};

template <typename T, typename U>
Result<void> assign(T& target, Result<U> value) {
  if (!value) return tl::make_unexpected(std::move(value.error()));
  target = static_cast<T>(std::move(*value));
  return {};
}

Result<void> unknown_option(std::string_view option) {
  return fail(fmt::format("command line: expected an option that -h lists, found {}", quoted(option)));
}

// Options that take an argument.
Result<void> read_valued_option(char letter, Cursor& cursor, Options& options) {
  switch (letter) {
    case 'f':
      return assign(options.config_file, cursor.argument(letter, "a file name"));
    case 'l':
      return assign(options.log_file, cursor.argument(letter, "a file name"));
    case 'u':
      return assign(options.user, cursor.argument(letter, "a user name"));
    case 'L':
      return assign(options.log_level, cursor.number(letter, -1, 3));
    case 'F':
      return assign(options.system_call_filter, cursor.number(letter, -2, 2));
    case 'P':
      return assign(options.scheduler_priority, cursor.number(letter, 0, 100));
    case 't': {
      int seconds = 0;
      auto result = assign(seconds, cursor.number(letter, 1, std::numeric_limits<int>::max()));
      options.timeout = std::chrono::seconds{seconds};
      return result;
    }
    default:
      return unknown_option(std::string{'-', letter});
  }
}

Result<void> read_option(char letter, Cursor& cursor, Options& options) {
  switch (letter) {
    case '4':
      options.family = Family::ipv4;
      break;
    case '6':
      options.family = Family::ipv6;
      break;
    case 'd':
      if (options.log_to_terminal && options.once == Options::Once::no) options.log_level = -1;
      options.foreground = options.log_to_terminal = true;
      break;
    case 'n':
      options.foreground = true;
      break;
    case 'p':
      options.action = Options::Action::print_config;
      break;
    case 'q':
    case 'Q':
      options.once = letter == 'q' ? Options::Once::set_clock : Options::Once::report_offset;
      options.foreground = options.log_to_terminal = true;
      break;
    case 'r':
      options.reload_dumps = true;
      break;
    case 'R':
      options.restart = true;
      break;
    case 's':
      options.set_clock_from_rtc = true;
      break;
    case 'U':
      options.skip_root_check = true;
      break;
    case 'm':
      options.lock_memory = true;
      break;
    case 'x':
      options.no_clock_control = true;
      break;
    case 'N':
      options.warnings.emplace_back("command line: -N is accepted and has no effect");
      break;
    case 'h':
      options.action = Options::Action::print_help;
      break;
    case 'v':
      options.action = Options::Action::print_version;
      break;
    default:
      return read_valued_option(letter, cursor, options);
  }
  return {};
}

bool is_answered_at_once(const Options& options) {
  return options.action == Options::Action::print_help || options.action == Options::Action::print_version;
}

}  // namespace

Result<Options> parse_command_line(std::span<const std::string> arguments) {
  Options options;
  Cursor cursor{arguments};
  bool only_directives = false;  // after "--"
  while (!cursor.at_end()) {
    const std::string& word = cursor.next_word();
    if (only_directives || word.size() < 2 || word.front() != '-') {
      options.directives.push_back(word);
    } else if (word == "--") {
      only_directives = true;
    } else if (word == "--help") {
      options.action = Options::Action::print_help;
    } else if (word == "--version") {
      options.action = Options::Action::print_version;
    } else if (word[1] == '-') {
      return tl::make_unexpected(unknown_option(word).error());
    } else {
      cursor.enter_letters(std::string_view{word}.substr(1));
      while (cursor.has_letter() && !is_answered_at_once(options))
        if (auto result = read_option(cursor.next_letter(), cursor, options); !result)
          return tl::make_unexpected(std::move(result.error()));
    }
    if (is_answered_at_once(options)) break;
  }
  return options;
}

std::string help_text(const std::string& program) {
  return fmt::format(R"({0}: NTP server that answers from DPDK workers; configured like chronyd

Usage: {0} [OPTION]... [DIRECTIVE]...

The configuration is read from {1}, in chrony.conf's language.
With directives on the command line, each argument is one line and no file is read.
chronyc talks to the running daemon: try "chronyc tracking" and "chronyc clients".

Configuration
  -f FILE        read FILE instead of {1}
  -p             print the configuration with all included files and exit
  -4, -6         use IPv4 only, IPv6 only
  -u USER        run as USER after start (wins over the user directive)
  -U             do not insist on being started as root

Process and log
  -n             stay in the foreground
  -d             stay in the foreground and log to the terminal; twice: debug messages
  -l FILE        log to FILE instead of the system log
  -L LEVEL       least severe message to log: -1 debug, 0 information (default), 1 warning,
                 2 error, 3 fatal
  -t SECONDS     exit after that time
  -m             lock memory, never be paged out
  -P PRIORITY    real-time scheduling, 1 to 100; 0 (default): normal
  -F LEVEL       system call filter: 0 off (default), 1 or 2 kill, -1 or -2 raise SIGSYS

Clock
  -q             set the clock once from the configured sources and exit
  -Q             print the clock's offset once and exit; changes nothing
  -x             never touch the system clock
  -s             set the clock from the RTC at start
  -r             reload the measurements saved in dumpdir
  -R             this is a restart: skip initstepslew and the first steps of makestep

  -h, --help     print this text
  -v, --version  print the version and what was built in

Examples
  Check a configuration before using it:
    {0} -p -f ./chrony.conf
  Serve the host's own time on every interface, in the foreground:
    {0} -d -x 'local stratum 10' 'allow'
  Answer at line rate on eth1 through XDP, with two workers on CPUs 2 and 3:
    {0} -d 'dataplane af_xdp eth1 queues 2' 'workercpus 2-3' 'allow 192.0.2.0/24' 'local'
)",
                     program, kDefaultConfigFile);
}

}  // namespace wiretime::control
