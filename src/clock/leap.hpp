// SPDX-License-Identifier: BSD-3-Clause
// When leap seconds were and will be, and TAI-UTC: read from a zone of the time zone database that counts
// them (right/UTC: TZif, RFC 9636 section 3) or from leap-seconds.list (IERS and NIST: NTP seconds of each
// change and the offset from then on; "#@" says until when the file is valid). Control thread; pure: bytes
// come in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::clock {

inline constexpr std::chrono::days kOneDay{1};

[[nodiscard]] inline WallTime start_of_day(WallTime t) {
  return std::chrono::floor<std::chrono::days>(t);
}
// Leap seconds come at the end of June and December only (ITU-R TF.460 allows other months as a second and
// third choice; none was ever used, and NTP implementations agree not to expect them).
[[nodiscard]] bool may_end_with_leap(WallTime day) noexcept;

class LeapTable {
 public:
  struct Entry {
    WallTime from;           // a midnight, UTC: the leap second is right before it
    int tai_offset = 0;      // s, TAI - UTC from then on
    Leap leap = Leap::none;  // none: where the table begins
  };

  // The error says what is wrong with the file, for a log line.
  [[nodiscard]] static Result<LeapTable> from_tzif(std::span<const std::byte> file);
  [[nodiscard]] static Result<LeapTable> from_list(std::string_view text);

  // At the end of the UTC day that `t` is in.
  [[nodiscard]] Leap leap_at_end_of_day(WallTime t) const;
  // The last leap second at or before `t`; null before the first one.
  [[nodiscard]] const Entry* last_before(WallTime t) const;
  // s, TAI - UTC at `t`; 0: before the table begins.
  [[nodiscard]] int tai_offset(WallTime t) const;
  // Not given: the file does not say how long it is valid.
  [[nodiscard]] const std::optional<WallTime>& expires() const { return expires_; }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  // Knows what happened in 2012: one leap second in June, none in December. What says otherwise is not a
  // table of leap seconds (a zone without them parses too).
  [[nodiscard]] bool plausible() const;

 private:
  [[nodiscard]] Result<void> append(WallTime from, int tai_offset);

  std::vector<Entry> entries_;  // in order of time
  std::optional<WallTime> expires_;
};

}  // namespace wiretime::clock
