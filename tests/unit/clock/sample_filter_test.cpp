// SPDX-License-Identifier: BSD-3-Clause
#include "clock/sample_filter.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kStart{1'800'000'000s};

Sample sample(double at, double offset, double delay = 1e-3) {
  Sample s;
  s.time = advanced(kStart, at);
  s.offset = offset;
  s.peer_delay = delay;
  s.root_delay = delay;
  return s;
}

}  // namespace

TEST_CASE("the median filter drops extremes on both sides and averages the rest") {
  SampleFilter filter{FilterKind::median, 5, false};
  const double offsets[] = {1e-6, 50e-3, 3e-6, -70e-3, 2e-6};
  for (int i = 0; i < 5; ++i) CHECK(filter.add(sample(i, offsets[i])));
  const auto result = filter.take();
  REQUIRE(result);
  CHECK(result->offset == Approx(2e-6));
  CHECK(seconds_between(kStart, result->time) == Approx(2));
  CHECK(filter.samples() == 0);
}

TEST_CASE("the network filter keeps the quickest packets") {
  SampleFilter filter{FilterKind::network, 5, true};
  for (int i = 0; i < 5; ++i) filter.add(sample(i, i < 3 ? 1e-6 : 5e-3, i < 3 ? 1e-3 : 11e-3));
  const auto result = filter.take();
  REQUIRE(result);
  CHECK(result->offset == Approx(1e-6));
  CHECK(result->peer_delay == Approx(1e-3));
}

TEST_CASE("a result needs four samples, or all of a shorter filter, or all when it must be full") {
  SampleFilter long_filter{FilterKind::median, 64, false};
  SampleFilter short_filter{FilterKind::median, 2, false};
  SampleFilter strict{FilterKind::network, 5, true};
  for (int i = 0; i < 3; ++i) long_filter.add(sample(i, 0));
  CHECK_FALSE(long_filter.take());
  long_filter.add(sample(4, 0));
  CHECK(long_filter.take());
  short_filter.add(sample(0, 0));
  CHECK_FALSE(short_filter.take());
  short_filter.add(sample(1, 0));
  CHECK(short_filter.take());
  for (int i = 0; i < 4; ++i) strict.add(sample(i, 0));
  CHECK_FALSE(strict.full());
  CHECK_FALSE(strict.take());
  CHECK_FALSE(strict.add(sample(3, 0)));
}

TEST_CASE("the oldest samples give way when the filter is full") {
  SampleFilter filter{FilterKind::median, 4, false};
  for (int i = 0; i < 12; ++i) filter.add(sample(i, i < 8 ? 1.0 : 0.0));
  CHECK(filter.take()->offset == 0);
}

TEST_CASE("averaging lowers the error, and the dispersion tells by how much") {
  std::mt19937_64 random{5};
  std::normal_distribution<double> noise{0, 1e-6};
  double squared = 0;
  double dispersion = 0;
  for (int run = 0; run < 400; ++run) {
    SampleFilter filter{FilterKind::network, 30, true};
    for (int i = 0; i < 30; ++i) filter.add(sample(i, noise(random)));
    const auto r = filter.take();
    REQUIRE(r);
    squared += r->offset * r->offset / 400;
    dispersion += r->peer_dispersion / 400;
  }
  CHECK(std::sqrt(squared) == Approx(1e-6 / std::sqrt(18)).epsilon(0.1));
  CHECK(dispersion == Approx(1e-6 / std::sqrt(18)).epsilon(0.1));
}

TEST_CASE("samples waiting in the filter move with the clock") {
  SampleFilter filter{FilterKind::median, 4, false};
  for (int i = 0; i < 4; ++i) filter.add(sample(i, 1e-3 + 10e-6 * i));
  filter.shift({kStart, 10e-6, 1e-3});
  const auto r = filter.take();
  REQUIRE(r);
  CHECK(r->offset == Approx(0).margin(1e-9));
}
