// SPDX-License-Identifier: BSD-3-Clause
#include "clock/smoothing.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kMidnight{std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}};
constexpr WallTime kNoon = kMidnight - 12h;
constexpr double kSmear = 1.0 / 86'401;  // s/s, of an inserted second

SmoothingConfig quadratic(double max_ppm, double wander_ppm, bool leap_only = false) {
  return {SmoothingConfig::Shape::quadratic, max_ppm * 1e-6, wander_ppm * 1e-6, leap_only};
}

SmoothingConfig linear() {
  return {SmoothingConfig::Shape::linear, 0, 0, true};
}

double served_minus(const Smoothing& s, WallTime now, WallTime reference) {
  return seconds_between(reference, now) + s.offset(now);
}

}  // namespace

TEST_CASE("a leap second with chrony's example figures takes 62500 s and peaks at 32 ppm") {
  Smoothing s{quadratic(400, 0.001024, true)};
  CHECK(s.activate(kMidnight - 1h));
  const double before = served_minus(s, kMidnight, kMidnight);
  s.leap(kMidnight, -1);
  const WallTime after = kMidnight - 1s;
  CHECK(served_minus(s, after, kMidnight) == Approx(before).margin(1e-9));
  CHECK(s.offset(after) == Approx(1));
  CHECK(s.at(after).remaining == Approx(62'500));
  CHECK(s.at(after).wander == Approx(-0.001024e-6));
  const auto middle = s.at(after + 31'250s);
  CHECK(middle.frequency == Approx(-32e-6).epsilon(1e-6));
  CHECK(middle.offset == Approx(0.5).epsilon(1e-6));
  CHECK(s.at(after + 40'000s).wander == Approx(0.001024e-6));
  CHECK(s.offset(after + 62'499s) > 0);
  CHECK(s.offset(after + 62'501s) == 0);
  CHECK(s.at(after + 62'501s).frequency == 0);
}

TEST_CASE("the largest frequency is held where the way is long") {
  Smoothing s{quadratic(400, 1)};
  s.activate(kNoon);
  s.corrected({kNoon, 0, 100}, 0);
  CHECK(s.offset(advanced(kNoon, 100)) == Approx(-100));
  const WallTime now = advanced(kNoon, 100);
  CHECK(s.at(now + 400s).frequency == Approx(400e-6));
  CHECK(s.at(now + 100'000s).frequency == Approx(400e-6));
  CHECK(s.at(now + 100'000s).wander == 0);
  // 400 s up, 400 s down, each 0.08 s, and the rest at 400 ppm.
  CHECK(s.at(now).remaining == Approx(800 + (100 - 0.16) / 400e-6));
  CHECK(s.offset(advanced(now, s.at(now).remaining + 1)) == 0);
}

TEST_CASE("whatever corrections come, what is served has no step, no sudden rate and keeps to its limits") {
  constexpr unsigned kSeed = 20261123;
  INFO("seed " << kSeed);
  std::mt19937_64 random{kSeed};
  std::normal_distribution<double> normal;
  std::exponential_distribution<double> pause{1.0 / 500};
  for (int run = 0; run < 200; ++run) {
    const double limit = std::pow(10.0, std::uniform_real_distribution<double>{-5, -3}(random));
    const double wander = std::pow(10.0, std::uniform_real_distribution<double>{-9, -6}(random));
    Smoothing s{{SmoothingConfig::Shape::quadratic, limit, wander, false}};
    s.activate(kNoon);
    WallTime now = kNoon;
    double spread = 0;  // of all frequency corrections: only they may take the rate beyond the limit
    for (int i = 0; i < 30; ++i) {
      const bool leap = i % 7 == 3;
      const ClockChange change{now, leap ? 0 : normal(random) * limit / 10,
                               leap ? -1 : normal(random) * 0.01};
      const auto before = s.at(now);
      if (leap)
        s.leap(now, change.offset);
      else
        s.corrected(change, 0);
      const WallTime after = change.apply(now);
      const auto then = s.at(after);
      CHECK(seconds_between(now, after) + then.offset == Approx(before.offset).margin(2e-9));
      CHECK((1 + then.frequency) * (1 + change.frequency) == Approx(1 + before.frequency).epsilon(1e-12));
      spread += std::fabs(change.frequency);
      now = after;
      const double end = pause(random);
      auto last = s.at(now);
      for (double t = 0; t < end; t += end / 40 + 1e-3) {
        const WallTime at = advanced(now, t);
        const auto state = s.at(at);
        REQUIRE(std::fabs(state.frequency) <= limit + spread + 1e-15);
        REQUIRE(std::fabs(state.wander) <= wander * (1 + 1e-12));
        const double step = t == 0 ? 0 : end / 40 + 1e-3;
        REQUIRE(std::fabs(state.frequency - last.frequency) <= wander * step * (1 + 1e-6) + 1e-15);
        REQUIRE(std::fabs(state.offset - last.offset) <= (limit + spread) * step + 2e-9);
        last = state;
      }
      now = advanced(now, end);
    }
    const auto left = s.at(now);
    CHECK(s.offset(advanced(now, left.remaining + 1e-6)) == 0);
    CHECK(std::fabs(s.offset(advanced(now, left.remaining - 1e-3))) < limit * 1e-3 + 2e-9);
  }
}

TEST_CASE("a rate beyond the limit is brought back within it at once") {
  Smoothing s{quadratic(100, 0.1)};
  s.activate(kNoon);
  s.corrected({kNoon, -300e-6, 0}, 0);  // served runs on as before, 300 ppm faster than the time now does
  CHECK(s.at(kNoon).frequency == Approx(300e-6).epsilon(1e-3));
  CHECK(s.at(kNoon).wander == Approx(-0.1e-6));
  const double end = s.at(kNoon).remaining;
  bool within = false;
  for (double t = 0; t < end; t += 10) {
    const double f = std::fabs(s.at(advanced(kNoon, t)).frequency);
    if (within) REQUIRE(f <= 100e-6 * (1 + 1e-9));
    within = within || f <= 100e-6;
  }
  CHECK(within);
  CHECK(std::fabs(s.offset(advanced(kNoon, end - 1))) < 1e-6);
}

TEST_CASE(
    "smoothing begins when the clock is known well enough, and not with the correction that made it so") {
  Smoothing s{quadratic(400, 0.001)};
  CHECK(s.enabled());
  CHECK_FALSE(s.corrected({kNoon, 0, 3}, 11e-6));
  CHECK_FALSE(s.active());
  CHECK(s.corrected({kNoon + 10s, 0, 2}, 9e-6));
  CHECK(s.active());
  CHECK(s.offset(kNoon + 12s) == 0);
  CHECK_FALSE(s.corrected({kNoon + 20s, 0, 1e-3}, 50e-6));
  CHECK(s.offset(advanced(kNoon + 20s, 1e-3)) == Approx(-1e-3));
}

TEST_CASE("with leaponly, corrections are seen at once and leap seconds are not") {
  Smoothing s{quadratic(400, 0.001, true)};
  CHECK(s.corrected({kNoon, 0, 3}, 1));  // known or not
  s.corrected({kNoon + 10s, 1e-6, 0.5}, 0);
  CHECK(s.offset(kNoon + 20s) == 0);
  s.leap(kMidnight, -1);
  CHECK(s.offset(kMidnight - 1s) == Approx(1));
  const double before = s.offset(kMidnight + 100s);
  s.corrected({kMidnight + 100s, 0, 0.2}, 0);
  CHECK(s.offset(kMidnight + 100s + 200ms) == Approx(before).epsilon(1e-9));
}

TEST_CASE("a reset serves the true time again; before activation nothing is smoothed") {
  Smoothing s{quadratic(400, 1)};
  s.leap(kMidnight, -1);
  CHECK(s.offset(kMidnight) == 0);
  s.activate(kMidnight);
  CHECK_FALSE(s.activate(kMidnight));
  s.corrected({kMidnight, 0, 1}, 0);
  s.reset(kMidnight + 10s);
  CHECK(s.offset(kMidnight + 10s) == 0);
  CHECK(s.at(kMidnight + 10s).remaining == 0);
  CHECK(s.active());
  Smoothing none{{}};
  CHECK_FALSE(none.enabled());
  CHECK_FALSE(none.activate(kMidnight));
  CHECK_FALSE(none.corrected({kMidnight, 0, 1}, 0));
  CHECK(none.offset(kMidnight) == 0);
}

TEST_CASE("the linear smear runs from noon to noon at one second a day") {
  for (const int inserted : {1, -1}) {
    CAPTURE(inserted);
    const double rate = 1.0 / (86'400 + inserted);
    Smoothing s{linear()};
    CHECK(s.active());
    CHECK(s.leap_only());
    const LeapEvent event{kMidnight, inserted, false};
    s.follow({}, kMidnight - 24h - 1s);
    s.follow(event, kMidnight - 24h);
    CHECK(s.offset(kNoon - 1s) == 0);
    CHECK(s.offset(kNoon) == 0);
    CHECK(s.offset(kNoon + 3600s) == Approx(-inserted * 3600 * rate).epsilon(1e-9));
    CHECK(s.at(kNoon + 3600s).remaining == Approx(86'400 + inserted - 3600));
    CHECK(s.at(kNoon + 3600s).frequency == Approx(-inserted * rate));
    const WallTime leap = inserted > 0 ? kMidnight : kMidnight - 1s;
    const double before = served_minus(s, leap, kMidnight);
    CHECK(s.offset(leap) == Approx(-inserted * 0.5).margin(2e-5));
    s.leap(leap, -inserted);
    const WallTime after = leap - std::chrono::seconds{inserted};
    CHECK(served_minus(s, after, kMidnight) == Approx(before).margin(1e-9));
    CHECK(s.offset(after) == Approx(inserted * 0.5).margin(2e-5));
    s.follow(LeapEvent{kMidnight, inserted, true}, after);
    CHECK(s.at(after).frequency == Approx(-inserted * rate));
    CHECK(std::fabs(s.offset(kMidnight + 43'199s)) == Approx(rate).epsilon(1e-3));
    CHECK(s.offset(kMidnight + 43'200s + 1us) == 0);
    s.follow({}, kMidnight + 43'201s);
    CHECK(s.offset(kMidnight + 43'201s) == 0);
  }
}

TEST_CASE("a server that starts amid a linear smear is where the others are") {
  Smoothing whole{linear()};
  whole.follow(LeapEvent{kMidnight, 1, false}, kNoon - 1h);
  Smoothing early{linear()};
  early.follow(LeapEvent{kMidnight, 1, false}, kNoon + 5h);
  CHECK(early.offset(kNoon + 5h) == Approx(whole.offset(kNoon + 5h)));
  whole.leap(kMidnight, -1);
  Smoothing late{linear()};
  late.follow(LeapEvent{kMidnight, 1, true}, kMidnight + 3h);
  CHECK(late.offset(kMidnight + 3h) == Approx(whole.offset(kMidnight + 3h)).epsilon(1e-9));
  CHECK(late.offset(kMidnight + 12h + 1us) == 0);
}

TEST_CASE("a leap second learned of late is smeared from then on, to the same end, without a step") {
  Smoothing s{linear()};
  const WallTime now = kNoon + 6h;
  s.follow({}, now - 1s);
  s.follow(LeapEvent{kMidnight, 1, false}, now);
  CHECK(s.offset(now) == 0);
  CHECK(s.at(now + 1s).frequency == Approx(-1.0 / (18 * 3600 + 1)));
  s.leap(kMidnight, -1);
  CHECK(s.offset(kMidnight + 12h - 1s) == Approx(1.0 / (18 * 3600 + 1)).epsilon(1e-3));
  CHECK(s.offset(kMidnight + 12h + 1us) == 0);
}

TEST_CASE("a leap second that is called off is undone as slowly") {
  Smoothing s{linear()};
  s.follow(LeapEvent{kMidnight, 1, false}, kNoon - 1h);
  const WallTime now = kNoon + 4h;
  const double before = s.offset(now);
  s.follow({}, now);
  CHECK(s.offset(now) == Approx(before));
  CHECK(s.at(now).frequency == Approx(1.0 / 86'400));
  CHECK(s.offset(now + 4h + 1s) == 0);
}

TEST_CASE("corrections and resets of the clock do not move the linear smear") {
  Smoothing s{linear()};
  s.follow(LeapEvent{kMidnight, 1, false}, kNoon - 1h);
  const double before = s.offset(kNoon + 2h);
  CHECK_FALSE(s.corrected({kNoon + 1h, 10e-6, 0.3}, 0));
  s.shift({kNoon + 1h, 0, 100});
  s.reset(kNoon + 1h);
  CHECK(s.offset(kNoon + 2h) == before);
  CHECK(before == Approx(-2 * 3600 * kSmear));
}
