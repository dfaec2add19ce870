// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/judge_host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "control/policy.hpp"
#include "dpdk/devargs.hpp"
#include "os/scheduling.hpp"

namespace wiretime::doctor {

namespace {

using Kind = server::DataplaneConfig::Kind;

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

// capabilities(7)
struct NeededCapability {
  unsigned bit;
  std::string_view name;
  bool for_ports;  // or for the clock
};
constexpr std::array<NeededCapability, 5> kNeeded{{{12, "CAP_NET_ADMIN", true},
                                                   {13, "CAP_NET_RAW", true},
                                                   {21, "CAP_SYS_ADMIN", true},
                                                   {25, "CAP_SYS_TIME", false},
                                                   {39, "CAP_BPF", true}}};

class Judge {
 public:
  Judge(const HostFacts& host, const Purpose& purpose, const Build& build)
      : host_{host}, purpose_{purpose}, settings_{purpose.settings}, build_{build} {}

  Findings all() && {
    privileges();
    kernel();
    built_in();
    kernel_interfaces();
    counter();
    cpus();
    governors();
    hugepages();
    locked_memory();
    return std::move(out_);
  }

 private:
  void say(Level level, std::string topic, std::string what, std::string next = {}) {
    out_.push_back({level, "host", std::move(topic), std::move(what), std::move(next)});
  }

  void privileges();
  void kernel();
  void built_in();
  void kernel_interfaces();
  void counter();
  void cpus();
  void shared_cores();
  void governors();
  void hugepages();
  void locked_memory();
  [[nodiscard]] std::vector<unsigned> working_cpus() const {
    return settings_.worker_cpus.empty() ? host_.cpus : settings_.worker_cpus;
  }

