// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/rate_limit.hpp"

#include <algorithm>

namespace wiretime::ntp {

RateLimit RateLimit::of(const Rule& rule) noexcept {
  constexpr int kFraction = 4;  // the clock counts 2^-4 s
  const int interval = std::clamp(rule.interval, -kFraction, 12);
  const std::uint32_t burst = std::clamp(rule.burst, 1U, 255U);
  int bits = interval + kFraction;  // log2 of the price, as long as the full bucket fits
  while (bits > 0 && (burst << bits) > kMostTokens) --bits;
  RateLimit limit;
  limit.enabled = true;
  limit.shift = static_cast<std::uint8_t>(interval + kFraction - bits);
  limit.leak = static_cast<std::uint8_t>(std::clamp(rule.leak, 1U, 4U));
  limit.kod = static_cast<std::uint8_t>(std::min(rule.kod, 4U));
  limit.interval = static_cast<std::int8_t>(std::clamp(rule.interval, -19, 12));
  limit.price = 1U << bits;
  limit.full = burst << bits;
  return limit;
}

}  // namespace wiretime::ntp
