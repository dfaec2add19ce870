// SPDX-License-Identifier: BSD-3-Clause
// Reading /proc and /sys, where what is missing reads as empty.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace wiretime::doctor {

[[nodiscard]] std::string whole_file(const std::filesystem::path& file);
[[nodiscard]] std::string first_line(const std::filesystem::path& file);
[[nodiscard]] std::vector<std::string> lines_of(const std::filesystem::path& file);
[[nodiscard]] std::vector<std::string> entries(const std::filesystem::path& directory);  // names, sorted
[[nodiscard]] bool is_there(const std::filesystem::path& file);
[[nodiscard]] std::string link_target(const std::filesystem::path& link);
[[nodiscard]] std::vector<pid_t> processes(const std::filesystem::path& proc);  // ascending

// Between blanks.
[[nodiscard]] std::vector<std::string_view> words(std::string_view line);
// What the text begins with; 0 for anything else.
[[nodiscard]] std::uint64_t number(std::string_view text);

}  // namespace wiretime::doctor
