// SPDX-License-Identifier: BSD-3-Clause
#include "control/dump_files.hpp"

#include <filesystem>

#include "control/config_reader.hpp"
#include "os/files.hpp"

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

std::string join(const std::string& directory, const std::string& file) {
  return (std::filesystem::path{directory} / file).string();
}

}  // namespace

DumpTexts take_dump_files(const std::string& directory, bool read, os::Log& log) {
  DumpTexts texts;
  const auto names = DiskReader{}.list(directory);
  if (!names) {
    log.warning("dumpdir {}: {}", directory, names.error().message);
    return texts;
  }
  for (const std::string& name : *names) {
    if (!is_dump_file_name(name)) continue;
    const std::string path = join(directory, name);
    if (read) {
      if (auto text = os::read_file(path))
        texts.emplace(name, std::move(*text));
      else
        log.warning("{}", text.error().message);
    }
    std::error_code error;
    if (!std::filesystem::remove(path, error) && error)
      log.warning("cannot remove {}: {}", path, error.message());
  }
  return texts;
}

bool write_dump_files(const std::string& directory, const DumpTexts& texts, os::Log& log) {
  bool good = true;
  for (const auto& [name, text] : texts) {
    const auto written = os::replace_file(join(directory, name), text);
    if (written) continue;
    log.limited(os::LogLevel::warning, "dumpdir", 1h, "{}", written.error().message);
    good = false;
  }
  return good;
}

std::string boot_id() {
  auto text = os::read_file("/proc/sys/kernel/random/boot_id");
  if (!text) return {};
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

}  // namespace wiretime::control
