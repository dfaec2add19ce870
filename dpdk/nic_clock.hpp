// SPDX-License-Identifier: BSD-3-Clause
// The clock of a NIC that DPDK drives, as a clock::NicClock: by ethdev's timesync calls, or where a driver
// has none of these, by rte_eth_read_clock. Drivers' traps are in facts/dpdk-and-timestamps.md. Control
// thread.
#pragma once

#include <ctime>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "clock/nic_clock.hpp"

namespace wiretime::dpdk {

// ethdev's calls for one port, each 0 or a negative errno; or what a test puts in their place.
struct NicClockCalls {
  std::function<int()> enable;
  std::function<int(timespec&)> read_time;
  std::function<int(std::int64_t delta_ns)> adjust_time;
  std::function<int(std::int64_t scaled_ppm)> adjust_frequency;  // ppm with a 16-bit fraction
  std::function<int(std::uint64_t&)> read_clock;
  std::function<Ticks()> ticks;
};
[[nodiscard]] NicClockCalls ethdev_calls(std::uint16_t port);

class EthdevClock final : public clock::NicClock {
 public:
  // Switches the clock on, once and for all: some drivers reset it with that. The port is started.
  [[nodiscard]] static Result<std::unique_ptr<EthdevClock>> open(NicClockCalls calls);

  [[nodiscard]] std::string_view method() const override { return timesync_ ? "timesync" : "counter"; }
  [[nodiscard]] Result<std::span<const clock::NicReading>> read() override;
  [[nodiscard]] double max_adjustment() const override { return max_adjustment_; }
  [[nodiscard]] Result<void> set_frequency(double frequency) override;
  [[nodiscard]] Result<void> step(Nanoseconds by) override;

 private:
  EthdevClock(NicClockCalls calls, bool timesync) : calls_{std::move(calls)}, timesync_{timesync} {}
  [[nodiscard]] int read_once(std::uint64_t& value) const;

  NicClockCalls calls_;
  bool timesync_;
  double max_adjustment_ = 0;
  std::vector<clock::NicReading> readings_;
};

}  // namespace wiretime::dpdk
