// SPDX-License-Identifier: BSD-3-Clause
// /proc and /sys of a host that does not exist.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "os/temporary_directory.hpp"

namespace wiretime::doctor {

struct FakeRoot {
  TemporaryDirectory directory;
  std::filesystem::path root{directory.path};

  void file(const std::string& path, const std::string& text) const {
    const auto whole = root / path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream{whole, std::ios::binary} << text;
  }
  void link(const std::string& path, const std::string& target) const {
    const auto whole = root / path;
    std::filesystem::create_directories(whole.parent_path());
    std::filesystem::create_symlink(target, whole);
  }
  // Without `network` in ours.
  void process(int number, const std::string& name, const std::string& command_line,
               const std::string& network = "net:[1]") const {
    const std::string base = "proc/" + std::to_string(number);
    file(base + "/comm", name + '\n');
    file(base + "/cmdline", command_line);
    link(base + "/ns/net", network);
  }
};

}  // namespace wiretime::doctor
