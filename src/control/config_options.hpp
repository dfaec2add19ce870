// SPDX-License-Identifier: BSD-3-Clause
// Directives that take named options in any order ("iburst", "minpoll 6"): one table row for each option.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/config_arguments.hpp"

namespace wiretime::control {

template <typename T>
struct Option {
  std::string_view name;
  void (*read)(Arguments&, T&);  // takes the option's own arguments, if any
  bool repeatable = false;
};

// Reads options up to the end of the line into `target`. Unknown ones and repetitions are errors.
template <typename T>
void read_options(Arguments& args, T& target, std::span<const Option<T>> table) {
  std::vector<bool> seen(table.size());
  while (!args.at_end()) {
    const std::string name = args.word("an option");
    const auto row = std::find_if(table.begin(), table.end(), [&](const Option<T>& option) {
      return equal_ignoring_case(option.name, name);
    });
    if (row == table.end()) {
      std::vector<std::string_view> names;
      for (const auto& option : table) names.push_back(option.name);
      constexpr std::size_t kListable = 8;
      const auto guess = nearest(name, names);
      args.reject(names.size() <= kListable ? enumerate(names) : "an option",
                  guess ? " (did you mean " + std::string{*guess} + "?)" : "");
      return;
    }
    const auto index = static_cast<std::size_t>(row - table.begin());
    if (seen[index] && !row->repeatable) {
      args.reject("each option once");
      return;
    }
    seen[index] = true;
    args.enter_option(row->name);
    row->read(args, target);
    args.leave_option();
  }
}

}  // namespace wiretime::control
