// SPDX-License-Identifier: BSD-3-Clause
// A directory of its own for a test, removed with all it holds.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "catch.hpp"

struct TemporaryDirectory {
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "wtos-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);  // mode 0700
    path = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path + '/' + name; }
  std::string path;
};
