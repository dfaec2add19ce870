// SPDX-License-Identifier: BSD-3-Clause
// TimeSnapshot: everything a worker needs to tell the time and to describe it in a reply (RFC 5905 figure 8).
// Written by the control thread into a Seqlock some 100 times a second, read by workers once a burst.
// An affine map as in facebook/time's fbclock: anchor, rate, and a bound on what both may be wrong by.
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace wiretime::clock {

enum class Leap : std::uint8_t { none = 0, insert = 1, remove = 2, unsynchronised = 3 };

// The fields of a reply that describe our reference rather than the moment.
struct Reference {
  Leap leap = Leap::unsynchronised;
  std::uint8_t stratum = 0;  // wire value: 0 when unsynchronised
  std::uint32_t refid = 0;   // host order
  NtpShort root_delay{};
  NtpShort root_dispersion{};  // at the snapshot's anchor
  NtpTimestamp reference_time{};

  friend bool operator==(const Reference&, const Reference&) = default;
};

struct TimeSnapshot {
  static constexpr unsigned kRateShift = 48;

  Ticks anchor_ticks{};
  NtpTimestamp anchor_time{};          // time at anchor_ticks
  std::uint64_t rate = 0;              // NTP units (2^-32 s) per tick, times 2^kRateShift; 0: no snapshot yet
  std::uint32_t error_bound_ns = 0;    // of anchor_time against CLOCK_REALTIME
  std::uint32_t error_growth_ppb = 0;  // of that bound, per elapsed time
  std::uint32_t dispersion_growth_ppb = 0;  // maxclockerror: growth of root dispersion
  std::uint32_t uptime = 0;                 // 1/16 s since start, monotonic: the client log's clock
  Reference reference{};
  std::int8_t precision = -20;  // log2 seconds, RFC 5905 section 7.3
  std::uint8_t epoch = 0;       // another one whenever the clock was set: times across that do not compare
  bool valid = false;

  [[nodiscard]] NtpTimestamp time_at(Ticks t) const noexcept {
    const auto delta = static_cast<std::int64_t>(t.value - anchor_ticks.value);  // before the anchor is fine
    const auto units = (static_cast<__int128>(delta) * static_cast<__int128>(rate)) >> kRateShift;
    return anchor_time + NtpDuration{static_cast<std::int64_t>(units)};
  }

  // Root dispersion grown to `now`; what a reply carries. Never shrinks when `now` precedes the anchor.
  [[nodiscard]] NtpShort root_dispersion_at(NtpTimestamp now) const noexcept {
    const std::int64_t age = (now - anchor_time).units;
    if (age <= 0) return reference.root_dispersion;
    // 2^-32 s * ppb: shift to 2^-16 s first; 68 years * 2^16 * 2^32 ppb would overflow, so cap the age at
    // 2^20 s.
    const auto age_short = static_cast<std::uint64_t>(age) >> 16;
    const std::uint64_t capped = age_short < (std::uint64_t{1} << 36) ? age_short : std::uint64_t{1} << 36;
    const std::uint64_t grown =
        reference.root_dispersion.value + capped * dispersion_growth_ppb / 1'000'000'000U;
    return {static_cast<std::uint32_t>(grown < 0xFFFF'FFFFU ? grown : 0xFFFF'FFFFU)};
  }
};

}  // namespace wiretime::clock
