// SPDX-License-Identifier: BSD-3-Clause
#include "clock/stamp_trust.hpp"

#include <algorithm>

namespace wiretime::clock {

namespace {

constexpr std::uint64_t kFewRefused = 10;  // no more than one in so many, to be trusted again

}  // namespace

bool StampTrust::look(Nanoseconds now, bool clock, std::uint64_t good, std::uint64_t refused) {
  if (begun_ && now - looked_ < kInterval) return false;
  if (!begun_) right_since_ = changed_ = now;
  begun_ = true;
  looked_ = now;
  without_clock_ = clock ? 0 : without_clock_ + 1;

  const std::uint64_t new_good = good - good_;
  const std::uint64_t new_refused = refused - refused_;
  const bool enough = new_good + new_refused >= kEnough;
  if (enough) {
    good_ = good;
    refused_ = refused;
  }
  if (trusted_) {
    if (without_clock_ >= kLost) return fall(now, Reason::clock);
    if (enough && new_refused > new_good) return fall(now, Reason::stamps);
    return false;
  }
  if (enough) right_stamps_ += new_good;
  if (!clock || (enough && new_refused * kFewRefused > new_good)) {
    right_since_ = now;
    right_stamps_ = 0;
  }
  if (!clock || !has_earned_it(now)) return false;
  trusted_ = true;
  changed_ = now;
  reason_ = Reason::none;
  return true;
}

bool StampTrust::fall(Nanoseconds now, Reason reason) {
  hold_ = now - changed_ >= kSettled ? kFirstHold : std::clamp(hold_ * 2, kFirstHold, kLongestHold);
  trusted_ = false;
  reason_ = reason;
  changed_ = right_since_ = now;
  right_stamps_ = 0;
  return true;
}

// Who lost it by bad stamps has to show good ones.
bool StampTrust::has_earned_it(Nanoseconds now) const {
  return now - right_since_ >= hold_ && (reason_ != Reason::stamps || right_stamps_ >= kEnough);
}

}  // namespace wiretime::clock
