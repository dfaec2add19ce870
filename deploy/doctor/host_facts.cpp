// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/host_facts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "deploy/doctor/small_files.hpp"
#include "os/scheduling.hpp"

namespace wiretime::doctor {

namespace {

namespace fs = std::filesystem;

std::vector<unsigned> cpu_list(const fs::path& file) {
  const std::string text = first_line(file);
  return text.empty() ? std::vector<unsigned>{} : os::parse_cpu_list(text).value_or(std::vector<unsigned>{});
}

// "Key:   value ..." of /proc's tables; empty when there is no such line.
std::string value_of(const fs::path& file, std::string_view key) {
  for (const std::string& line : lines_of(file)) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const auto at = line.find_first_not_of(" \t:", key.size());
    return at == std::string::npos ? std::string{} : line.substr(at);
  }
  return {};
}

void read_privileges(const fs::path& proc, HostFacts& facts) {
  const std::string ids = value_of(proc / "self/status", "Uid");  // real, effective, ...
  const auto second = ids.find_first_of(" \t");
  facts.root = second != std::string::npos && number(std::string_view{ids}.substr(second + 1)) == 0;
  const std::string effective = value_of(proc / "self/status", "CapEff");
  (void)std::from_chars(effective.data(), effective.data() + effective.size(), facts.capabilities, 16);
  const std::string locked = value_of(proc / "self/limits", "Max locked memory");
  if (!locked.empty() && locked.compare(0, 9, "unlimited") != 0) facts.locked_memory = number(locked);
}

// "cpu12" -> 12
std::optional<unsigned> cpu_of(const std::string& name) {
  if (name.compare(0, 3, "cpu") != 0) return std::nullopt;
  unsigned cpu = 0;
  const auto [end, error] = std::from_chars(name.data() + 3, name.data() + name.size(), cpu);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return cpu;
}

void read_cpus(const fs::path& devices, HostFacts& facts) {
  const fs::path cpus = devices / "cpu";
  facts.cpus = cpu_list(cpus / "online");
  facts.isolated = cpu_list(cpus / "isolated");
  facts.nohz_full = cpu_list(cpus / "nohz_full");  // "(null)" without: no list
  for (const std::string& name : entries(cpus)) {
    const auto cpu = cpu_of(name);
    if (!cpu) continue;
    if (std::string governor = first_line(cpus / name / "cpufreq/scaling_governor"); !governor.empty())
      facts.governors[*cpu] = std::move(governor);
    facts.siblings[*cpu] = cpu_list(cpus / name / "topology/thread_siblings_list");
    for (const std::string& link : entries(cpus / name))
      if (link.compare(0, 4, "node") == 0)
        facts.nodes[*cpu] = static_cast<int>(number(std::string_view{link}.substr(4)));
  }
}

// "hugepages-2048kB" -> bytes
std::size_t page_size(std::string_view name) {
  constexpr std::string_view kPrefix = "hugepages-";
  return name.substr(0, kPrefix.size()) == kPrefix ? number(name.substr(kPrefix.size())) * 1024 : 0;
}

void read_hugepages(const fs::path& sys, HostFacts& facts) {
  const fs::path pools = sys / "kernel/mm/hugepages";
  for (const std::string& name : entries(pools)) {
    HugepagePool pool;
    pool.size = page_size(name);
    if (pool.size == 0) continue;
    pool.total = number(first_line(pools / name / "nr_hugepages"));
    pool.free = number(first_line(pools / name / "free_hugepages"));
    for (const std::string& node : entries(sys / "devices/system/node")) {
      const std::string pages =
          first_line(sys / "devices/system/node" / node / "hugepages" / name / "free_hugepages");
      if (node.compare(0, 4, "node") == 0 && !pages.empty())
        pool.free_on_node[static_cast<int>(number(std::string_view{node}.substr(4)))] = number(pages);
    }
    facts.hugepages.push_back(std::move(pool));
  }
}

bool has_word(std::string_view line, std::string_view word) {
  const auto is_blank = [&](std::size_t at) { return at >= line.size() || line[at] == ' '; };
  for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1))
    if ((at == 0 || is_blank(at - 1)) && is_blank(at + word.size())) return true;
  return false;
}

void read_clocks(const fs::path& root, HostFacts& facts) {
  facts.clocksource = first_line(root / "sys/devices/system/clocksource/clocksource0/current_clocksource");
  const std::string flags = value_of(root / "proc/cpuinfo", "flags");
  facts.virtual_machine = has_word(flags, "hypervisor");
  // Other CPUs than x86 have a "Features" line, and a generic timer that is even by definition.
  facts.constant_counter = flags.empty() ? !value_of(root / "proc/cpuinfo", "Features").empty()
                                         : has_word(flags, "constant_tsc") && has_word(flags, "nonstop_tsc");
}

