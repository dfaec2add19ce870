// SPDX-License-Identifier: BSD-3-Clause
#include "os/scheduling.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "os/file_descriptor.hpp"
#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

constexpr unsigned kMaxCpus = 4096;

// A CPU mask for kMaxCpus; cpu_set_t's 1024 bits are too few for large hosts.
class CpuMask {
 public:
  void set(unsigned cpu) { words_[cpu / kBits] |= 1UL << (cpu % kBits); }
  [[nodiscard]] bool has(unsigned cpu) const { return (words_[cpu / kBits] >> (cpu % kBits) & 1UL) != 0; }
  [[nodiscard]] int apply() const { return sched_setaffinity(0, sizeof words_, system()); }
  [[nodiscard]] int load() { return sched_getaffinity(0, sizeof words_, system()); }

 private:
  static constexpr unsigned kBits = 8 * sizeof(unsigned long);
  [[nodiscard]] cpu_set_t* system() const {
    return static_cast<cpu_set_t*>(static_cast<void*>(const_cast<unsigned long*>(words_.data())));
  }
  std::array<unsigned long, kMaxCpus / kBits> words_{};
};

std::optional<unsigned> parse_cpu(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value >= kMaxCpus) return std::nullopt;
  return value;
}

}  // namespace

std::vector<unsigned> cpus_of_this_process() {
  std::vector<unsigned> cpus;
  CpuMask mask;
  if (mask.load() >= 0)
    for (unsigned cpu = 0; cpu < kMaxCpus; ++cpu)
      if (mask.has(cpu)) cpus.push_back(cpu);
  return cpus;
}

std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text) {
  std::vector<unsigned> cpus;
  for (;;) {
    const auto comma = text.find(',');
    const auto item = text.substr(0, comma);
    const auto dash = item.find('-');
    const auto first = parse_cpu(item.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_cpu(item.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    for (unsigned cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

std::string format_cpu_list(std::span<const unsigned> ascending) {
  std::string out;
  for (std::size_t i = 0; i < ascending.size();) {
    std::size_t j = i;
    while (j + 1 < ascending.size() && ascending[j + 1] == ascending[j] + 1) ++j;
    if (!out.empty()) out += ',';
    out += i == j ? fmt::format("{}", ascending[i]) : fmt::format("{}-{}", ascending[i], ascending[j]);
    i = j + 1;
  }
  return out;
}

std::vector<unsigned> online_cpus() {
  const FileDescriptor fd{open("/sys/devices/system/cpu/online", O_RDONLY)};
  std::array<char, 4096> text{};
  const ssize_t n = fd.valid() ? read(fd.get(), text.data(), text.size()) : -1;
  if (n > 0) {
    std::string_view list{text.data(), static_cast<std::size_t>(n)};
    if (list.back() == '\n') list.remove_suffix(1);
    if (auto cpus = parse_cpu_list(list)) return *cpus;
  }
  // /sys may be hidden by a sandbox: then the process's own mask is the best there is.
  return cpus_of_this_process();
}

Result<void> check_cpu(unsigned cpu) {
  const auto online = online_cpus();
  if (!std::binary_search(online.begin(), online.end(), cpu))
    return fail(fmt::format("no CPU {} on this host (online: {})", cpu, format_cpu_list(online)));
  // Only trying tells what a cpuset allows: the present mask may be narrower than what we may ask for.
  CpuMask before;
  if (before.load() < 0) return {};
  CpuMask wanted;
  wanted.set(cpu);
  const bool allowed = wanted.apply() == 0;
  if (before.apply() != 0) return fail("cannot restore the CPU affinity: " + errno_text());
  if (allowed) return {};
  return fail(
      fmt::format("CPU {} may not be used by this process (check AllowedCPUs= of the unit, or the "
                  "container's cpuset)",
                  cpu));
}

Result<void> pin_this_thread(std::span<const unsigned> cpus) {
  CpuMask mask;
  for (const unsigned cpu : cpus) {
    if (cpu >= kMaxCpus) return fail(fmt::format("no CPU {} on this host", cpu));
    mask.set(cpu);
  }
  if (mask.apply() != 0)
    return fail(fmt::format("cannot run on CPU {}: {}", format_cpu_list(cpus), errno_text()));
  return {};
}

Result<void> lock_memory() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &unlimited);  // when refused, mlockall decides
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
    return fail(fmt::format("cannot lock memory: {} (needs root or CAP_IPC_LOCK, or LimitMEMLOCK=infinity)",
                            errno_text()));
  return {};
}

Result<void> set_real_time_priority(int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  if (sched_setscheduler(0, SCHED_FIFO, &parameters) != 0)
    return fail(fmt::format("cannot set real-time priority {}: {} (needs root or CAP_SYS_NICE)", priority,
                            errno_text()));
  return {};
}

}  // namespace wiretime::os
