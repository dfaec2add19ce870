// SPDX-License-Identifier: BSD-3-Clause
#include "control/step_watch.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

TEST_CASE("a clock that somebody set is noticed once, with the amount") {
  StepWatch watch;
  const WallTime start{1'800'000'000s};
  CHECK_FALSE(watch.look(start, 10s));
  CHECK_FALSE(watch.look(start + 1s, 11s));
  const auto forward = watch.look(start + 5s, 12s);
  REQUIRE(forward);
  CHECK(*forward == Approx(3.0));
  CHECK_FALSE(watch.look(start + 6s, 13s));
  const auto back = watch.look(start + 4s, 14s);
  REQUIRE(back);
  CHECK(*back == Approx(-3.0));
}

TEST_CASE("slewing at the fastest and our own steps are not mistaken for somebody's") {
  StepWatch watch;
  const WallTime start{1'800'000'000s};
  CHECK_FALSE(watch.look(start, 10s));
  CHECK_FALSE(watch.look(start + 1100ms, 11s));
  watch.forget();
  CHECK_FALSE(watch.look(start + 100s, 12s));
  CHECK_FALSE(watch.look(start + 101s, 13s));
}

TEST_CASE("losing the CPU between two readings is no step, and does not hide one") {
  StepWatch watch;
  const WallTime start{1'800'000'000s};
  CHECK_FALSE(watch.look(10s, start, 10s));
  CHECK_FALSE(watch.look(11s, start + 1s, 13s));
  CHECK_FALSE(watch.look(14s, start + 4s, 14s));
  CHECK_FALSE(watch.look(15s, start + 8s, 16s));
  const auto stepped = watch.look(17s, start + 10s, 17s);
  REQUIRE(stepped);
  CHECK(*stepped == Approx(3.0));
}
