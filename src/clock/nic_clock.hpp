// SPDX-License-Identifier: BSD-3-Clause
// The clock of a network interface as a device: read against the CPU's counter, and, where that is possible
// and ours to do, steered. os/ptp_clock.hpp has the kernel's, dpdk/nic_clock.hpp those behind DPDK, tests a
// simulated one. Control thread.
#pragma once

#include <span>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace wiretime::clock {

// The NIC's clock showed `nic` at some instant between the two readings of the counter. Of a PTP clock, whose
// seconds count from 1970, `nic` is its nanoseconds.
struct NicReading {
  std::uint64_t nic = 0;
  Ticks before{};
  Ticks after{};
};

class NicClock {
 public:
  virtual ~NicClock() = default;

  // How it is read, for the log: "precise", "extended", "plain", "timesync", "counter".
  [[nodiscard]] virtual std::string_view method() const = 0;
  // A few readings in a row, of which the narrowest count. Valid until the next call.
  [[nodiscard]] virtual Result<std::span<const NicReading>> read() = 0;
  // Bits of its counter: 64, or 32 for one that wraps.
  [[nodiscard]] virtual unsigned counter_bits() const { return 64; }

  // Largest correction, s/s; 0: cannot be steered.
  [[nodiscard]] virtual double max_adjustment() const { return 0; }
  // What the clock is corrected by, s/s; positive runs faster.
  [[nodiscard]] virtual double frequency() const { return 0; }
  [[nodiscard]] virtual Result<void> set_frequency(double /*frequency*/) { return fail("not possible"); }
  // Forward for positive.
  [[nodiscard]] virtual Result<void> step(Nanoseconds /*by*/) { return fail("not possible"); }
};

}  // namespace wiretime::clock
