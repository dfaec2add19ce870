// SPDX-License-Identifier: BSD-3-Clause
// Directives about the command port, the metrics endpoint and the logs.
#include <algorithm>
#include <array>

#include "control/config_directives.hpp"

namespace wiretime::control {

namespace {

void read_bind_command_address(Arguments& args, Settings& settings) {
  constexpr std::string_view kExpected = "an IP address or the absolute path of a Unix socket";
  const std::string text = args.word(kExpected);
  if (!text.empty() && text.front() == '/') {
    args.set_scope("Unix socket");
    settings.command_socket = text == "/" ? "" : text;
    return;
  }
  const auto address = IpAddress::parse(text);
  if (!address) {
    args.reject(kExpected);
    return;
  }
  const bool v4 = address->family == Family::ipv4;
  args.set_scope(v4 ? "IPv4" : "IPv6");
  (v4 ? settings.command_address_v4 : settings.command_address_v6) = *address;
}

// The monitoring commands that chronyc can be allowed to ask for over UDP.
constexpr std::array<std::string_view, 13> kOpenCommands{
    "activity",    "authdata",  "clients",    "manual",  "ntpdata",     "rtcdata", "selectdata",
    "serverstats", "smoothing", "sourcename", "sources", "sourcestats", "tracking"};

void read_open_commands(Arguments& args, Settings& settings) {
  const std::vector<std::string_view> known(kOpenCommands.begin(), kOpenCommands.end());
  std::vector<std::string> commands;
  while (!args.at_end()) {
    std::string name = lower_case(args.word("a command"));
    if (std::find(known.begin(), known.end(), name) == known.end()) args.reject(enumerate(known));
    if (std::find(commands.begin(), commands.end(), name) != commands.end()) args.reject("each command once");
    commands.push_back(std::move(name));
  }
  settings.open_commands = std::move(commands);
}

void read_log(Arguments& args, Settings& settings) {
  using Member = bool LogChoice::*;
  do {
    const Member file = args.one_of<Member>({{"measurements", &LogChoice::measurements},
                                             {"rawmeasurements", &LogChoice::raw_measurements},
                                             {"statistics", &LogChoice::statistics},
                                             {"tracking", &LogChoice::tracking},
                                             {"rtc", &LogChoice::rtc},
                                             {"refclocks", &LogChoice::refclocks},
                                             {"tempcomp", &LogChoice::temperature},
                                             {"selection", &LogChoice::selection}});
    if (args.error()) return;
    settings.logs.*file = true;
    if (file == &LogChoice::rtc)
      args.warn("log rtc: not supported, ignored: this daemon does not follow the RTC");
  } while (!args.at_end());
}

void read_mail_on_change(Arguments& args, Settings& settings) {
  settings.mail_on_change = args.word("a mail address");
  settings.mail_on_change_threshold = args.seconds();
}

void read_bind_metrics_address(Arguments& args, Settings& settings) {
  const IpAddress address = args.address();
  auto& addresses = settings.metrics_addresses;
  if (std::find(addresses.begin(), addresses.end(), address) != addresses.end())
    args.reject("each address once");
  addresses.push_back(address);
}

}  // namespace

std::span<const Directive> monitor_directives() {
  static constexpr Directive kRows[] = {
      {"bindcmdaddress", read_bind_command_address},
      {"bindcmddevice", [](Arguments& a, Settings& s) { s.command_device = a.interface(); }},
      {"cmdport", [](Arguments& a, Settings& s) { s.command_port = a.port(); }},
      {"cmdratelimit",
       [](Arguments& a, Settings& s) { s.command_rate_limit = read_rate_limit(a, -4, false); }},
      {"opencommands", read_open_commands},
      {"metricsport", [](Arguments& a, Settings& s) { s.metrics_port = a.port(); }},
      {"bindmetricsaddress", read_bind_metrics_address, Effect::now, Repeat::accumulate},
      {"log", read_log, Effect::now, Repeat::accumulate},
      {"logdir", [](Arguments& a, Settings& s) { s.log_directory = a.path(); }},
      {"logbanner", [](Arguments& a, Settings& s) { s.log_banner = a.count(); }},
      {"logchange", [](Arguments& a, Settings& s) { s.log_change = a.seconds(); }},
      {"mailonchange", read_mail_on_change, Effect::never, Repeat::last_wins,
       "not supported, ignored: watch the log or the metrics for clock steps instead"},
  };
  return kRows;
}

}  // namespace wiretime::control
