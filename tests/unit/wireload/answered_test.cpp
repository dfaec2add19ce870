// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/answered.hpp"

#include <random>
#include <set>

#include "catch.hpp"

namespace wiretime::load {

TEST_CASE("a request is answered once, and again when its number comes round") {
  Answered answered;
  answered.open(100);
  CHECK(answered.take(100));
  CHECK_FALSE(answered.take(100));
  CHECK(answered.take(101));
  for (std::uint64_t s = 101; s <= Answered::kWindow + 128; ++s) answered.open(s);
  CHECK(answered.take(Answered::kWindow + 100));
}

TEST_CASE("what is missing is counted as a slow count does") {
  std::mt19937_64 random{3};
  Answered answered;
  std::set<std::uint64_t> taken;
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t s = random() % 4000;
    CHECK(answered.take(s) == taken.insert(s).second);
  }
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t first = random() % 4000;
    const std::uint64_t last = first + random() % (4000 - first + 1);
    std::uint64_t slow = 0;
    for (std::uint64_t s = first; s < last; ++s) slow += taken.count(s) == 0 ? 1U : 0U;
    REQUIRE(answered.missing(first, last) == slow);
  }
}

}  // namespace wiretime::load
