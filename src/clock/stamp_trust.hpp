// SPDX-License-Identifier: BSD-3-Clause
// Whether a maker of stamps (a NIC, the XDP program) is to be relied on: lost at once when most of its stamps
// were refused or its clock cannot be told in time, won back after a while of doing right. That while doubles
// with every relapse, so that a bad one changes nothing for long. Control thread; pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/time.hpp"

namespace wiretime::clock {

class StampTrust {
 public:
  static constexpr Nanoseconds kInterval = std::chrono::milliseconds{950};  // looks closer together are one
  static constexpr unsigned kEnough = 8;                                    // stamps to judge by
  static constexpr unsigned kLost = 2;                                      // looks without a clock
  static constexpr Nanoseconds kFirstHold = std::chrono::seconds{4};
  static constexpr Nanoseconds kLongestHold = std::chrono::seconds{512};
  static constexpr Nanoseconds kSettled = std::chrono::minutes{15};  // a relapse after that is a first one

  enum class Reason : std::uint8_t { none, clock, stamps };

  // About once a second. `now`: monotonic. `clock`: it can be told in time. `good`, `refused`: stamps since
  // the beginning, those of a maker that is not trusted too. True: trusted() has changed.
  bool look(Nanoseconds now, bool clock, std::uint64_t good, std::uint64_t refused);

  [[nodiscard]] bool trusted() const { return trusted_; }
  [[nodiscard]] Reason reason() const { return reason_; }  // why it is not

 private:
  [[nodiscard]] bool fall(Nanoseconds now, Reason reason);
  [[nodiscard]] bool has_earned_it(Nanoseconds now) const;

  bool trusted_ = false;
  Reason reason_ = Reason::none;
  bool begun_ = false;
  Nanoseconds looked_{};
  Nanoseconds changed_{};
  Nanoseconds right_since_{};
  Nanoseconds hold_{};              // nothing to make up for yet
  unsigned without_clock_ = 0;      // looks
  std::uint64_t good_ = 0;          // up to the last judgement
  std::uint64_t refused_ = 0;       // the same
  std::uint64_t right_stamps_ = 0;  // good ones since right_since_
};

[[nodiscard]] constexpr std::string_view name(StampTrust::Reason reason) {
  return reason == StampTrust::Reason::clock    ? "clock"
         : reason == StampTrust::Reason::stamps ? "stamps"
                                                : "none";
}

}  // namespace wiretime::clock
