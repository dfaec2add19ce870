// SPDX-License-Identifier: BSD-3-Clause
#include "net/rate_limiter.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::net;

namespace {

constexpr std::uint64_t kHz = 2'000'000'000;

unsigned allowed(RateLimiter& limiter, Ticks now, unsigned asked) {
  unsigned n = 0;
  for (unsigned i = 0; i < asked; ++i) n += limiter.allow(now) ? 1U : 0U;
  return n;
}

}  // namespace

TEST_CASE("a full bucket allows its burst and then its rate") {
  RateLimiter limiter{kHz, 100, 10, Ticks{5}};
  CHECK(allowed(limiter, Ticks{5}, 50) == 10);
  CHECK(allowed(limiter, Ticks{5 + kHz / 100 - 1}, 50) == 0);
  CHECK(allowed(limiter, Ticks{5 + kHz / 100}, 50) == 1);
  unsigned in_a_second = 0;
  for (std::uint64_t t = 1; t <= 1000; ++t)
    in_a_second += allowed(limiter, Ticks{5 + kHz / 100 + t * (kHz / 1000)}, 5);
  CHECK(in_a_second == 100);
}

TEST_CASE("an idle bucket never holds more than its burst") {
  RateLimiter limiter{kHz, 100, 10, Ticks{0}};
  CHECK(allowed(limiter, Ticks{0}, 3) == 3);
  CHECK(allowed(limiter, Ticks{1000 * kHz}, 50) == 10);
  CHECK(allowed(limiter, Ticks{UINT64_MAX}, 50) == 10);
}

TEST_CASE("ticks that run backwards earn nothing and break nothing") {
  RateLimiter limiter{kHz, 100, 10, Ticks{kHz}};
  CHECK(allowed(limiter, Ticks{kHz}, 50) == 10);
  CHECK(allowed(limiter, Ticks{0}, 50) == 0);
  CHECK(allowed(limiter, Ticks{kHz / 100}, 50) == 1);
}

TEST_CASE("a rate above the tick rate, or of nothing, still counts tokens") {
  RateLimiter fast{10, 1000, 4, Ticks{0}};
  CHECK(allowed(fast, Ticks{0}, 50) == 4);
  CHECK(allowed(fast, Ticks{1}, 50) == 1);
  RateLimiter least{kHz, 0, 0, Ticks{0}};
  CHECK(allowed(least, Ticks{0}, 50) == 1);
  CHECK(allowed(least, Ticks{kHz}, 50) == 1);
}
