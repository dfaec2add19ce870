// SPDX-License-Identifier: BSD-3-Clause
// Which files an include, confdir or sourcedir line means. Pure over ConfigReader; byte-wise name order, so
// that the result does not depend on the locale.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/config_reader.hpp"

namespace wiretime::control {

// Shell pattern against one name: * ? [a-z] [!a-z] \x. A leading dot is only matched by a dot.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view name);

// The paths an include line names, sorted. A word without wildcards is itself, whether it exists or not; a
// pattern that matches nothing gives none; a directory that cannot be searched for a pattern is an error.
[[nodiscard]] Result<std::vector<std::string>> expand_include(const std::string& pattern,
                                                              const ConfigReader& reader);

// The files with `suffix` of several directories in the order of their names. Of files with the same name
// the one in the earliest directory is taken. A directory that cannot be read counts as empty.
[[nodiscard]] std::vector<std::string> merge_directories(const std::vector<std::string>& directories,
                                                         std::string_view suffix, const ConfigReader& reader);

}  // namespace wiretime::control
