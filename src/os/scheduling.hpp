// SPDX-License-Identifier: BSD-3-Clause
// CPUs, real-time priority and locked memory. Start-up.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace wiretime::os {

// "0-2,5" as 0, 1, 2, 5: ascending, no duplicates. nullopt for anything else, and beyond CPU 4095.
[[nodiscard]] std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text);
// The inverse: "0-2,5".
[[nodiscard]] std::string format_cpu_list(std::span<const unsigned> ascending);

[[nodiscard]] std::vector<unsigned> online_cpus();           // ascending
[[nodiscard]] std::vector<unsigned> cpus_of_this_process();  // the calling thread's mask, ascending
// That `cpu` exists, is online and may be used by this process (cpuset, container).
[[nodiscard]] Result<void> check_cpu(unsigned cpu);
// The calling thread runs only on these from now on; threads it makes inherit that.
[[nodiscard]] Result<void> pin_this_thread(std::span<const unsigned> cpus);

// All present and future pages stay in memory. Before privileges are dropped (raises the limit first).
[[nodiscard]] Result<void> lock_memory();
// SCHED_FIFO for the calling thread, priority 1..99.
[[nodiscard]] Result<void> set_real_time_priority(int priority);

}  // namespace wiretime::os
