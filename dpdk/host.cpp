// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/host.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

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
  host.cpus = parse_cpus(first_line("/sys/devices/system/cpu/online"));
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &allowed)) host.affinity.push_back(cpu);
  }
  if (host.cpus.empty()) host.cpus = host.affinity;
  host.free_hugepages = free_hugepage_bytes();
  host.hugepage_size = default_hugepage_size();
  return host;
}

bool may_run_on(unsigned cpu) {
  cpu_set_t before, wanted;
  CPU_ZERO(&wanted);
  if (cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof before, &before) != 0) return false;
  CPU_SET(cpu, &wanted);
  const bool may = sched_setaffinity(0, sizeof wanted, &wanted) == 0;
  sched_setaffinity(0, sizeof before, &before);
  return may;
}

std::string format_cpus(const std::vector<unsigned>& cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += last == i ? fmt::format("{}", cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[last]);
    i = last + 1;
  }
  return text;
}

std::vector<unsigned> parse_cpus(const std::string& text) {
  std::vector<unsigned> cpus;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    unsigned first = 0;
    auto result = std::from_chars(at, end, first);
    if (result.ec != std::errc{}) break;
    unsigned last = first;
    if (result.ptr < end && *result.ptr == '-') result = std::from_chars(result.ptr + 1, end, last);
    for (unsigned cpu = first; cpu <= last && cpus.size() < CPU_SETSIZE; ++cpu) cpus.push_back(cpu);
    at = result.ptr + 1;
  }
  return cpus;
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
