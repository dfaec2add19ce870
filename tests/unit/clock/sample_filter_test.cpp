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
  SampleFilter filter{FilterKind::median, 5};
  const double offsets[] = {1e-6, 50e-3, 3e-6, -70e-3, 2e-6};
  for (int i = 0; i < 5; ++i) CHECK(filter.add(sample(i, offsets[i])));
  const auto result = filter.take();
  REQUIRE(result);
  CHECK(result->offset == Approx(2e-6));
  CHECK(seconds_between(kStart, result->time) == Approx(2));
  CHECK(filter.samples() == 0);
}

TEST_CASE("the network filter keeps the quickest packets") {
  SampleFilter filter{FilterKind::network, 5};
  for (int i = 0; i < 5; ++i) filter.add(sample(i, i < 3 ? 1e-6 : 5e-3, i < 3 ? 1e-3 : 11e-3));
  const auto result = filter.take();
  REQUIRE(result);
  CHECK(result->offset == Approx(1e-6));
  CHECK(result->peer_delay == Approx(1e-3));
}

TEST_CASE("a median filter is content with what there is, a network filter must be full") {
  SampleFilter median{FilterKind::median, 64};
  SampleFilter network{FilterKind::network, 5};
  CHECK_FALSE(median.take());
  median.add(sample(1, 7e-6));
  CHECK(median.take()->offset == 7e-6);
  for (int i = 0; i < 4; ++i) network.add(sample(i, 0));
  CHECK_FALSE(network.full());
  CHECK_FALSE(network.take());
  CHECK_FALSE(network.add(sample(3, 0)));
}

TEST_CASE("the last sample stays known when the filter was emptied, and moves with the clock") {
  SampleFilter filter{FilterKind::median, 4};
  CHECK_FALSE(filter.last());
  filter.add(sample(1, 5e-6));
  CHECK(filter.take());
  filter.shift({kStart, 0, 1e-3});
  REQUIRE(filter.last());
  CHECK(filter.last()->offset == Approx(5e-6 - 1e-3));
  CHECK_FALSE(filter.add(sample(1, 5e-6)));  // not later than the last
  filter.reset();
  CHECK_FALSE(filter.last());
}

TEST_CASE("samples that scatter more than allowed give no result; drift is no scatter") {
  SampleFilter filter{FilterKind::median, 10, 1e-6};
  for (int i = 0; i < 10; ++i) filter.add(sample(i, i % 2 == 0 ? 3e-6 * i : -3e-6 * i));
  CHECK_FALSE(filter.take());
  for (int i = 10; i < 20; ++i) filter.add(sample(i, 50e-6 * i));
  CHECK(filter.take());
  CHECK(filter.spread() < 1e-9);
}

TEST_CASE("the spread of single samples is learned over many results and stands in for a lone sample's") {
  std::mt19937_64 random{11};
  std::normal_distribution<double> noise{0, 1e-6};
  SampleFilter filter{FilterKind::median, 64};
  int t = 0;
  for (int run = 0; run < 40; ++run) {
    for (int i = 0; i < 4; ++i) filter.add(sample(++t, noise(random)));
    REQUIRE(filter.take());
  }
  CHECK(filter.spread() > 0.1e-6);  // of the middle ones only
  CHECK(filter.spread() < 1e-6);
  filter.add(sample(++t, 0));
  CHECK(filter.take()->peer_dispersion == Approx(filter.spread()));
}

TEST_CASE("the oldest samples give way when the filter is full") {
  SampleFilter filter{FilterKind::median, 4};
  for (int i = 0; i < 12; ++i) filter.add(sample(i, i < 8 ? 1.0 : 0.0));
  CHECK(filter.take()->offset == 0);
}

TEST_CASE("averaging lowers the error, and the dispersion tells by how much") {
  std::mt19937_64 random{5};
  std::normal_distribution<double> noise{0, 1e-6};
  double squared = 0;
  double dispersion = 0;
  for (int run = 0; run < 400; ++run) {
    SampleFilter filter{FilterKind::network, 30};
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
  SampleFilter filter{FilterKind::median, 4};
  for (int i = 0; i < 4; ++i) filter.add(sample(i, 1e-3 + 10e-6 * i));
  filter.shift({kStart, 10e-6, 1e-3});
  const auto r = filter.take();
  REQUIRE(r);
  CHECK(r->offset == Approx(0).margin(1e-9));
}
