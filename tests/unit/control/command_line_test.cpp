// SPDX-License-Identifier: BSD-3-Clause
#include "control/command_line.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::control;

namespace {

using Words = std::vector<std::string>;

struct Row {
  Words words;
  void (*change)(Options&);
};

const Row kRows[] = {
    {{}, [](Options&) {}},
    {{"-4"}, [](Options& o) { o.family = Family::ipv4; }},
    {{"-6"}, [](Options& o) { o.family = Family::ipv6; }},
    {{"-f", "/tmp/x.conf"}, [](Options& o) { o.config_file = "/tmp/x.conf"; }},
    {{"-f/tmp/x.conf"}, [](Options& o) { o.config_file = "/tmp/x.conf"; }},
    {{"-n"}, [](Options& o) { o.foreground = true; }},
    {{"-d"}, [](Options& o) { o.foreground = o.log_to_terminal = true; }},
    {{"-dd"},
     [](Options& o) {
       o.foreground = o.log_to_terminal = true;
       o.log_level = -1;
     }},
    {{"-l", "/var/log/x"}, [](Options& o) { o.log_file = "/var/log/x"; }},
    {{"-L", "-1"}, [](Options& o) { o.log_level = -1; }},
    {{"-L2"}, [](Options& o) { o.log_level = 2; }},
    {{"-p"}, [](Options& o) { o.action = Options::Action::print_config; }},
    {{"-q"},
     [](Options& o) {
       o.once = Options::Once::set_clock;
       o.foreground = o.log_to_terminal = true;
     }},
    {{"-Q"},
     [](Options& o) {
       o.once = Options::Once::report_offset;
       o.foreground = o.log_to_terminal = true;
     }},
    {{"-qd"},
     [](Options& o) {
       o.once = Options::Once::set_clock;
       o.foreground = o.log_to_terminal = true;
     }},
    {{"-r"}, [](Options& o) { o.reload_dumps = true; }},
    {{"-R"}, [](Options& o) { o.restart = true; }},
    {{"-s"}, [](Options& o) { o.set_clock_from_rtc = true; }},
    {{"-t", "10"}, [](Options& o) { o.timeout = std::chrono::seconds{10}; }},
    {{"-u", "_chrony"}, [](Options& o) { o.user = "_chrony"; }},
    {{"-U"}, [](Options& o) { o.skip_root_check = true; }},
    {{"-F", "1"}, [](Options& o) { o.system_call_filter = 1; }},
    {{"-F1"}, [](Options& o) { o.system_call_filter = 1; }},
    {{"-F", "-1"}, [](Options& o) { o.system_call_filter = -1; }},
    {{"-P", "10"}, [](Options& o) { o.scheduler_priority = 10; }},
    {{"-m"}, [](Options& o) { o.lock_memory = true; }},
    {{"-x"}, [](Options& o) { o.no_clock_control = true; }},
    {{"-N"}, [](Options& o) { o.warnings = {"command line: -N is accepted and has no effect"}; }},
    {{"-v"}, [](Options& o) { o.action = Options::Action::print_version; }},
    {{"--version"}, [](Options& o) { o.action = Options::Action::print_version; }},
    {{"-h"}, [](Options& o) { o.action = Options::Action::print_help; }},
    {{"--help", "-y"}, [](Options& o) { o.action = Options::Action::print_help; }},
    {{"-hy"}, [](Options& o) { o.action = Options::Action::print_help; }},
    // options and directives in any order, as getopt lets them be
    {{"port 0", "-xn", "allow"},
     [](Options& o) {
       o.no_clock_control = o.foreground = true;
       o.directives = {"port 0", "allow"};
     }},
    {{"--", "-n"}, [](Options& o) { o.directives = {"-n"}; }},
    {{"-"}, [](Options& o) { o.directives = {"-"}; }},
    {{"-xF1"},
     [](Options& o) {
       o.no_clock_control = true;
       o.system_call_filter = 1;
     }},
};

std::string error_of(const Words& words) {
  const auto options = parse_command_line(words);
  return options ? "accepted" : options.error().message;
}

}  // namespace

TEST_CASE("every option of chronyd's command line is understood") {
  for (const auto& row : kRows) {
    INFO(Catch::Detail::stringify(row.words));
    const auto options = parse_command_line(row.words);
    REQUIRE(options);
    Options expected;
    row.change(expected);
    CHECK(*options == expected);
  }
}

TEST_CASE("the configuration file is chrony's unless another is named") {
  CHECK(parse_command_line({})->config_file == "/etc/chrony/chrony.conf");
}

TEST_CASE("a wrong command line is refused in one line that says what was expected") {
  CHECK(error_of({"-y"}) == "command line: expected an option that -h lists, found \"-y\"");
  CHECK(error_of({"-dy"}) == "command line: expected an option that -h lists, found \"-y\"");
  CHECK(error_of({"--port"}) == "command line: expected an option that -h lists, found \"--port\"");
  CHECK(error_of({"-f"}) == "command line: -f: expected a file name, found the end of the command line");
  CHECK(error_of({"-L", "9"}) == "command line: -L: expected a whole number from -1 to 3, found \"9\"");
  CHECK(error_of({"-F", "-x"}) == "command line: -F: expected a whole number from -2 to 2, found \"-x\"");
  CHECK(error_of({"-P", "101"}) == "command line: -P: expected a whole number from 0 to 100, found \"101\"");
  CHECK(error_of({"-t", "0"}) == "command line: -t: expected a whole number, 1 or more, found \"0\"");
}

TEST_CASE("the help text names every option") {
  const std::string help = help_text("wiretimed");
  for (const char letter : std::string{"46fnpdlLpqQrRstuUFPmxhv"})
    CHECK(help.find(std::string{'-', letter}) != std::string::npos);
  CHECK(help.find("/etc/chrony/chrony.conf") != std::string::npos);
}
