// SPDX-License-Identifier: BSD-3-Clause
#include "clock/manual_input.hpp"

#include <cmath>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kStart{1'800'000'000s};

// A clock that somebody with a watch sets: it does what it is told.
struct Clock {
  double frequency;  // s/s, of its error
  double offset;     // s, behind
  WallTime now = kStart;
  ManualInput input{};

  void wait(double s) {
    now = advanced(now, s);
    offset += frequency * s;
  }
  std::optional<ManualInput::Estimate> set(double mistake = 0) {
    const auto estimate = input.add(now, offset + mistake);
    if (!estimate) return estimate;
    frequency -= estimate->frequency;
    offset -= estimate->offset;
    input.shift({now, estimate->frequency, estimate->offset});
    now = advanced(now, estimate->offset);
    return estimate;
  }
};

}  // namespace

TEST_CASE("the first typed time corrects the offset alone, the second the frequency too") {
  Clock c{50e-6, 0.25};
  const auto first = c.set();
  REQUIRE(first);
  CHECK(first->offset == 0.25);
  CHECK(first->frequency == 0);
  c.wait(10'000);
  const auto second = c.set();
  REQUIRE(second);
  CHECK(second->offset == Approx(0.5));
  CHECK(second->frequency == Approx(50e-6));
  CHECK(c.offset == Approx(0).margin(1e-9));
  CHECK(c.frequency == Approx(0).margin(1e-9));
  for (const auto& s : c.input.samples()) CHECK(s.offset == Approx(0).margin(1e-6));
  CHECK(c.input.samples()[1].original == Approx(0.5));
}

TEST_CASE("one mistyped time among many moves the clock by little") {
  Clock c{20e-6, 0.1};
  for (int i = 0; i < 8; ++i) {
    const auto estimate = c.set(i == 5 ? 60.0 : 0.01 * std::sin(i));
    REQUIRE(estimate);
    CHECK(std::fabs(estimate->offset) < 0.3);
    c.wait(5000);
  }
  CHECK(std::fabs(c.frequency) < 2e-6);
  CHECK(c.input.samples()[5].residual == Approx(60).margin(0.1));
}

TEST_CASE("two typed times within a second are one too many") {
  Clock c{0, 0.5};
  REQUIRE(c.set());
  c.wait(0.9);
  CHECK_FALSE(c.set());
  CHECK(c.input.samples().size() == 1);
  c.wait(0.2);
  CHECK(c.set());
}

TEST_CASE("the oldest typed time makes room, and one can be deleted") {
  Clock c{0, 0};
  for (int i = 0; i < 20; ++i) {
    REQUIRE(c.set());
    c.wait(100);
  }
  CHECK(c.input.samples().size() == ManualInput::kMostSamples);
  CHECK(seconds_between(kStart, c.input.samples().front().when) == Approx(400));
  CHECK_FALSE(c.input.remove(16, c.now));
  CHECK(c.input.remove(0, c.now));
  CHECK(c.input.samples().size() == 15);
  CHECK(seconds_between(kStart, c.input.samples().front().when) == Approx(500));
}

TEST_CASE("deleting a mistake takes its correction back") {
  Clock c{50e-6, 1};
  REQUIRE(c.set());
  c.wait(10'000);
  REQUIRE(c.set());
  c.wait(10'000);
  REQUIRE(c.set(30));
  CHECK(std::fabs(c.frequency) > 1e-4);
  c.wait(500);
  const auto left = c.input.remove(2, c.now);
  REQUIRE(left);
  CHECK(c.offset - left->offset == Approx(0).margin(5e-3));  // 30 s of 20000, squared
  CHECK(c.frequency - left->frequency == Approx(0).margin(5e-6));
}
