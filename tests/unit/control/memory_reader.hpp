// SPDX-License-Identifier: BSD-3-Clause
// Configuration files that only exist in memory, for tests and the fuzzer.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/config_reader.hpp"

namespace wiretime::control {

class MemoryReader final : public ConfigReader {
 public:
  MemoryReader() = default;
  explicit MemoryReader(std::map<std::string, std::string> files) : files_(std::move(files)) {}

  [[nodiscard]] Result<std::string> read(const std::string& path) const override {
    const auto file = files_.find(path);
    if (file == files_.end()) return fail("No such file or directory");
    return file->second;
  }

  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) const override {
    std::string prefix = directory;
    if (prefix.empty() || prefix.back() != '/') prefix += '/';
    std::set<std::string> names;
    for (const auto& [path, text] : files_)
      if (path.size() > prefix.size() && path.compare(0, prefix.size(), prefix) == 0)
        names.insert(path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size()));
    if (names.empty()) return fail("No such file or directory");
    return std::vector<std::string>(names.begin(), names.end());
  }

 private:
  std::map<std::string, std::string> files_;
};

}  // namespace wiretime::control
