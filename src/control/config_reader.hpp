// SPDX-License-Identifier: BSD-3-Clause
// How the configuration parser sees files: an interface, so that tests and the fuzzer need no disk, and the
// real thing. Control thread, at start and on `reload sources`.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace wiretime::control {

class ConfigReader {
 public:
  virtual ~ConfigReader() = default;
  ConfigReader() = default;
  ConfigReader(const ConfigReader&) = delete;
  ConfigReader& operator=(const ConfigReader&) = delete;

  // The whole file. The error says why not, without the path: "No such file or directory".
  [[nodiscard]] virtual Result<std::string> read(const std::string& path) const = 0;
  // Names in a directory, any order, without "." and "..".
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& directory) const = 0;
};

class DiskReader final : public ConfigReader {
 public:
  [[nodiscard]] Result<std::string> read(const std::string& path) const override;
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) const override;
};

}  // namespace wiretime::control
