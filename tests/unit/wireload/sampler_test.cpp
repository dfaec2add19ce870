// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/sampler.hpp"

#include <random>

#include "catch.hpp"

namespace wiretime::load {

namespace {

constexpr int kReplies = 200'000;

template <typename F>
double share_taken(Sampler& sampler, F echo) {
  int taken = 0;
  for (int i = 0; i < kReplies; ++i) taken += sampler.takes(echo()) ? 1 : 0;
  return static_cast<double>(taken) / kReplies;
}

}  // namespace

TEST_CASE("the share of replies that is asked for is checked") {
  std::mt19937 random{32};
  for (const double share : {0.5, 0.25, 0.1, 1.0 / 32, 0.01}) {
    Sampler sampler{share};
    const double taken = share_taken(sampler, [&] { return static_cast<std::uint32_t>(random()); });
    CAPTURE(share, taken);
    CHECK(taken == Approx(share).epsilon(0.04));
  }
}

TEST_CASE("all replies are checked at a share of 1, and none at 0") {
  std::mt19937 random{33};
  const auto echo = [&] { return static_cast<std::uint32_t>(random()); };
  Sampler sampler{1};
  CHECK(share_taken(sampler, echo) == 1);
  sampler.set(0);
  (void)sampler.takes(0);  // what was left over from before
  CHECK(share_taken(sampler, echo) == 0);
}

TEST_CASE("a server that echoes the same in every reply is found out") {
  for (const std::uint32_t echo : {0U, 0xFFFF'FFFFU}) {
    Sampler sampler{1.0 / 32};
    CHECK(share_taken(sampler, [&] { return echo; }) > 1.0 / 32 / 10);
  }
}

TEST_CASE("second replies are checked with the first") {
  std::mt19937 random{34};
  Sampler sampler{1.0 / 16};
  int first = 0;
  int both = 0;
  for (int i = 0; i < kReplies; ++i) {
    const auto echo = static_cast<std::uint32_t>(random());
    const bool one = sampler.takes(echo);
    const bool other = sampler.takes(echo);
    first += one ? 1 : 0;
    both += one && other ? 1 : 0;
  }
  CHECK(both > first * 4 / 5);
}

TEST_CASE("each place of a burst is checked alike") {
  std::mt19937 random{35};
  Sampler sampler{1.0 / 32};
  int taken[32] = {};
  for (int i = 0; i < kReplies; ++i)
    taken[i % 32] += sampler.takes(static_cast<std::uint32_t>(random())) ? 1 : 0;
  for (const int n : taken) CHECK(n > kReplies / 32 / 32 * 3 / 5);
}

TEST_CASE("below 5 M/s all replies are checked while the core keeps up") {
  AutomaticShare share{4.9e6};
  for (int i = 0; i < 1000; ++i) REQUIRE(share.next(4.9e6, false) == 1);
}

TEST_CASE("a core that does not keep up checks less, but never less than half a million a second") {
  AutomaticShare share{4e6};
  CHECK(share.next(4e6, true) == 0.5);
  CHECK(share.next(4e6, false) == 0.5);
  for (int i = 0; i < 100; ++i) (void)share.next(4e6, true);
  CHECK(share.share() == Approx(0.125));
  for (int i = 0; i < 1000; ++i) (void)share.next(4e5, true);
  CHECK(share.share() == 1);
}

TEST_CASE("a flood is not held down by the checks of its replies") {
  // A core that sends and receives in 70 ns and checks in 250: 3 M/s with all checked, 14 M/s with none.
  const auto rate_at = [](double share) { return 1e9 / (70 + 250 * share); };
  AutomaticShare share{0};
  double rate = rate_at(1);
  for (int i = 0; i < 1000; ++i) rate = rate_at(share.next(rate, true));
  CHECK(rate > 0.85 * rate_at(0));
  CHECK(share.share() * rate == Approx(AutomaticShare::kAlways).epsilon(0.05));
}

TEST_CASE("what comes at once behind a stall is checked nearly as much as the rest") {
  AutomaticShare share{0};
  for (int i = 0; i < 1000; ++i) (void)share.next(2e6, true);
  const double usual = share.share();
  for (int i = 0; i < 4; ++i) (void)share.next(0, true);
  for (int i = 0; i < 4; ++i) (void)share.next(4e6, true);
  CHECK(share.share() == Approx(usual).epsilon(0.1));
}

}  // namespace wiretime::load
