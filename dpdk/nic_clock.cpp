// SPDX-License-Identifier: BSD-3-Clause
// rte_eth_read_clock and rte_eth_timesync_adjust_freq are experimental in the DPDK releases that have them.
#define ALLOW_EXPERIMENTAL_API
#include "dpdk/nic_clock.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "os/tsc.hpp"

namespace wiretime::dpdk {

namespace {

constexpr int kReadings = 10;
constexpr double kMaxAdjustment = 500e-6;  // s/s: ethdev does not say what the NIC can; all can this
constexpr double kFrequencyScale = 65536e6;

std::string text_of(int code) {
  return rte_strerror(code < 0 ? -code : code);
}

}  // namespace

NicClockCalls ethdev_calls(std::uint16_t port) {
  NicClockCalls calls;
  calls.enable = [port] { return rte_eth_timesync_enable(port); };
  calls.read_time = [port](timespec& t) { return rte_eth_timesync_read_time(port, &t); };
  calls.adjust_time = [port](std::int64_t delta) { return rte_eth_timesync_adjust_time(port, delta); };
#ifdef WIRETIME_TIMESYNC_ADJUST_FREQ
  calls.adjust_frequency = [port](std::int64_t ppm) { return rte_eth_timesync_adjust_freq(port, ppm); };
#else
  calls.adjust_frequency = [](std::int64_t) { return -ENOTSUP; };
#endif
  calls.read_clock = [port](std::uint64_t& clock) { return rte_eth_read_clock(port, &clock); };
  calls.ticks = os::read_tsc_ordered;
  return calls;
}

Result<std::unique_ptr<EthdevClock>> EthdevClock::open(NicClockCalls calls) {
  timespec time{};
  std::uint64_t counter = 0;
  int code = calls.enable();
  if (code == 0) code = calls.read_time(time);
  const bool timesync = code == 0;
  if (!timesync && calls.read_clock(counter) != 0)
    return fail(fmt::format("its driver offers no clock ({})", text_of(code)));
  std::unique_ptr<EthdevClock> clock{new EthdevClock{std::move(calls), timesync}};
  // The counter of read_clock is not what adjust_freq steers; and setting it to what it has is harmless.
  if (timesync && clock->calls_.adjust_frequency(0) == 0) clock->max_adjustment_ = kMaxAdjustment;
  return clock;
}

int EthdevClock::read_once(std::uint64_t& value) const {
  if (!timesync_) return calls_.read_clock(value);
  timespec time{};
  const int code = calls_.read_time(time);
  value = static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
  return code;
}

Result<std::span<const clock::NicReading>> EthdevClock::read() {
  readings_.clear();
  for (int i = 0; i < kReadings; ++i) {
    clock::NicReading r;
    r.before = calls_.ticks();
    const int code = read_once(r.nic);
    r.after = calls_.ticks();
    if (code != 0) return fail("cannot read the clock: " + text_of(code));
    readings_.push_back(r);
  }
  return std::span<const clock::NicReading>{readings_};
}

Result<void> EthdevClock::set_frequency(double frequency) {
  const double wanted = std::clamp(frequency, -max_adjustment_, max_adjustment_);
  const int code = calls_.adjust_frequency(std::llround(wanted * kFrequencyScale));
  if (code != 0) return fail("cannot set the clock's frequency: " + text_of(code));
  return {};
}

Result<void> EthdevClock::step(Nanoseconds by) {
  if (const int code = calls_.adjust_time(by.count()); code != 0)
    return fail("cannot step the clock: " + text_of(code));
  return {};
}

}  // namespace wiretime::dpdk
