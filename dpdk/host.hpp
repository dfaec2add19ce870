// SPDX-License-Identifier: BSD-3-Clause
// What start-up needs to know about this machine before it hands itself to EAL, which would abort rather than
// explain. Control thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace wiretime::dpdk {

struct Host {
  std::vector<unsigned> cpus;      // online, ascending
  std::vector<unsigned> affinity;  // this thread's, ascending
  std::size_t free_hugepages = 0;  // bytes, all sizes
  std::size_t hugepage_size = 0;   // bytes, the default size; 0: the kernel has none
};

[[nodiscard]] Host read_host();

// The names of the network interfaces in our namespace, for messages: "eth0, lo".
[[nodiscard]] std::string interface_names();

}  // namespace wiretime::dpdk
