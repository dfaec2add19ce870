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

// What the two say of rates and widths, which holds until one of them is another.
class ArrivalScale {
 public:
  ArrivalScale() = default;
  ArrivalScale(const NicSnapshot& nic, std::uint64_t time_rate) noexcept : time_rate_{time_rate} {
    if (nic.rate == 0 || nic.wraps_at_32 || nic.probation) return;
    const auto units = [&](auto ticks) {
      return static_cast<std::int64_t>((static_cast<__int128>(ticks) * static_cast<__int128>(time_rate)) >>
                                       TimeSnapshot::kRateShift);
    };
    rate_ = units(nic.rate);
    nic_per_tick_ =
        static_cast<double>(std::uint64_t{1} << NicSnapshot::kRateShift) / static_cast<double>(nic.rate);
    oldest_ = nic_ticks(nic.oldest) - kMargin;
    window_ = oldest_ + nic_ticks(nic.newest) - kMargin;
    per_byte_ = units(nic.wire_rate);
    shift_ = units(nic.shift);
    usable_ = nic.oldest + nic.newest < (std::uint64_t{1} << 40) &&
              units(nic.oldest + nic.newest) < kWidest && window_ >= 0;
  }

  [[nodiscard]] std::uint64_t time_rate() const noexcept { return time_rate_; }

 private:
  friend class ArrivalMap;
  // NIC ticks: by so much the window's ends, which are rounded, may be wrong. Stamps there are not told.
  static constexpr std::int64_t kMargin = 2;
  // 2^-32 s, 0.25 s: the window times the rate fits.
  static constexpr std::int64_t kWidest = std::int64_t{1} << 30;

  [[nodiscard]] std::int64_t nic_ticks(std::uint64_t ticks) const noexcept {
    return static_cast<std::int64_t>(static_cast<double>(static_cast<std::int64_t>(ticks)) * nic_per_tick_);
  }

  bool usable_ = false;
  std::uint64_t time_rate_ = 0;
  double nic_per_tick_ = 0;
  std::int64_t oldest_ = 0;    // NIC ticks, as in NicSnapshot
  std::int64_t window_ = 0;    // that and the newest
  std::int64_t rate_ = 0;      // 2^-32 s per NIC tick, times 2^48
  std::int64_t per_byte_ = 0;  // on the wire, 2^-48 s
  std::int64_t shift_ = 0;     // 2^-48 s
};

class ArrivalMap {
 public:
  // For frames that were here by `seen`. `scale`: of these two.
  ArrivalMap(const ArrivalScale& scale, const NicSnapshot& nic, const TimeSnapshot& time, Ticks seen) noexcept
      : now_{time.time_at(seen)} {
    usable_ = scale.usable_ && static_cast<std::int64_t>(seen.value - nic.expires.value) < 0;
    if (!usable_) return;
    static_assert(NicSnapshot::kRateShift == TimeSnapshot::kRateShift);
    // Whatever tick of the NIC's clock is near: only how far back stamps are believed rests on which.
    const std::int64_t oldest = scale.nic_ticks(seen.value - nic.anchor_ticks.value) - scale.oldest_;
    oldest_ = nic.anchor_nic + static_cast<std::uint64_t>(oldest);
    window_ = static_cast<std::uint64_t>(scale.window_);
    ahead_ =
        (time.time_at(nic.anchor_ticks) - now_).units +
        static_cast<std::int64_t>((static_cast<__int128>(oldest) * scale.rate_) >> TimeSnapshot::kRateShift);
    rate_ = scale.rate_ >> (TimeSnapshot::kRateShift - kRateShift);
    per_byte_ = scale.per_byte_;
    shift_ = scale.shift_;
  }

  // What `seen` is, and no frame came after.
  [[nodiscard]] NtpTimestamp now() const noexcept { return now_; }
  [[nodiscard]] bool usable() const noexcept { return usable_; }

  // When the frame that the NIC stamped so came: NicSnapshot::arrival_of, as time. False: ask that one, and
  // `arrival` is untouched. `length`, `before`: as there. Only if usable.
  [[nodiscard]] bool tell(std::uint64_t stamp, std::uint32_t length, std::uint64_t before,
                          NtpTimestamp& arrival) const noexcept {
    const std::uint64_t since = stamp - oldest_;
    if (__builtin_expect(since > window_ || stamp == before, false)) return false;
    const std::int64_t ahead = ahead_ + (static_cast<std::int64_t>(since) * rate_ >> kRateShift);
    const std::int64_t moved = (static_cast<std::int64_t>(length) * per_byte_ + shift_) >> 16;
    arrival = now_ + NtpDuration{std::min(std::min(ahead, std::int64_t{0}) + moved, std::int64_t{0})};
    return true;
  }

 private:
  friend struct ArrivalColumns;
  static constexpr unsigned kRateShift = 32;

  NtpTimestamp now_;
  bool usable_ = false;
  std::uint64_t oldest_ = 0;  // the least stamp that can be told
  std::uint64_t window_ = 0;  // NIC ticks, to the last one
  // In 2^-32 s.
  std::int64_t ahead_ = 0;     // of now_, of the oldest
  std::int64_t rate_ = 0;      // per NIC tick, times 2^kRateShift
  std::int64_t per_byte_ = 0;  // on the wire, times 2^16
  std::int64_t shift_ = 0;     // times 2^16
};

}  // namespace wiretime::clock
