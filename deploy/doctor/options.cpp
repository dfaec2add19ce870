// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/options.hpp"

#include <fmt/format.h>

#include "control/config_parse.hpp"

namespace wiretime::doctor {

Result<Options> parse_options(std::span<const std::string> arguments) {
  Options options;
  bool only_cards = false;  // after "--"
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (only_cards || word.empty() || word.front() != '-') {
      if (word.empty()) return fail("expected an interface or a PCI address, found \"\"");
      options.cards.push_back(word);
    } else if (word == "--") {
      only_cards = true;
    } else if (word == "-f") {
      if (++i == arguments.size()) return fail("-f: expected a file name, found the end of the command line");
      options.config_file = arguments[i];
    } else if (word.compare(0, 2, "-f") == 0) {
      options.config_file = word.substr(2);
    } else if (word == "--json") {
      options.json = true;
    } else if (word == "-h" || word == "--help") {
      options.action = Options::Action::print_help;
      return options;
    } else if (word == "-v" || word == "--version") {
      options.action = Options::Action::print_version;
      return options;
    } else {
      return fail(fmt::format("expected an option that -h lists, found \"{}\"", word));
    }
  }
  return options;
}

std::string help_text() {
  return fmt::format(
      R"(wiretime-doctor: what this host and its network cards can do for wiretimed, and what is in the way

Usage: wiretime-doctor [-f FILE] [--json] [INTERFACE | PCI-ADDRESS]...

Looks, and changes nothing. Without a card named it looks at the ports of the configuration, or at all
cards where there are none. While wiretimed runs it says as well on which rung each port stands
(`metricsport` in the configuration).

  -f FILE        read FILE instead of {}
  --json         for programs
  -h, --help     print this text
  -v, --version  print the version

Every line is "ok", "note" (something better could be had), "warning" (works badly) or "problem" (does not
work), then what it is about, what is, and behind "->" what to do. Exit status: 0, 1 when a problem was
found, 2 when the command line cannot be understood. Run it as root: other users see less.

Examples
  wiretime-doctor                   before a start, with the configuration in place
  wiretime-doctor eth1 0000:3b:00.0   which kind of port suits a card
)",
      control::kDefaultConfigFile);
}

}  // namespace wiretime::doctor
