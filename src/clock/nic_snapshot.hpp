// SPDX-License-Identifier: BSD-3-Clause
// NicSnapshot: how a NIC's clock maps to the CPU's counter, so that a stamp the NIC made becomes time through
// the TimeSnapshot: time_at(ticks_at(stamp)). NIC and TSC are free running, so a step or slew of the system
// clock leaves this map right. Written by the control thread into a Seqlock about 10 times a second, read by
// workers once a burst.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.hpp"

namespace wiretime::clock {

// What a receive stamp turned out to be; all but the first two: use the next rung.
enum class StampVerdict : std::uint8_t {
  good,
  repaired,   // 2^32 off: upper and lower half of the counter were not of one moment
  probation,  // one of these, of a rung that is not trusted now
  missing,    // the frame was not stamped
  zero,
  frozen,  // the one of the burst before once more
  too_old,
  in_future,  // also: the clock was set by somebody, and we have not seen it yet
  no_clock,   // the clock that it is of is not known now
  kCount,
};
[[nodiscard]] constexpr std::string_view name(StampVerdict verdict) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(StampVerdict::kCount)> kNames{
      "good", "repaired", "probation", "missing", "zero", "frozen", "too_old", "in_future", "no_clock"};
  return kNames[static_cast<std::size_t>(verdict)];
}

// A stamp that tells when the frame came.
[[nodiscard]] constexpr bool is_usable(StampVerdict verdict) noexcept {
  return verdict == StampVerdict::good || verdict == StampVerdict::repaired;
}

struct NicSnapshot {
  static constexpr unsigned kRateShift = 48;

  std::uint64_t anchor_nic = 0;
  Ticks anchor_ticks{};    // TSC at anchor_nic
  std::uint64_t rate = 0;  // TSC ticks per NIC tick, times 2^kRateShift; 0: no map
  Ticks expires{};         // from this TSC reading on the map is too old to be believed
  // How far a stamp may lie before the moment it is looked at, and after; TSC ticks. Before: the frame waited
  // in a queue. After: nothing but the error between two ways to read one clock.
  std::uint64_t oldest = 0;
  std::uint64_t newest = 0;
  std::uint32_t error_bound_ns = 0;    // of the map at its anchor
  std::uint32_t error_growth_ppb = 0;  // of that bound, per elapsed time
  std::uint32_t wire_rate = 0;         // TSC ticks that a byte takes on the wire, times 2^16; 0: unknown
  std::int64_t shift = 0;              // TSC ticks to add to a receive stamp, times 2^16
  bool wraps_at_32 = false;            // the counter, and stamps, have 32 bits
  bool probation = false;              // stamps are judged, and not used

  [[nodiscard]] Ticks ticks_at(std::uint64_t nic) const noexcept {
    auto delta = static_cast<std::int64_t>(nic - anchor_nic);
    if (wraps_at_32) delta = static_cast<std::int32_t>(static_cast<std::uint32_t>(delta));
    const auto ticks = (static_cast<__int128>(delta) * static_cast<__int128>(rate)) >> kRateShift;
    return {anchor_ticks.value + static_cast<std::uint64_t>(ticks)};
  }

  struct Arrival {
    Ticks ticks{};  // never after `seen`; meaningless unless good or repaired
    StampVerdict verdict = StampVerdict::no_clock;

    [[nodiscard]] bool usable() const noexcept { return is_usable(verdict); }
  };

  // When the frame that the NIC stamped with `stamp` came, as far as that can be believed of a frame that is
  // here by `seen`. `length`: its bytes from what the NIC stamps to the moment wanted. NICs stamp the
  // preamble's end, RFC 5905 (section 8, figure 15) counts from the frame's. `before`: the stamp that nothing
  // can have any more.
  [[nodiscard]] Arrival arrival_of(std::uint64_t stamp, Ticks seen, std::uint32_t length = 0,
                                   std::uint64_t before = 0) const noexcept {
    Arrival a = judge(stamp, seen, before);
    if (!a.usable()) return a;
    const std::int64_t moved = static_cast<std::int64_t>(std::uint64_t{length} * wire_rate) + shift;
    a.ticks = not_after({a.ticks.value + static_cast<std::uint64_t>(moved >> 16)}, seen);
    if (probation) a.verdict = StampVerdict::probation;
    return a;
  }

 private:
  [[nodiscard]] Arrival judge(std::uint64_t stamp, Ticks seen, std::uint64_t before) const noexcept {
    if (rate == 0 || static_cast<std::int64_t>(seen.value - expires.value) >= 0) return {};
    if (stamp == before) return {{}, stamp == 0 ? StampVerdict::zero : StampVerdict::frozen};
    const Ticks at = ticks_at(stamp);
    if (is_credible(at, seen)) return {not_after(at, seen), StampVerdict::good};
    if (stamp == 0) return {{}, StampVerdict::zero};
    const auto age = static_cast<std::int64_t>(seen.value - at.value);
    if (!wraps_at_32) {
      const Ticks other = ticks_at(stamp + (age > 0 ? kHalf : 0 - kHalf));
      if (is_credible(other, seen)) return {not_after(other, seen), StampVerdict::repaired};
    }
    return {{}, age > 0 ? StampVerdict::too_old : StampVerdict::in_future};
  }

  static constexpr std::uint64_t kHalf = std::uint64_t{1} << 32;

  [[nodiscard]] bool is_credible(Ticks at, Ticks seen) const noexcept {
    return seen.value + newest - at.value <= oldest + newest;
  }
  [[nodiscard]] static Ticks not_after(Ticks at, Ticks seen) noexcept {
    return static_cast<std::int64_t>(at.value - seen.value) > 0 ? seen : at;
  }
};

}  // namespace wiretime::clock
