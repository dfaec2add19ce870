// SPDX-License-Identifier: BSD-3-Clause
// What the rows of burst_bench share: cycles of bursts, and a client log in the memory that a worker's has.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "dpdk/client_memory.hpp"
#include "ntp/client_table.hpp"
#include "server/burst.hpp"

namespace wiretime::perf {

// Cycles of each burst: their quantiles shrug off what interrupts a shared machine.
class Cycles {
 public:
  Cycles() { bursts_.reserve(1 << 22); }
  void add(std::uint64_t cycles) {
    if (bursts_.size() < bursts_.capacity()) bursts_.push_back(static_cast<std::uint32_t>(cycles));
  }
  void report(benchmark::State& state) {
    const auto quantile = [&](std::size_t percent) {
      const auto at = bursts_.begin() + static_cast<std::ptrdiff_t>(bursts_.size() * percent / 100);
      std::nth_element(bursts_.begin(), at, bursts_.end());
      return static_cast<double>(*at) / server::kBurstSize;
    };
    state.counters["cycles/request"] = quantile(50);
    state.counters["tenth_percentile"] = quantile(10);
  }

 private:
  std::vector<std::uint32_t> bursts_;
};

inline std::unique_ptr<ntp::ClientTable> table_for(const ntp::ClientCapacity& capacity) {
  return std::make_unique<ntp::ClientTable>(capacity, std::array<std::uint64_t, 2>{3, 4},
                                            dpdk::client_memory);
}

}  // namespace wiretime::perf
