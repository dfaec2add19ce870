// SPDX-License-Identifier: BSD-3-Clause
// Text to Config, and back. Pure over ConfigReader; control thread, at start. An error is one finished line,
// "file:line: directive: expected ..., found ...", and nothing of the configuration is handed out.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/config.hpp"
#include "control/config_reader.hpp"

namespace wiretime::control {

inline constexpr std::string_view kDefaultConfigFile = "/etc/chrony/chrony.conf";

// `name` stands for the text in messages.
[[nodiscard]] Result<Config> parse_config(std::string_view text, std::string_view name,
                                          const ConfigReader& reader);
[[nodiscard]] Result<Config> parse_config_file(const std::string& path, const ConfigReader& reader);
// Directives given as command-line arguments: each is one line, "command line:1" is the first.
[[nodiscard]] Result<Config> parse_config_lines(std::span<const std::string> directives,
                                                const ConfigReader& reader);

// The sources in the *.sources files of `sourcedir` lines (Settings::source_directories), for start and for
// `reload sources`. A file that cannot be read or a line that is not a good source is skipped with a warning:
// a DHCP client writes these files, and must not be able to stop the server.
[[nodiscard]] std::vector<NtpSource> read_source_directories(std::span<const std::string> source_directories,
                                                             const ConfigReader& reader,
                                                             std::vector<Warning>& warnings);

// What -p prints: every line in the order read, normalised; parsing it gives the same settings.
[[nodiscard]] std::string print_config(const Config& config);

}  // namespace wiretime::control