// The kernel cuts command names at 15 characters.
bool keeps_time(std::string_view name) {
  constexpr std::array<std::string_view, 7> kNames{"wiretimed", "chronyd", "ntpd",      "systemd-timesyn",
                                                   "openntpd",  "phc2sys", "ntp-daemon"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// Of the short options: "-d", "-x", "-dx". `arguments`: NUL behind each.
bool has_option(std::string_view arguments, char option) {
  bool first = true;
  while (!arguments.empty()) {
    const auto end = std::min(arguments.find('\0'), arguments.size());
    const std::string_view word = arguments.substr(0, end);
    arguments.remove_prefix(std::min(end + 1, arguments.size()));
    if (!std::exchange(first, false) && word.size() >= 2 && word[0] == '-' && word[1] != '-' &&
        word.find(option) != std::string_view::npos)
      return true;
  }
  return false;
}

void read_processes(const fs::path& proc, HostFacts& facts) {
  const std::string our_network = link_target(proc / "self/ns/net");
  for (const pid_t pid : processes(proc)) {
    const fs::path process = proc / std::to_string(pid);
    TimeProcess found{pid, first_line(process / "comm")};
    if (!keeps_time(found.name)) continue;
    const bool takes_x = found.name == "chronyd" || found.name == "wiretimed";
    found.hands_off = takes_x && has_option(whole_file(process / "cmdline"), 'x');
    const std::string network = link_target(process / "ns/net");
    found.elsewhere = !network.empty() && network != our_network;
    facts.time_processes.push_back(std::move(found));
  }
}

// Inodes of the sockets bound to `port` in /proc/net/udp or udp6: the second field is address:PORT in
// hexadecimal, the tenth the inode.
std::vector<std::string> sockets_on(const fs::path& table, std::uint16_t port) {
  constexpr std::size_t kLocal = 1, kInode = 9;
  std::vector<std::string> inodes;
  for (const std::string& line : lines_of(table)) {
    const auto fields = words(line);
    if (fields.size() <= kInode) continue;
    const auto colon = fields[kLocal].rfind(':');
    unsigned found = 0;
    if (colon == std::string_view::npos) continue;
    const std::string_view digits = fields[kLocal].substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), found, 16);
    if (error == std::errc{} && found == port) inodes.emplace_back(fields[kInode]);
  }
  return inodes;
}

}  // namespace

std::size_t HostFacts::free_hugepage_bytes() const {
  std::size_t bytes = 0;
  for (const HugepagePool& pool : hugepages) bytes += pool.size * pool.free;
  return bytes;
}

std::optional<pid_t> HostFacts::wiretimed_runs() const {
  for (const TimeProcess& p : time_processes)
    if (p.name == "wiretimed" && !p.elsewhere) return p.pid;
  return std::nullopt;
}

bool HostFacts::kernel_at_least(unsigned major, unsigned minor) const {
  const auto found_major = number(kernel);
  const auto dot = kernel.find('.');
  const auto found_minor = dot == std::string::npos ? 0 : number(std::string_view{kernel}.substr(dot + 1));
  return found_major > major || (found_major == major && found_minor >= minor);
}

HostFacts read_host_facts(const fs::path& root) {
  HostFacts facts;
  read_privileges(root / "proc", facts);
  facts.kernel = first_line(root / "proc/sys/kernel/osrelease");
  facts.tun = is_there(root / "dev/net/tun");
  facts.btf = is_there(root / "sys/kernel/btf/vmlinux");
  if (const std::string jit = first_line(root / "proc/sys/net/core/bpf_jit_enable"); !jit.empty())
    facts.bpf_jit = number(jit) != 0;
  read_cpus(root / "sys/devices/system", facts);
  read_hugepages(root / "sys", facts);
  read_clocks(root, facts);
  read_processes(root / "proc", facts);
  return facts;
}

std::vector<PortHolder> udp_port_holders(std::uint16_t port, const fs::path& root) {
  std::vector<std::string> inodes = sockets_on(root / "proc/net/udp", port);
  for (std::string& inode : sockets_on(root / "proc/net/udp6", port)) inodes.push_back(std::move(inode));
  std::vector<PortHolder> holders;
  if (inodes.empty()) return holders;
  for (const pid_t pid : processes(root / "proc")) {
    const fs::path process = root / "proc" / std::to_string(pid);
    for (const std::string& fd : entries(process / "fd")) {
      const std::string target = link_target(process / "fd" / fd);
      const bool holds = std::any_of(inodes.begin(), inodes.end(), [&](const std::string& inode) {
        return target == "socket:[" + inode + "]";
      });
      if (!holds) continue;
      holders.push_back({pid, first_line(process / "comm")});
      break;
    }
  }
  if (holders.empty()) holders.push_back({0, "?"});
  return holders;
}

}  // namespace wiretime::doctor
