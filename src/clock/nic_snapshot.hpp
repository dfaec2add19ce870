// SPDX-License-Identifier: BSD-3-Clause
// NicSnapshot: how a NIC's clock maps to the CPU's counter, so that a stamp the NIC made becomes time through
// the TimeSnapshot: time_at(ticks_at(stamp)). NIC and TSC are free running, so a step or slew of the system
// clock leaves this map right. Written by the control thread into a Seqlock about 10 times a second, read by
// workers once a burst.
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace wiretime::clock {

// What a receive stamp turned out to be; all but the first two: use the next rung.
enum class StampVerdict : std::uint8_t {
  good,
  repaired,   // 2^32 off: upper and lower half of the counter were not of one moment
  no_map,     // the NIC's clock is not known now
  too_old,    // also frozen, or zero
  in_future,  // also: the clock was set by somebody, and we have not seen it yet
};

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
  bool wraps_at_32 = false;            // the counter, and stamps, have 32 bits

  [[nodiscard]] Ticks ticks_at(std::uint64_t nic) const noexcept {
    auto delta = static_cast<std::int64_t>(nic - anchor_nic);
    if (wraps_at_32) delta = static_cast<std::int32_t>(static_cast<std::uint32_t>(delta));
    const auto ticks = (static_cast<__int128>(delta) * static_cast<__int128>(rate)) >> kRateShift;
    return {anchor_ticks.value + static_cast<std::uint64_t>(ticks)};
  }

  struct Arrival {
    Ticks ticks{};  // never after `seen`; meaningless unless good or repaired
    StampVerdict verdict = StampVerdict::no_map;

    [[nodiscard]] bool usable() const noexcept {
      return verdict == StampVerdict::good || verdict == StampVerdict::repaired;
    }
  };

  // When the frame that the NIC stamped with `stamp` came, as far as that can be believed of a frame that is
  // here by `seen`. `length`: its bytes from what the NIC stamps to the moment wanted. NICs stamp the
  // preamble's end, RFC 5905 (section 8, figure 15) counts from the frame's.
  [[nodiscard]] Arrival arrival_of(std::uint64_t stamp, Ticks seen, std::uint32_t length = 0) const noexcept {
    Arrival a = judge(stamp, seen);
    const Ticks end{a.ticks.value + ((std::uint64_t{length} * wire_rate) >> 16)};
    if (a.usable()) a.ticks = not_after(end, seen);
    return a;
  }

 private:
  [[nodiscard]] Arrival judge(std::uint64_t stamp, Ticks seen) const noexcept {
    if (rate == 0 || static_cast<std::int64_t>(seen.value - expires.value) >= 0) return {};
    const Ticks at = ticks_at(stamp);
    if (is_credible(at, seen)) return {not_after(at, seen), StampVerdict::good};
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
