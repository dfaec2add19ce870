// SPDX-License-Identifier: BSD-3-Clause
// What /proc and /sys say of this host: facts, no opinions. `root` is where they are, so that tests can make
// hosts of their own. Everything that cannot be read is left as initialised.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace wiretime::doctor {

struct HugepagePool {
  std::size_t size = 0;  // bytes a page
  std::size_t total = 0;
  std::size_t free = 0;
  std::map<int, std::size_t> free_on_node{};  // NUMA node -> pages
};

// One that steers a clock or answers NTP.
struct TimeProcess {
  pid_t pid = 0;
  std::string name;        // "chronyd"
  bool hands_off = false;  // was told with -x to leave the clock alone
  bool elsewhere = false;  // in another network namespace than ours

  friend bool operator==(const TimeProcess&, const TimeProcess&) = default;
};

// Of a UDP port.
struct PortHolder {
  pid_t pid = 0;     // 0: nobody that we may see
  std::string name;  // "?" then
};

struct HostFacts {
  bool root = false;
  std::uint64_t capabilities = 0;  // effective, a bit each (capabilities(7))
  std::string kernel;              // "6.1.0-18-amd64"
  bool btf = false;                // the kernel describes its own types
  std::optional<bool> bpf_jit;
  bool tun = false;  // /dev/net/tun, for the kernel's interface beside a port that it does not own

  std::vector<unsigned> cpus;       // online, ascending
  std::vector<unsigned> isolated;   // isolcpus=
  std::vector<unsigned> nohz_full;  // nohz_full=
  std::map<unsigned, std::string> governors;
  std::map<unsigned, std::vector<unsigned>> siblings;  // CPU -> those that share its core, itself too
  std::map<unsigned, int> nodes;                       // CPU -> NUMA node

  std::string clocksource;
  bool constant_counter = false;  // the CPU's counter runs evenly in all power states
  bool virtual_machine = false;

  std::vector<HugepagePool> hugepages;
  std::optional<std::uint64_t> locked_memory;  // bytes that a process may lock; nothing: any number

  std::vector<TimeProcess> time_processes;

  // In our network namespace; nothing: it does not.
  [[nodiscard]] std::optional<pid_t> wiretimed_runs() const;
  [[nodiscard]] std::size_t free_hugepage_bytes() const;
  // "6.3" and up.
  [[nodiscard]] bool kernel_at_least(unsigned major, unsigned minor) const;
};

[[nodiscard]] HostFacts read_host_facts(const std::filesystem::path& root = "/");

// Who has the UDP port open in our network namespace.
[[nodiscard]] std::vector<PortHolder> udp_port_holders(std::uint16_t port,
                                                       const std::filesystem::path& root = "/");

}  // namespace wiretime::doctor
