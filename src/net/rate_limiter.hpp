// SPDX-License-Identifier: BSD-3-Clause
// Token bucket in the caller's ticks: bounds how many ARP, ND and echo answers a port gives. One owner
// thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace wiretime::net {

class RateLimiter {
 public:
  // `per_second` answers on average and at most `burst` at once, both at least 1; starts full.
  RateLimiter(std::uint64_t ticks_per_second, std::uint32_t per_second, std::uint32_t burst,
              Ticks now) noexcept
      : cost_(std::max<std::uint64_t>(ticks_per_second / std::max(per_second, 1U), 1)),
        capacity_(cost_ * std::max(burst, 1U)),
        credit_(capacity_),
        last_(now) {}

  // Takes a token. False: Verdict::neighbor_rate_limited. Ticks that run backwards earn nothing.
  [[nodiscard]] bool allow(Ticks now) noexcept {
    const std::uint64_t elapsed = now.value > last_.value ? now.value - last_.value : 0;
    last_ = now;
    credit_ += std::min(elapsed, capacity_ - credit_);
    if (credit_ < cost_) return false;
    credit_ -= cost_;
    return true;
  }

 private:
  std::uint64_t cost_;      // ticks that earn one token
  std::uint64_t capacity_;  // ticks that fill the bucket
  std::uint64_t credit_;    // ticks earned and not spent, 0..capacity_
  Ticks last_;
};

}  // namespace wiretime::net