  const HostFacts& host_;
  const Purpose& purpose_;
  const control::Settings& settings_;
  const Build& build_;
  Findings out_;
};

void Judge::privileges() {
  if (!host_.root)
    return say(Level::note, "privileges", "not run as root: other programs' sockets stay unseen",
               "run it as root, as wiretimed is started");
  std::string for_ports, for_clock;
  for (const NeededCapability& c : kNeeded) {
    if ((host_.capabilities >> c.bit & 1U) != 0) continue;
    std::string& list = c.for_ports ? for_ports : for_clock;
    list += fmt::format("{}{}", list.empty() ? "" : ", ", c.name);
  }
  if (for_ports.empty() && for_clock.empty())
    return say(Level::ok, "privileges", "root with all capabilities that are needed");
  const auto tell = [&](const std::string& missing, bool needed, std::string_view what, std::string next) {
    if (missing.empty()) return;
    say(needed ? Level::problem : Level::note, "privileges",
        fmt::format("root here lacks {}, which {}", missing, what), needed ? std::move(next) : "");
  };
  tell(for_ports, purpose_.has_ports(), "dataplane lines need", "start the container or unit with it");
  tell(for_clock, purpose_.configured && control::controls_clock(settings_), "steering the clock needs",
       "start the container or unit with it, or wiretimed with -x");
}

void Judge::kernel() {
  std::string what = "Linux " + host_.kernel;
  const bool xdp = purpose_.has_port(Kind::af_xdp);
  if (!host_.kernel_at_least(5, 9))
    return say(xdp ? Level::problem : Level::note, "kernel", what + " cannot hold our XDP program",
               "dataplane af_xdp needs Linux 5.9, and 6.3 for the NIC's stamps");
  if (!host_.kernel_at_least(6, 3) || !host_.btf)
    say(Level::note, "kernel",
        fmt::format("{}{} gives XDP programs no NIC's stamps", what, host_.btf ? "" : " without BTF"),
        host_.btf ? "boot Linux 6.3 or later if the NIC can" : "use a kernel with CONFIG_DEBUG_INFO_BTF");
  else
    say(Level::ok, "kernel", what + " with BTF: XDP programs may ask for the NIC's stamps");
  if (host_.bpf_jit == false)
    say(purpose_.for_ports(), "bpf", "BPF programs are interpreted, several times slower",
        "sysctl -w net.core.bpf_jit_enable=1");
}

void Judge::built_in() {
  if (!build_.dpdk)
    return say(purpose_.has_ports() ? Level::problem : Level::note, "build",
               "built without DPDK: kernel sockets only", "build with libdpdk-dev for dataplane lines");
  if (!build_.module_error.empty()) {
    const auto split = build_.module_error.find("; ");
    return say(purpose_.has_ports() ? Level::problem : Level::note, "build",
               build_.module_error.substr(0, split),
               split == std::string::npos ? "" : build_.module_error.substr(split + 2));
  }
  if (!build_.xdp)
    return say(purpose_.has_port(Kind::af_xdp) ? Level::problem : Level::note, "build",
               fmt::format("DPDK {}, built without XDP: no dataplane af_xdp", build_.dpdk_version),
               "build with clang, bpftool and libbpf-dev");
  say(Level::ok, "build", fmt::format("DPDK {} and XDP steering", build_.dpdk_version));
}

// All but NTP, ARP, neighbour discovery and ping on ports that the kernel does not own.
void Judge::kernel_interfaces() {
  if (host_.tun) return;
  for (const auto& port : settings_.dataplanes) {
    if (port.kernel_owns_port() || (port.kernel_interface && port.kernel_interface->empty())) continue;
    return say(port.kernel_interface ? Level::problem : Level::warning, "tun",
               "no /dev/net/tun: only NTP and ping will work on " + port.device,
               "modprobe tun, or write `kernel off` in its line");
  }
}

void Judge::counter() {
  if (host_.constant_counter)
    say(Level::ok, "counter", "the CPUs' counter runs evenly in all power states");
  else
    say(purpose_.for_ports(), "counter",
        "the CPUs' counter is not said to run evenly (constant_tsc, nonstop_tsc): time from workers may be "
        "off",
        host_.virtual_machine ? "have the hypervisor pass an invariant TSC on (CPU model host)"
                              : "use kernel sockets on this CPU");
  if (host_.clocksource.empty()) return;
  const bool slow = host_.clocksource == "hpet" || host_.clocksource == "acpi_pm" ||
                    host_.clocksource == "jiffies" || host_.clocksource == "refined-jiffies";
  say(slow ? Level::warning : Level::ok, "clocksource",
      host_.clocksource + (slow ? ": a microsecond and more for each reading" : ""),
      slow ? "see `dmesg | grep -i tsc` for why the kernel gave up the TSC" : "");
}

void Judge::cpus() {
  const std::string online = os::format_cpu_list(host_.cpus);
  const auto& workers = settings_.worker_cpus;
  if (workers.empty()) {
    say(Level::note, "cpus",
        fmt::format("{} online ({}); no workercpus: one worker on whatever CPU is free", host_.cpus.size(),
                    online),
        host_.cpus.size() > 1
            ? "give workers CPUs of their own, such as `workercpus " + fmt::to_string(host_.cpus.back()) + "`"
            : "");
    return;
  }
  std::vector<unsigned> missing, busy;
  for (const unsigned cpu : workers) {
    if (!std::binary_search(host_.cpus.begin(), host_.cpus.end(), cpu)) missing.push_back(cpu);
    if (!std::binary_search(host_.isolated.begin(), host_.isolated.end(), cpu)) busy.push_back(cpu);
  }
  if (!missing.empty())
    return say(Level::problem, "cpus",
               fmt::format("workercpus: no CPU {} here (online: {})", os::format_cpu_list(missing), online),
               "name CPUs that are there");
  const std::string list = os::format_cpu_list(workers);
  std::vector<unsigned> ticking;
  std::set_difference(workers.begin(), workers.end(), host_.nohz_full.begin(), host_.nohz_full.end(),
                      std::back_inserter(ticking));
  if (busy.empty() && ticking.empty()) {
    say(Level::ok, "cpus", fmt::format("workers' CPUs {} are isolated, without the kernel's tick", list));
  } else if (busy.empty()) {
    say(Level::note, "cpus",
        fmt::format("workers' CPUs {} are isolated; the kernel's tick interrupts {}", list,
                    os::format_cpu_list(ticking)),
        fmt::format("boot with nohz_full={0} rcu_nocbs={0} too", list));
  } else {
    const bool spins = settings_.worker_idle == server::WorkerIdle::spin;
    say(spins ? Level::warning : Level::note, "cpus",
        fmt::format("CPU {} of workercpus {} not isolated: other programs interrupt the worker there",
                    os::format_cpu_list(busy), busy.size() == 1 ? "is" : "are"),
        fmt::format("boot with isolcpus={0} nohz_full={0}", list));
  }
  shared_cores();
}

void Judge::shared_cores() {
  const auto& workers = settings_.worker_cpus;
  std::set<unsigned> told;
  for (const unsigned cpu : workers) {
    const auto core = host_.siblings.find(cpu);
    if (core == host_.siblings.end() || told.count(cpu) != 0) continue;
    for (const unsigned other : core->second) {
      if (other == cpu) continue;
      const bool worker = std::binary_search(workers.begin(), workers.end(), other);
      if (worker) told.insert(other);
      const bool idle = std::binary_search(host_.isolated.begin(), host_.isolated.end(), other) && !worker;
      if (!idle)
        say(Level::note, "cpus",
            fmt::format("worker's CPU {} shares its core with CPU {}{}", cpu, other,
                        worker ? ", also a worker's" : ""),
            "use one CPU a core, and keep the other idle");
    }
  }
}

void Judge::governors() {
  std::vector<unsigned> slow;
  std::string governor;
  for (const unsigned cpu : working_cpus()) {
    const auto found = host_.governors.find(cpu);
    if (found == host_.governors.end() || found->second == "performance") continue;
    slow.push_back(cpu);
    governor = found->second;
  }
  if (host_.governors.empty())
    return say(Level::ok, "governor", "the kernel does not change the CPUs' frequency");
  if (slow.empty()) return say(Level::ok, "governor", "performance");
  const std::string list = os::format_cpu_list(slow);
  say(purpose_.for_ports(), "governor",
      fmt::format("CPU {} on {}: replies wait for the clock to rise", list, governor),
      fmt::format("cpupower -c {} frequency-set -g performance", list));
}

void Judge::hugepages() {
  std::vector<server::DataplaneConfig> ports = settings_.dataplanes;
  if (ports.empty()) ports.emplace_back();  // what one port of one queue would need
  const std::size_t wanted = dpdk::memory_needed(ports) / kMebibyte + 1;
  const std::size_t free = host_.free_hugepage_bytes() / kMebibyte;
  std::string pools;
  const HugepagePool* smallest = nullptr;
  for (const HugepagePool& pool : host_.hugepages) {
    if (smallest == nullptr || pool.size < smallest->size) smallest = &pool;
    if (pool.total == 0) continue;
    pools += fmt::format("{}{} of {} pages of {} MiB free", pools.empty() ? "" : ", ", pool.free, pool.total,
                         pool.size / kMebibyte);
    if (pool.free_on_node.size() > 1)
      for (const auto& [node, pages] : pool.free_on_node)
        pools += fmt::format(", {} on node {}", pages, node);
  }
  if (pools.empty()) pools = smallest != nullptr ? "none set aside" : "this kernel has none";
  if (settings_.hugepages == server::Hugepages::off)
    return say(purpose_.has_port(Kind::pci) ? Level::warning : Level::ok, "hugepages",
               pools + "; configured not to use them",
               purpose_.has_port(Kind::pci) ? "write `hugepages auto`: a PCI card is faster with them" : "");
  if (free >= wanted) return say(Level::ok, "hugepages", fmt::format("{}; {} MiB needed", pools, wanted));
  if (host_.wiretimed_runs())
    return say(Level::ok, "hugepages", pools + "; wiretimed runs and has what it took");
  const bool must = settings_.hugepages == server::Hugepages::on && purpose_.has_ports();
  std::string set_aside = "write `hugepages auto`";
  if (smallest != nullptr)
    set_aside = fmt::format("sysctl -w vm.nr_hugepages={}",
                            smallest->total - smallest->free + (wanted * kMebibyte - 1) / smallest->size + 1);
  else if (!must)
    set_aside.clear();
  say(must ? Level::problem : Level::note, "hugepages",
      fmt::format("{}; {} MiB needed{}", pools, wanted, must ? "" : ", ordinary memory serves too, slower"),
      std::move(set_aside));
}

// Of root without the capability: others' limits are not those that wiretimed would start with.
void Judge::locked_memory() {
  constexpr unsigned kIpcLock = 14;
  if (!host_.root) return;
  if (!host_.locked_memory || (host_.capabilities >> kIpcLock & 1U) != 0)
    return say(Level::ok, "memory lock", "as much as is wanted");
  const std::size_t wanted = dpdk::memory_needed(settings_.dataplanes);
  const std::string what = fmt::format("{} MiB at most may be locked", *host_.locked_memory / kMebibyte);
  if (*host_.locked_memory >= wanted && !settings_.lock_memory) return say(Level::ok, "memory lock", what);
  say(purpose_.has_ports() || settings_.lock_memory ? Level::warning : Level::note, "memory lock", what,
      "LimitMEMLOCK=infinity in the unit, or `ulimit -l unlimited`");
}

std::string described(const TimeProcess& p) {
  return fmt::format("{} (pid {})", p.name, p.pid);
}

std::string how_to_stop(const std::string& name, pid_t pid) {
  if (name == "systemd-timesyn") return "systemctl disable --now systemd-timesyncd";
  if (name == "chronyd") return "systemctl disable --now chrony";
  return fmt::format("stop its unit: `systemctl status {}` names it", pid);
}

void judge_port(const HostFacts& host, const std::vector<PortHolder>& holders, const Purpose& purpose,
                Findings& out) {
  const std::uint16_t port = purpose.settings.port;
  const auto say = [&](Level level, std::string what, std::string next) {
    out.push_back({level, "host", "ntp port", std::move(what), std::move(next)});
  };
  if (port == 0) return say(Level::ok, "closed by `port 0`: only clients of other programs are served", "");
  if (holders.empty()) return say(Level::ok, fmt::format("nobody has UDP port {}", port), "");
  for (const PortHolder& holder : holders) {
    if (holder.name == "wiretimed") {
      say(Level::ok, fmt::format("wiretimed (pid {}) has UDP port {}", holder.pid, port), "");
    } else if (holder.pid == 0 && host.wiretimed_runs()) {
      say(Level::note, fmt::format("UDP port {} is taken, most likely by wiretimed", port), "");
    } else if (holder.pid == 0) {
      say(Level::problem, fmt::format("UDP port {} is taken, by whom cannot be seen from here", port),
          "find out as root: ss -ulpn");
    } else {
      say(Level::problem, fmt::format("{} (pid {}) has UDP port {}", holder.name, holder.pid, port),
          how_to_stop(holder.name, holder.pid));
    }
  }
}

}  // namespace

bool Purpose::has_port(Kind kind) const {
  const auto& ports = settings.dataplanes;
  return std::any_of(ports.begin(), ports.end(), [kind](const auto& port) { return port.kind == kind; });
}

Findings judge_host(const HostFacts& host, const Purpose& purpose, const Build& build) {
  return Judge{host, purpose, build}.all();
}

Findings judge_neighbours(const HostFacts& host, const std::vector<PortHolder>& holders,
                          const Purpose& purpose) {
  Findings out;
  judge_port(host, holders, purpose, out);
  const bool steers = control::controls_clock(purpose.settings);
  std::size_t others = 0;
  for (const TimeProcess& p : host.time_processes) {
    if (p.name == "wiretimed" || p.hands_off) continue;
    ++others;
    const std::string where = p.elsewhere ? " in another network namespace" : "";
    if (steers)
      out.push_back({Level::warning, "host", "clock",
                     fmt::format("{}{} steers the clock that wiretimed would steer", described(p), where),
                     how_to_stop(p.name, p.pid) + ", or run wiretimed with -x"});
    else
      out.push_back({Level::note, "host", "clock",
                     fmt::format("{}{} keeps the clock; so it may while wiretimed has no sources of its own",
                                 described(p), where),
                     ""});
  }
  if (others == 0)
    out.push_back({Level::ok, "host", "clock",
                   steers ? "nobody else steers it" : "no other time daemon runs here", ""});
  return out;
}

}  // namespace wiretime::doctor
