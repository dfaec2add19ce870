// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/eal.hpp"

#include <fmt/format.h>
#include <rte_build_config.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "dpdk/devargs.hpp"
#include "dpdk/interrupt_gate.hpp"
#include "os/scheduling.hpp"

namespace wiretime::dpdk {

namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

std::size_t mebibytes(std::size_t bytes) {
  return (bytes + kMebibyte - 1) / kMebibyte;
}

Result<void> check_cpu(std::string_view directive, unsigned cpu, const Host& host) {
  if (std::find(host.cpus.begin(), host.cpus.end(), cpu) != host.cpus.end()) return {};
  return fail(fmt::format("{}: CPU {} does not exist on this machine ({})", directive, cpu,
                          os::format_cpu_list(host.cpus)));
}

Result<void> check_cpus(const EalOptions& options, const Host& host) {
  for (std::size_t i = 0; i < options.worker_cpus.size(); ++i) {
    const unsigned cpu = options.worker_cpus[i];
    if (auto known = check_cpu(options.worker_option, cpu, host); !known) return known;
    if (std::count(options.worker_cpus.begin(), options.worker_cpus.end(), cpu) > 1)
      return fail(fmt::format("{}: CPU {} is named twice", options.worker_option, cpu));
  }
  if (options.worker_cpus.size() + 1 > RTE_MAX_LCORE)
    return fail(fmt::format("{}: {} CPUs named, this build of DPDK takes {} at most", options.worker_option,
                            options.worker_cpus.size(), RTE_MAX_LCORE - 1));
  if (options.control_cpu) return check_cpu("controlcpu", *options.control_cpu, host);
  return {};
}

// "0@(0-3),1@2,2@3": lcore 0 is the control thread, then the workers in the order of the configuration.
std::string lcores(const EalOptions& options, const Host& host) {
  const std::string everywhere = fmt::format("({})", os::format_cpu_list(host.affinity));
  std::string text =
      fmt::format("0@{}", options.control_cpu ? fmt::to_string(*options.control_cpu) : everywhere);
  if (options.worker_cpus.empty()) text += ",1@" + everywhere;
  for (std::size_t i = 0; i < options.worker_cpus.size(); ++i)
    text += fmt::format(",{}@{}", i + 1, options.worker_cpus[i]);
  return text;
}

Result<bool> choose_hugepages(const EalOptions& options, const Host& host) {
  const bool enough = host.free_hugepages >= options.memory;
  if (options.hugepages == server::Hugepages::off) return false;
  if (enough || options.hugepages == server::Hugepages::automatic) return enough;
  if (host.hugepage_size == 0) return fail("hugepages on: this kernel has no hugepages; use `hugepages off`");
  return fail(fmt::format(
      "hugepages on: {} MiB of free hugepages found, {} MiB needed; set them aside with `sysctl -w "
      "vm.nr_hugepages={}` or use `hugepages auto`",
      host.free_hugepages / kMebibyte, mebibytes(options.memory),
      (options.memory - host.free_hugepages + host.hugepage_size - 1) / host.hugepage_size +
          host.free_hugepages / host.hugepage_size));
}

// Signals are the control thread's business: threads made meanwhile inherit a full mask.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

int init(const std::vector<std::string>& arguments) {
  std::vector<std::string> storage{"wiretimed"};
  storage.insert(storage.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& s : storage) argv.push_back(s.data());
  argv.push_back(nullptr);
  const SignalsBlocked blocked;
  return rte_eal_init(static_cast<int>(storage.size()), argv.data());
}

std::string why(const DriverLog& log) {
  const std::string said = log.first_error();
  return said.empty() ? std::string{rte_strerror(rte_errno)} : said;
}

}  // namespace

EalOptions EalOptions::for_ports(const std::vector<server::DataplaneConfig>& ports) {
  EalOptions eal;
  eal.memory = memory_needed(ports);
  bool any_driver = false;
  for (const auto& port : ports) {
    if (port.kind == server::DataplaneConfig::Kind::pci) eal.pci.push_back(port.device);
    const auto file = driver_file(port);
    any_driver = any_driver || !file;
    if (file && std::find(eal.drivers.begin(), eal.drivers.end(), *file) == eal.drivers.end())
      eal.drivers.push_back(*file);
  }
  if (any_driver)
    eal.drivers.clear();
  else
    eal.drivers.emplace_back("librte_mempool_ring.so");
  return eal;
}

Result<EalPlan> plan_eal(const EalOptions& options, const Host& host) {
  if (auto ok = check_cpus(options, host); !ok) return tl::make_unexpected(ok.error());
  const auto hugepages = choose_hugepages(options, host);
  if (!hugepages) return tl::make_unexpected(hugepages.error());

  EalPlan plan;
  plan.hugepages = *hugepages;
  auto& a = plan.arguments;
  a = {"--lcores", lcores(options, host), "--main-lcore", "0", "--no-telemetry"};
  // Nothing on disk, so that instances on one host cannot meet: no shared configuration, no hugetlbfs files.
  if (plan.hugepages)
    a.emplace_back("--in-memory");
  else
    a.insert(a.end(), {"--no-huge", "--no-shconf", "-m", fmt::to_string(mebibytes(options.memory))});
  a.insert(a.end(), {"--file-prefix", "wiretime"});
  if (options.pci.empty())
    a.insert(a.end(), {"--no-pci", "--iova-mode=va"});
  else
    for (const std::string& address : options.pci) a.insert(a.end(), {"-a", address});
  for (const std::string& file : options.drivers)
    a.insert(a.end(), {"-d", fmt::format("{}/{}", RTE_EAL_PMD_PATH, file)});
  return plan;
}

Result<std::unique_ptr<Eal>> Eal::start(const EalOptions& options, DriverLog& log) {
  EalOptions wanted = options;
  for (const std::string& file : wanted.drivers) {
    // Another DPDK than the one we were built with: let EAL load its own directory.
    if (access(fmt::format("{}/{}", RTE_EAL_PMD_PATH, file).c_str(), R_OK) == 0) continue;
    wanted.drivers.clear();
    break;
  }
  const auto plan = plan_eal(wanted, read_host());
  if (!plan) return tl::make_unexpected(plan.error());
  // EAL aborts the process when a thread cannot go where it was told.
  for (const unsigned cpu : wanted.worker_cpus)
    if (!os::check_cpu(cpu))
      return fail(
          fmt::format("{}: CPU {} is closed to this process by its cpuset", wanted.worker_option, cpu));
  if (wanted.control_cpu && !os::check_cpu(*wanted.control_cpu))
    return fail(
        fmt::format("controlcpu: CPU {} is closed to this process by its cpuset", *wanted.control_cpu));

  log.forget_errors();
  {
    const CapturedStandardError captured{log};
    if (init(plan->arguments) < 0)
      return fail(fmt::format("DPDK does not start: {}{}", why(log),
                              geteuid() != 0 ? "; a data plane needs root or the capabilities of "
                                               "wiretimed.service"
                                             : ""));
  }
  const auto workers = std::max<std::size_t>(wanted.worker_cpus.size(), 1);
  return std::unique_ptr<Eal>{new Eal{plan->hugepages, static_cast<unsigned>(workers)}};
}

// Not rte_eal_cleanup: it takes memory away under EAL's interrupt thread, which lives as long as the process
// and crashes on what it was still doing. Nothing of EAL's is on disk, so the end of the process cleans up.
// Till then the thread is shut in for good, behind a gate that is its for good: it must not meet what is
// destroyed next.
Eal::~Eal() {
  auto* const gate = new InterruptGate;
  (void)gate->close();
}

}  // namespace wiretime::dpdk
