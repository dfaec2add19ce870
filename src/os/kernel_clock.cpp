// SPDX-License-Identifier: BSD-3-Clause
#include "os/kernel_clock.hpp"

#include <sys/timex.h>

#include <ctime>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

Nanoseconds read(clockid_t id) noexcept {
  timespec t{};
  clock_gettime(id, &t);
  return std::chrono::seconds{t.tv_sec} + Nanoseconds{t.tv_nsec};
}

}  // namespace

WallTime wall_now() noexcept {
  return WallTime{read(CLOCK_REALTIME)};
}

Nanoseconds monotonic_now() noexcept {
  return read(CLOCK_MONOTONIC);
}

Nanoseconds wall_less_raw() noexcept {
  Nanoseconds best{0};
  Nanoseconds narrowest = Nanoseconds::max();
  for (int i = 0; i < 5; ++i) {
    const Nanoseconds before = read(CLOCK_MONOTONIC_RAW);
    const Nanoseconds wall = read(CLOCK_REALTIME);
    const Nanoseconds took = read(CLOCK_MONOTONIC_RAW) - before;
    if (took >= narrowest) continue;
    narrowest = took;
    best = wall - before - took / 2;
  }
  return best;
}

Result<KernelClockStatus> kernel_clock_status() {
  timex t{};  // modes 0: only read, needs no privilege
  const int state = adjtimex(&t);
  if (state < 0) return fail("cannot read the kernel clock's status: " + errno_text());
  KernelClockStatus out;
  out.synchronised = (t.status & STA_UNSYNC) == 0 && state != TIME_ERROR;
  // STA_INS stays set after the leap until somebody clears it; the state machine says whether one is to come.
  if (state == TIME_INS) out.leap = clock::Leap::insert;
  if (state == TIME_DEL) out.leap = clock::Leap::remove;
  if (state == TIME_ERROR && (t.status & STA_INS) != 0) out.leap = clock::Leap::insert;
  if (state == TIME_ERROR && (t.status & STA_DEL) != 0) out.leap = clock::Leap::remove;
  out.leap_in_progress = state == TIME_OOP;
  out.tai_offset = t.tai;
  out.max_error = std::chrono::microseconds{t.maxerror};
  out.estimated_error = std::chrono::microseconds{t.esterror};
  out.frequency_ppb = static_cast<double>(t.freq) * 1000.0 / 65536.0;  // freq: ppm with a 16-bit fraction
  return out;
}

}  // namespace wiretime::os
