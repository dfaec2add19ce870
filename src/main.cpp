// SPDX-License-Identifier: BSD-3-Clause
// wiretimed: the command line, and what each of its actions is.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "control/command_line.hpp"
#include "control/config_parse.hpp"
#include "control/policy.hpp"
#include "features.hpp"
#include "life_cycle.hpp"

namespace {

using namespace wiretime;

int complain(const std::string& message) {
  std::fprintf(stderr, "wiretimed: %s\n", message.c_str());
  return 1;
}

int print(const std::string& text) {
  const bool newline = !text.empty() && text.back() == '\n';
  std::fprintf(stdout, newline ? "%s" : "%s\n", text.c_str());
  return std::fflush(stdout) == 0 ? 0 : 1;
}

Result<control::Config> read_config(const control::Options& options) {
  const control::DiskReader reader;
  return options.directives.empty() ? control::parse_config_file(options.config_file, reader)
                                    : control::parse_config_lines(options.directives, reader);
}

int run(const std::string& program, const std::vector<std::string>& arguments) {
  using Action = control::Options::Action;
  const auto options = control::parse_command_line(arguments);
  if (!options) return complain(options.error().message);
  if (options->action == Action::print_version) return print(version_text());
  if (options->action == Action::print_help) return print(control::help_text(program));

  const auto config = read_config(*options);
  if (!config) return complain(config.error().message);
  if (options->action == Action::print_config) return print(control::print_config(*config));
  const auto ended = options->once == control::Options::Once::no
                         ? run_daemon(*options, *config)
                         : run_daemon(*options, control::config_for_once(*config, options->once));
  return ended ? 0 : complain(ended.error().message);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 0 ? argv[0] : "wiretimed", std::vector<std::string>(argv + (argc > 0), argv + argc));
  } catch (const std::exception& e) {
    return complain(e.what());
  }
}
