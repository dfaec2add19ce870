// SPDX-License-Identifier: BSD-3-Clause
// An open-loop schedule: request n is due at start + n intervals, whatever became of the ones before. After a
// stall only so much is caught up on; the rest is given up as not sent, since a burst of it would be another
// load than the one asked for. Generator's core.
#pragma once

#include <algorithm>
#include <cstdint>

namespace wiretime::load {

class Pacer {
 public:
  // `rate` a second; at most `catch_up` requests are ever due at once.
  Pacer(std::uint64_t start, double rate, double ticks_per_second, std::uint64_t catch_up) noexcept
      : start_{start},
        per_tick_{rate / ticks_per_second},
        interval_{ticks_per_second / rate},
        catch_up_{catch_up} {}

  // How many are due by `now`; those given up are counted.
  [[nodiscard]] std::uint64_t due(std::uint64_t now) noexcept {
    const std::uint64_t elapsed = now > start_ ? now - start_ : 0;
    const std::uint64_t total = static_cast<std::uint64_t>(static_cast<double>(elapsed) * per_tick_) + 1;
    std::uint64_t waiting = total > next_ ? total - next_ : 0;
    if (waiting > catch_up_) {
      given_up_ += waiting - catch_up_;
      next_ += waiting - catch_up_;
      waiting = catch_up_;
    }
    return waiting;
  }
  // When the request `ahead` of those not yet issued was due.
  [[nodiscard]] std::uint64_t due_time(std::uint64_t ahead) const noexcept {
    return start_ + static_cast<std::uint64_t>(static_cast<double>(next_ + ahead) * interval_);
  }
  void issued(std::uint64_t count) noexcept { next_ += count; }
  [[nodiscard]] std::uint64_t given_up() const noexcept { return given_up_; }

  // A millisecond's worth, but no more than half of what the rings on the way hold.
  [[nodiscard]] static std::uint64_t usual_catch_up(double rate) noexcept {
    return static_cast<std::uint64_t>(std::clamp(rate / 1000, 32.0, 512.0));
  }

 private:
  std::uint64_t start_;
  double per_tick_;
  double interval_;
  std::uint64_t catch_up_;
  std::uint64_t next_ = 0;
  std::uint64_t given_up_ = 0;
};

}  // namespace wiretime::load
