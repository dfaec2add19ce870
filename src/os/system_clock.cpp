// SPDX-License-Identifier: BSD-3-Clause
#include "os/system_clock.hpp"

#include <sys/timex.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

constexpr long kNominalTick = 10'000;  // us; USER_HZ is 100 on every Linux we build for
constexpr double kPpmPerTick = 100;
constexpr double kFreqScale = 65536;
constexpr double kMostPpm = 100'000;

}  // namespace

KernelFrequency KernelFrequency::from(double frequency) noexcept {
  const double ppm = std::clamp(frequency * 1e6, -kMostPpm + kPpmPerTick, kMostPpm - kPpmPerTick);
  const double ticks = std::round(ppm / kPpmPerTick);
  return {kNominalTick + std::lround(ticks), std::lround((ppm - ticks * kPpmPerTick) * kFreqScale)};
}

double KernelFrequency::value() const noexcept {
  return (static_cast<double>(tick - kNominalTick) * kPpmPerTick + static_cast<double>(freq) / kFreqScale) *
         1e-6;
}

Result<std::unique_ptr<SystemClock>> SystemClock::open(const Settings& settings) {
  timex t{};
  if (adjtimex(&t) < 0) return fail("cannot read the system clock's frequency: " + errno_text());
  const double frequency = KernelFrequency{t.tick, t.freq}.value();
  t = {};
  t.modes = ADJ_STATUS;  // no PLL, no PPS, no leap pending; unsynchronised until we say otherwise
  t.status = STA_UNSYNC;
  if (adjtimex(&t) < 0) {
    if (errno == EPERM)
      return fail(
          "no permission to control the system clock (CAP_SYS_TIME): start as root, or with -x to follow the "
          "sources without touching the clock");
    return fail("cannot take over the system clock: " + errno_text());
  }
  return std::unique_ptr<SystemClock>(new SystemClock(settings, frequency));
}

Result<void> SystemClock::set_frequency(WallTime /*kernel*/, double frequency) {
  const KernelFrequency wanted = KernelFrequency::from(frequency);
  timex t{};
  t.modes = ADJ_TICK | ADJ_FREQUENCY;
  t.tick = wanted.tick;
  t.freq = wanted.freq;
  if (adjtimex(&t) < 0) return fail("cannot set the system clock's frequency: " + errno_text());
  frequency_ = wanted.value();
  return {};
}

Result<void> SystemClock::step(WallTime /*kernel*/, double seconds) {
  const double whole = std::floor(seconds);
  timex t{};
  t.modes = ADJ_SETOFFSET | ADJ_NANO;
  t.time.tv_sec = static_cast<time_t>(whole);
  t.time.tv_usec = std::clamp(std::lround((seconds - whole) * 1e9), 0L, 999'999'999L);  // nanoseconds
  if (adjtimex(&t) < 0) return fail("cannot step the system clock: " + errno_text());
  return {};
}

void SystemClock::notify(const clock::KernelNotice& notice) {
  timex t{};
  t.modes = ADJ_MAXERROR | ADJ_ESTERROR | ADJ_STATUS;
  t.maxerror = std::lround(std::min(notice.max_error, 16.0) * 1e6);
  t.esterror = std::lround(std::min(notice.estimated_error, 16.0) * 1e6);
  t.status = notice.synchronised && settings_.report_synchronised ? 0 : STA_UNSYNC;
  if (notice.leap == clock::Leap::insert) t.status |= STA_INS;
  if (notice.leap == clock::Leap::remove) t.status |= STA_DEL;
  if (notice.tai_offset > 0) {
    t.modes |= ADJ_TAI;
    t.constant = notice.tai_offset;
  }
  static_cast<void>(adjtimex(&t));  // only informs; the next update tries again
}

}  // namespace wiretime::os
