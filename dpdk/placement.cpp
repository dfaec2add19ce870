// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "dpdk/devargs.hpp"
#include "os/scheduling.hpp"

namespace wiretime::dpdk {

namespace {

using Config = server::DataplaneConfig;

bool remote(int a, int b) {
  return a != kUnknownNode && b != kUnknownNode && a != b;
}

std::string plural(std::size_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

}  // namespace

std::vector<unsigned> place_queues(std::span<const int> queue_nodes, std::span<const int> worker_nodes) {
  const std::size_t workers = worker_nodes.size();
  const std::size_t share = (queue_nodes.size() + workers - 1) / workers;
  std::vector<std::size_t> load(workers, 0);
  std::vector<unsigned> homes;
  for (std::size_t q = 0; q < queue_nodes.size(); ++q) {
    const auto idle = static_cast<std::size_t>(std::count(load.begin(), load.end(), 0U));
    const bool reserved = queue_nodes.size() - q <= idle;  // all that are left are for those without any
    std::optional<std::size_t> best;
    const auto worse = [&](std::size_t a, std::size_t b) {
      const bool remote_a = remote(queue_nodes[q], worker_nodes[a]);
      const bool remote_b = remote(queue_nodes[q], worker_nodes[b]);
      return remote_a != remote_b ? remote_a : load[a] > load[b];
    };
    for (std::size_t w = 0; w < workers; ++w)
      if (load[w] == 0 || (load[w] < share && !reserved))
        if (!best || worse(*best, w)) best = w;
    ++load[*best];
    homes.push_back(static_cast<unsigned>(*best));
  }
  return homes;
}

Result<void> check_queues(std::span<const Config> ports, std::size_t workers, std::size_t most_devices) {
  std::size_t queues = 0;
  std::size_t devices = 0;
  const Config* extensible = nullptr;
  for (const Config& port : ports) {
    queues += port.queues;
    devices += device_count(port);
    if (extensible == nullptr && port.kind != Config::Kind::af_packet) extensible = &port;
  }
  if (devices > most_devices)
    return fail(
        fmt::format("dataplane: {} DPDK devices needed (one for each af_xdp queue and each other port), this "
                    "build of DPDK has {} at most; ask for fewer queues",
                    devices, most_devices));
  if (workers <= queues) return {};
  std::string more;
  if (extensible != nullptr)
    more = fmt::format(", or ask for more queues: `{} ... queues {}`", line_start(*extensible),
                       extensible->queues + (workers - queues));
  return fail(fmt::format("workercpus: {} named for {} in total, some would have nothing to do; name {}{}",
                          plural(workers, "CPU"), plural(queues, "queue"), queues, more));
}

std::vector<std::string> remote_warnings(std::span<const PlacedQueue> queues) {
  std::vector<std::string> warnings;
  const auto listed = [](const std::set<unsigned>& numbers) {
    return os::format_cpu_list(std::vector<unsigned>{numbers.begin(), numbers.end()});
  };
  for (std::size_t i = 0; i < queues.size();) {
    const PlacedQueue& first = queues[i];
    std::set<unsigned> numbers;
    std::set<unsigned> cpus;
    for (; i < queues.size() && queues[i].port == first.port; ++i) {
      if (!remote(queues[i].node, queues[i].cpu_node)) continue;
      numbers.insert(queues[i].queue);
      cpus.insert(queues[i].cpu);
    }
    if (numbers.empty()) continue;
    warnings.push_back(fmt::format(
        "{}: the NIC is on NUMA node {}, but queue{} {} {} served by CPU{} {} on another node, "
        "which costs speed; name CPUs of node {} in workercpus (`lscpu` shows them)",
        first.name, first.node, numbers.size() == 1 ? "" : "s", listed(numbers),
        numbers.size() == 1 ? "is" : "are", cpus.size() == 1 ? "" : "s", listed(cpus), first.node));
  }
  return warnings;
}

}  // namespace wiretime::dpdk
