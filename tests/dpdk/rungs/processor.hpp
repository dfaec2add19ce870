// SPDX-License-Identifier: BSD-3-Clause
// The CPU of a simulated worker: its counter is true time, and what it executes takes the time that it is
// told to. Nothing here knows how long this machine took, so that no result depends on who else runs on it.
#pragma once

#include <random>

#include "tests/support/simulated_nic.hpp"

namespace wiretime::dpdk::test {

// UTC at true time 0.
inline constexpr WallTime kEpoch{Nanoseconds{1'800'000'000'000'000'000}};
[[nodiscard]] inline WallTime wall_at(double seconds) {
  return kEpoch + Nanoseconds{static_cast<std::int64_t>(std::floor(seconds * 1e9))};
}
inline constexpr int kTaiOffset = 37;  // s
// s, true time that `t` says.
[[nodiscard]] inline double seconds_of(NtpTimestamp t) {
  return (t - NtpTimestamp::from(kEpoch)).seconds();
}

class Processor : public wiretime::test::Cpu {
 public:
  // One at a time: os::read_tsc reads it.
  explicit Processor(double hz, std::uint64_t seed);
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;
  ~Processor();

  // A reading of the counter, and the work that follows.
  [[nodiscard]] Ticks read() noexcept;

  double work = 0;             // s, what the code between two readings takes
  double interruptions = 0;    // a second: interrupts, other programs, the hypervisor
  double interruption = 5e-6;  // s, at most, what one takes

 private:
  std::mt19937_64 random_;
};

}  // namespace wiretime::dpdk::test
