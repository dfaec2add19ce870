// SPDX-License-Identifier: BSD-3-Clause
// A NicSnapshot and a TimeSnapshot made one map, for the frames of one burst: NIC stamps to NTP time in one
// multiplication. Only for stamps that are as they should be, which nearly all are; what is wrong with others
// is NicSnapshot's to say. Worker threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"
#include "clock/nic_snapshot.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::clock {

class ArrivalMap {
 public:
  // For frames that were here by `seen`.
  ArrivalMap(const NicSnapshot& nic, const TimeSnapshot& time, Ticks seen) noexcept
      : now_{time.time_at(seen)} {
    usable_ = nic.rate != 0 && static_cast<std::int64_t>(seen.value - nic.expires.value) < 0 &&
              !nic.wraps_at_32 && !nic.probation;
    if (!usable_) return;
    static_assert(NicSnapshot::kRateShift == TimeSnapshot::kRateShift);
    const auto units = [&](auto ticks) {
      return static_cast<std::int64_t>((static_cast<__int128>(ticks) * static_cast<__int128>(time.rate)) >>
                                       TimeSnapshot::kRateShift);
    };
    anchor_nic_ = nic.anchor_nic;
    anchor_ahead_ = (time.time_at(nic.anchor_ticks) - now_).units;
    rate_ = units(nic.rate);
    oldest_ = units(nic.oldest);
    window_ = static_cast<std::uint64_t>(oldest_ + units(nic.newest));
    per_byte_ = units(nic.wire_rate);
    shift_ = units(nic.shift);
  }

  // What `seen` is, and no frame came after.
  [[nodiscard]] NtpTimestamp now() const noexcept { return now_; }
  [[nodiscard]] bool usable() const noexcept { return usable_; }

  // When the frame that the NIC stamped so came: NicSnapshot::arrival_of, as time. False: ask that one, and
  // `arrival` is untouched. `length`, `before`: as there. Only if usable.
  [[nodiscard]] bool tell(std::uint64_t stamp, std::uint32_t length, std::uint64_t before,
                          NtpTimestamp& arrival) const noexcept {
    const auto delta = static_cast<std::int64_t>(stamp - anchor_nic_);
    const auto since =
        static_cast<std::int64_t>((static_cast<__int128>(delta) * rate_) >> TimeSnapshot::kRateShift);
    const std::int64_t ahead = anchor_ahead_ + since;
    if (__builtin_expect(static_cast<std::uint64_t>(ahead + oldest_) > window_ || stamp == before, false))
      return false;
    const std::int64_t moved = (static_cast<std::int64_t>(length) * per_byte_ + shift_) >> 16;
    arrival = now_ + NtpDuration{std::min(std::min(ahead, std::int64_t{0}) + moved, std::int64_t{0})};
    return true;
  }

 private:
  NtpTimestamp now_;
  bool usable_;
  // In 2^-32 s.
  std::uint64_t anchor_nic_ = 0;
  std::int64_t anchor_ahead_ = 0;  // of now_
  std::int64_t rate_ = 0;          // per NIC tick, times 2^48
  std::int64_t oldest_ = 0;        // as in NicSnapshot
  std::uint64_t window_ = 0;       // that and the newest
  std::int64_t per_byte_ = 0;      // on the wire, times 2^16
  std::int64_t shift_ = 0;         // times 2^16
};

}  // namespace wiretime::clock
