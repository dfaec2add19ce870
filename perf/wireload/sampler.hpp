// SPDX-License-Identifier: BSD-3-Clause
// Which replies are checked where one core cannot check all. Seven of eight are drawn by what they echo,
// which is as good as random and the same in each reply to one request: a second reply is checked with the
// first, and nothing beats in time with bursts. The eighth is by turn, for servers that always echo the same.
// Generator's core.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace wiretime::load {

class Sampler {
 public:
  explicit Sampler(double share) noexcept { set(share); }

  // share: 0 to 1.
  void set(double share) noexcept {
    const double by_turn = share / 8;
    const double drawn = (share - by_turn) / (1 - by_turn);  // some are drawn whose turn it is too
    step_ = share < 1 ? parts(by_turn) : kWhole;
    limit_ = parts(drawn);
  }

  // `echo`: 32 bits of the reply's echo of its request.
  [[nodiscard]] bool takes(std::uint32_t echo) noexcept {
    phase_ += step_;
    const bool turn = phase_ >= kWhole;
    phase_ &= kWhole - 1;
    return turn || echo < limit_;
  }

 private:
  static constexpr std::uint64_t kWhole = std::uint64_t{1} << 32;

  [[nodiscard]] static std::uint64_t parts(double share) noexcept {
    return static_cast<std::uint64_t>(std::llround(share * static_cast<double>(kWhole)));
  }

  std::uint64_t limit_ = 0;
  std::uint64_t step_ = 0;
  std::uint64_t phase_ = 0;
};

// How many to check where nobody has said: all that the core has time for. Checking less must not depend on
// the rate alone, since a flood that checks all may never reach the rate at which it would check less.
class AutomaticShare {
 public:
  static constexpr double kAlways = 5e5;  // replies a second that are checked, whatever else is due

  // `rate`: of the requests to come, 0 if they are to be as many as can be.
  explicit AutomaticShare(double rate) noexcept
      : share_{rate <= 0 || rate >= 10e6 ? 1.0 / 16
               : rate >= 5e6             ? 1.0 / 4
                                         : 1.0},
        rate_{rate > 0 ? rate : 8e6} {}

  // The share from now on. `rate`: replies a second since the last time; smoothed, so that the late replies
  // behind a stall, which come all at once, are not checked less than others. `pressed`: there was more to
  // send than time.
  [[nodiscard]] double next(double rate, bool pressed) noexcept {
    rate_ += (rate - rate_) / 32;
    const double least = rate_ > kAlways ? kAlways / rate_ : 1.0;
    share_ = std::max(pressed ? share_ / 2 : share_, least);
    return share_;
  }
  [[nodiscard]] double share() const noexcept { return share_; }

 private:
  double share_;
  double rate_;
};

}  // namespace wiretime::load
