// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/host.hpp"

#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "os/scheduling.hpp"

namespace wiretime::dpdk {

namespace {

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line;
}

std::size_t number(const std::string& text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::size_t default_hugepage_size() {
  std::ifstream meminfo{"/proc/meminfo"};
  for (std::string key, value, line; meminfo >> key >> value; std::getline(meminfo, line))
    if (key == "Hugepagesize:") return number(value) * 1024;
  return 0;
}

std::size_t free_hugepage_bytes() {
  constexpr std::string_view kPrefix = "hugepages-";  // hugepages-2048kB
  std::size_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{"/sys/kernel/mm/hugepages", ignored}) {
    const std::string name = entry.path().filename();
    if (name.compare(0, kPrefix.size(), kPrefix) != 0) continue;
    bytes += number(name.substr(kPrefix.size())) * 1024 * number(first_line(entry.path() / "free_hugepages"));
  }
  return bytes;
}

}  // namespace

Host read_host() {
  Host host;
  host.cpus = os::online_cpus();
  host.affinity = os::cpus_of_this_process();
  host.free_hugepages = free_hugepage_bytes();
  host.hugepage_size = default_hugepage_size();
  return host;
}

std::string interface_names() {
  std::vector<std::string> names;
  if (struct if_nameindex* all = if_nameindex(); all != nullptr) {
    for (const auto* i = all; i->if_index != 0; ++i) names.emplace_back(i->if_name);
    if_freenameindex(all);
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace wiretime::dpdk
