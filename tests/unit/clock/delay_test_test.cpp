// SPDX-License-Identifier: BSD-3-Clause
#include "clock/delay_test.hpp"

#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kStart{1'800'000'000s};

Sample sample(int i, double offset, double delay) {
  Sample s;
  s.time = kStart + i * 16s;
  s.offset = offset;
  s.peer_delay = delay;
  return s;
}

// Ten samples of a microsecond's noise at a millisecond of delay.
SourceStatistics steady() {
  SourceStatistics statistics{StatisticsConfig{}};
  std::mt19937_64 random{1};
  std::normal_distribution<double> noise{0, 1e-6};
  for (int i = 0; i < 10; ++i) statistics.add(sample(i, noise(random), 1e-3));
  return statistics;
}

}  // namespace

TEST_CASE("maxdelay refuses whatever the history") {
  const SourceStatistics none{StatisticsConfig{}};
  DelayTest test{DelayLimits{}};
  CHECK(test.test(sample(0, 0, 3.1), none) == DelayVerdict::too_long);
  CHECK(test.test(sample(0, 0, 2.9), none) == DelayVerdict::accepted);
}

TEST_CASE("maxdelayratio compares with the least delay") {
  const auto statistics = steady();
  DelayLimits limits;
  limits.max_delay_ratio = 1.5;
  limits.max_delay_deviation = 0;
  DelayTest test{limits};
  CHECK(test.test(sample(10, 0, 1.6e-3), statistics) == DelayVerdict::above_ratio);
  CHECK(test.test(sample(10, 0, 1.4e-3), statistics) == DelayVerdict::accepted);
}

TEST_CASE("maxdelaydevratio refuses a queue, but not a delay that the offset has nothing to do with") {
  const auto statistics = steady();
  DelayTest test{DelayLimits{}};
  CHECK(test.test(sample(10, 0, 1.01e-3), statistics) == DelayVerdict::accepted);
  CHECK(test.test(sample(10, 0.4e-3, 2e-3), statistics) == DelayVerdict::above_deviation);
  // Half a second off with half a millisecond of queue: the source or the clock has jumped.
  CHECK(test.test(sample(10, 0.5, 2e-3), statistics) == DelayVerdict::accepted);
}

TEST_CASE("sixteen refusals in a row are enough: the path has changed") {
  const auto statistics = steady();
  DelayTest test{DelayLimits{}};
  for (int i = 0; i < 10; ++i)
    CHECK(test.test(sample(10 + i, 0, 5e-3), statistics) != DelayVerdict::accepted);
  CHECK(test.test(sample(20, 0, 1e-3), statistics) == DelayVerdict::accepted);  // starts counting anew
  for (int i = 0; i < 16; ++i)
    CHECK(test.test(sample(21 + i, 0, 5e-3), statistics) != DelayVerdict::accepted);
  for (int i = 0; i < 5; ++i) CHECK(test.test(sample(37 + i, 0, 5e-3), statistics) == DelayVerdict::accepted);
}

TEST_CASE("maxdelayquant accepts about the share that it is told") {
  std::mt19937_64 random{3};
  std::exponential_distribution<double> queue{1e3};
  for (const double p : {0.2, 0.5, 0.8}) {
    DelayLimits limits;
    limits.max_delay_quantile = p;
    DelayTest test{limits};
    const SourceStatistics none{StatisticsConfig{}};
    int accepted = 0;
    for (int i = 0; i < 4000; ++i)
      accepted += test.test(sample(i, 0, 1e-3 + queue(random)), none) == DelayVerdict::accepted;
    CHECK(accepted / 4000.0 == Approx(p).margin(0.06));
  }
}
