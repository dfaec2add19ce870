// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/receive_time.hpp"

#include <time.h>

namespace wiretime::dpdk {

namespace {

std::int64_t read_ns(clockid_t clock) noexcept {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

// CLOCK_REALTIME minus `clock`: of a few sandwiched readings the one that took least.
std::int64_t offset_of(clockid_t clock) noexcept {
  std::int64_t best = 0, narrowest = INT64_MAX;
  for (int i = 0; i < 5; ++i) {
    const std::int64_t before = read_ns(CLOCK_REALTIME);
    const std::int64_t other = read_ns(clock);
    const std::int64_t after = read_ns(CLOCK_REALTIME);
    if (after - before < 0 || after - before >= narrowest) continue;
    narrowest = after - before;
    best = before + narrowest / 2 - other;
  }
  return best;
}

// TAI and UTC differ by whole seconds exactly; rounding takes the reading error away.
std::int64_t to_whole_seconds(std::int64_t ns) noexcept {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return (ns >= 0 ? ns + kSecond / 2 : ns - kSecond / 2) / kSecond * kSecond;
}

}  // namespace

void ClockOffsets::update() noexcept {
  from_tai_ns.store(to_whole_seconds(offset_of(CLOCK_TAI)), std::memory_order_relaxed);
  from_monotonic_ns.store(offset_of(CLOCK_MONOTONIC), std::memory_order_relaxed);
}

}  // namespace wiretime::dpdk
