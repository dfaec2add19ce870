// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a configuration, or as a command line: parsing ends with settings or with one printable line,
// and what -p prints means the same as what was read.
// Input: text of the main file; a line "%%file PATH" begins another file that include, confdir and sourcedir
// can find. Text that begins with "%%args" is a command line instead, one argument a line.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/command_line.hpp"
#include "control/config_parse.hpp"
#include "require.hpp"
#include "tests/unit/control/memory_reader.hpp"

using namespace wiretime;
using namespace wiretime::control;

namespace {

// For the operator's log: one line, no control characters, and what was expected.
void require_message(const std::string& text) {
  require(!text.empty());
  for (const char c : text) require(static_cast<unsigned char>(c) >= 0x20);
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

struct Files {
  std::string main;
  std::map<std::string, std::string> others;
};

Files split_files(std::string_view text) {
  constexpr std::string_view kMark = "%%file ";
  Files files;
  std::string* current = &files.main;
  for (const auto& line : split_lines(text)) {
    if (line.compare(0, kMark.size(), kMark) == 0) {
      std::string path;
      for (const char c : line.substr(kMark.size()))
        if (static_cast<unsigned char>(c) > 0x20) path += c;
      current = &files.others[path];
    } else {
      *current += line + '\n';
    }
  }
  return files;
}

void check_config(const Result<Config>& config, const ConfigReader& reader) {
  if (!config) {
    require_message(config.error().message);
    require(config.error().message.find("expected ") != std::string::npos);
    return;
  }
  for (const auto& warning : config->warnings) require_message(warning.to_string());
  const std::string printed = print_config(*config);
  const auto again = parse_config(printed, "printed", reader);
  require(again.has_value());
  require(again->settings() == config->settings());
  require(print_config(*again) == printed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(data[i]);
  if (text.compare(0, 6, "%%args") == 0) {
    auto words = split_lines(text);
    words.erase(words.begin());
    const auto options = parse_command_line(words);
    if (!options) {
      require_message(options.error().message);
      return 0;
    }
    const MemoryReader reader;
    check_config(parse_config_lines(options->directives, reader), reader);
    return 0;
  }
  const Files files = split_files(text);
  const MemoryReader reader{files.others};
  check_config(parse_config(files.main, "fuzz", reader), reader);
  return 0;
}
