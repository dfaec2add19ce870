// SPDX-License-Identifier: BSD-3-Clause
// Which worker serves which queue, and what can be wrong about what was asked for. Pure functions; control
// thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::dpdk {

inline constexpr int kUnknownNode = -1;  // NUMA node of what has none, or does not tell

// The worker of each queue. Every worker gets a queue, none gets more than its share (rounded up); within
// that a queue goes to a worker on its own NUMA node if there is one, and to the least busy. Without NUMA
// nodes: queue n of each port to worker n, round and round. There are at least as many queues as workers.
[[nodiscard]] std::vector<unsigned> place_queues(std::span<const int> queue_nodes,
                                                 std::span<const int> worker_nodes);

// Queues for every worker, and not more devices than this build of DPDK takes.
[[nodiscard]] Result<void> check_queues(std::span<const server::DataplaneConfig> ports, std::size_t workers,
                                        std::size_t most_devices);

struct PlacedQueue {
  std::size_t port = 0;  // 0, 1, ... among the configured ones
  std::string name;      // the port's, for messages
  unsigned queue = 0;
  int node = kUnknownNode;  // of the port
  unsigned worker = 0;
  unsigned cpu = 0;  // the worker's, when pinned
  int cpu_node = kUnknownNode;
};
// One warning for each port some of whose queues are served from another NUMA node. Ordered by port.
[[nodiscard]] std::vector<std::string> remote_warnings(std::span<const PlacedQueue> queues);

}  // namespace wiretime::dpdk
