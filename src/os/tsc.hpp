// SPDX-License-Identifier: BSD-3-Clause
// The CPU's time-stamp counter. Any thread, workers included; one instruction, no system call.
// Used only when a data plane runs: without one nothing here is called (DESIGN.md, Threads).
#pragma once

#include <cstdint>

#include "base/time.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace wiretime::os {

#if defined(__x86_64__)

// May be executed ahead of earlier loads: for stamping a packet, where some 10 ns do not matter.
[[nodiscard]] inline Ticks read_tsc() noexcept {
  return {__rdtsc()};
}
// Not reordered with the code around it: for measuring another clock against the counter.
[[nodiscard]] inline Ticks read_tsc_ordered() noexcept {
  _mm_lfence();
  const std::uint64_t value = __rdtsc();
  _mm_lfence();
  return {value};
}
// CPUID 80000007h EDX bit 8: constant rate in all P, C and T states. Without it the counter is no clock.
[[nodiscard]] inline bool tsc_is_invariant() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007U, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
}

#elif defined(__aarch64__)

[[nodiscard]] inline Ticks read_tsc() noexcept {
  std::uint64_t value;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));
  return {value};
}
[[nodiscard]] inline Ticks read_tsc_ordered() noexcept {
  std::uint64_t value;
  asm volatile("isb; mrs %0, cntvct_el0; isb" : "=r"(value) : : "memory");
  return {value};
}
[[nodiscard]] inline bool tsc_is_invariant() noexcept {
  return true;  // the architecture's generic timer always is
}

#else
#error "no time-stamp counter known for this CPU architecture"
#endif

}  // namespace wiretime::os
