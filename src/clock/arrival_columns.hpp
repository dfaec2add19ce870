// SPDX-License-Identifier: BSD-3-Clause
// ArrivalMap for eight frames at once (base/columns.hpp). Worker threads.
#pragma once

#include "base/columns.hpp"
#include "clock/arrival_map.hpp"

#ifdef __x86_64__

namespace wiretime::clock {

struct ArrivalColumns {
  // ArrivalMap::tell of eight; `lengths`: below 2^32. False: at least one cannot be told.
  [[nodiscard]] WIDE_INLINE static bool tell(const ArrivalMap& map, columns::Column stamps,
                                             columns::Column lengths, std::uint64_t before,
                                             columns::Column& arrivals) noexcept {
    using namespace columns;
    const Column since = _mm512_sub_epi64(stamps, all(map.oldest_));
    Mask good = _mm512_cmple_epu64_mask(since, all(map.window_));
    good = _mm512_mask_cmpneq_epi64_mask(good, stamps, all(before));
    if (__builtin_expect(good != kAll, false)) return false;
    const Column none = all(0);
    const Column ahead = add(each(map.ahead_), _mm512_srai_epi64(_mm512_mullo_epi64(since, each(map.rate_)),
                                                                 ArrivalMap::kRateShift));
    const Column moved =
        _mm512_srai_epi64(add(_mm512_mul_epu32(lengths, each(map.per_byte_)), each(map.shift_)), 16);
    arrivals = add(all(map.now_.value), _mm512_min_epi64(add(_mm512_min_epi64(ahead, none), moved), none));
    return true;
  }

 private:
  WIDE_INLINE static columns::Column each(std::int64_t value) noexcept {
    return columns::all(static_cast<std::uint64_t>(value));
  }
};

}  // namespace wiretime::clock

#endif
