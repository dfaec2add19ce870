// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_reader.hpp"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace wiretime::control {

namespace {

// Above an access list of a whole routing table; stops an `include` of an endless device.
constexpr std::size_t kMaxFileSize = std::size_t{64} << 20;
constexpr std::size_t kChunk = std::size_t{1} << 20;

std::string last_system_error() {
  return std::error_code{errno, std::generic_category()}.message();
}

}  // namespace

Result<std::string> DiskReader::read(const std::string& path) const {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return fail("Is a directory");
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  if (!file) return fail(last_system_error());
  std::string text;
  while (file && text.size() <= kMaxFileSize) {
    const std::size_t size = text.size();
    text.resize(size + kChunk);
    file.read(text.data() + size, static_cast<std::streamsize>(kChunk));
    text.resize(size + static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) return fail(last_system_error());
  if (text.size() > kMaxFileSize) return fail("larger than 64 MiB");
  return text;
}

Result<std::vector<std::string>> DiskReader::list(const std::string& directory) const {
  std::error_code error;
  std::filesystem::directory_iterator entry{directory, error};
  if (error) return fail(error.message());
  std::vector<std::string> names;
  while (entry != std::filesystem::directory_iterator{}) {
    names.push_back(entry->path().filename().string());
    entry.increment(error);
    if (error) return fail(error.message());
  }
  return names;
}

}  // namespace wiretime::control
