// SPDX-License-Identifier: BSD-3-Clause
// The command line of wiretime-doctor.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace wiretime::doctor {

struct Options {
  enum class Action : std::uint8_t { look, print_help, print_version };
  Action action = Action::look;
  std::optional<std::string> config_file;  // nothing: the default one, if it is there
  bool json = false;
  std::vector<std::string> cards;  // interface names and PCI addresses
};

// `arguments` without the program's name. An error is one line, "OPTION: expected ..., found ...".
[[nodiscard]] Result<Options> parse_options(std::span<const std::string> arguments);
[[nodiscard]] std::string help_text();

}  // namespace wiretime::doctor
