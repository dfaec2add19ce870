// SPDX-License-Identifier: BSD-3-Clause
#include "clock/refclock.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;
using V = ReadingVerdict;

namespace {

constexpr WallTime kStart{1'800'000'000s};

ClockReading time_reading(double at, double offset) {
  ClockReading r;
  r.system = advanced(kStart, at);
  r.seconds = std::llround(offset);
  r.fraction = offset - static_cast<double>(r.seconds);
  return r;
}

// The system's clock showed `at` (s since kStart) when the pulse came.
ClockReading pulse(double at) {
  ClockReading r;
  r.system = advanced(kStart, at);
  r.fraction = -(at - std::floor(at));
  r.pulse = true;
  return r;
}

Refclock::Context at(double now) {
  Refclock::Context c;
  c.now = advanced(kStart, now);
  return c;
}

// What we serve is right within `distance`.
Refclock::Context served(double now, double distance) {
  Refclock::Context c = at(now);
  c.leap = Leap::none;
  c.distance = distance;
  return c;
}

Refclock::Context locked(double now, const Refclock* partner) {
  Refclock::Context c = at(now);
  c.locked = true;
  c.partner = partner;
  return c;
}

RefclockConfig precise() {
  RefclockConfig c;
  c.precision = 1e-9;
  return c;
}

Refclock with_sample(double time, double offset, double precision = 1e-6) {
  RefclockConfig config;
  config.precision = precision;
  Refclock clock{config};
  REQUIRE(clock.add(time_reading(time, offset), at(time)) == V::taken);
  return clock;
}

}  // namespace

TEST_CASE("a reading becomes a sample with the configured offset, delay, precision and stratum") {
  RefclockConfig config = precise();
  config.offset = 0.25;
  config.delay = 1e-3;
  config.stratum = 2;
  Refclock clock{config};
  ClockReading reading = time_reading(0.5, 7.125);
  reading.leap = Leap::insert;
  reading.error = 2e-9;
  REQUIRE(clock.add(reading, at(1)) == V::taken);
  const auto poll = clock.poll();
  REQUIRE(poll.sample);
  CHECK(poll.reached);
  CHECK(poll.sample->offset == Approx(7.375));
  CHECK(poll.sample->root_delay == 1e-3);
  CHECK(poll.sample->root_dispersion == Approx(3e-9));
  CHECK(poll.sample->stratum == 2);
  CHECK(poll.sample->leap == Leap::insert);
  CHECK(clock.poll().reached == false);
}

TEST_CASE("a reading is taken in corrected time: what our clock is off by is not the reference's offset") {
  Refclock clock{precise()};
  auto context = at(10);
  context.correction = 0.2;  // the kernel's clock is behind by that
  REQUIRE(clock.add(time_reading(5, 0.2), context) == V::taken);
  CHECK(clock.last()->offset == Approx(0).margin(1e-12));
  CHECK(seconds_between(kStart, clock.last()->time) == Approx(5.2));
}

TEST_CASE("readings of the future, of long ago, out of order or without sense are refused") {
  RefclockConfig config = precise();
  config.poll = 2;
  Refclock clock{config};
  CHECK(clock.add(time_reading(1.001, 0), at(1)) == V::wrong_age);
  CHECK(clock.add(time_reading(0, 0), at(8.001)) == V::wrong_age);
  CHECK(clock.add(time_reading(0, 0), at(8)) == V::taken);
  CHECK(clock.add(time_reading(0, 0), at(8)) == V::out_of_order);
  CHECK(clock.add(time_reading(2, 5e9), at(8)) == V::nonsense);
  ClockReading bad = time_reading(2, 0);
  bad.fraction = std::nan("");
  CHECK(clock.add(bad, at(8)) == V::nonsense);
  bad = time_reading(2, 0);
  bad.leap = Leap::unsynchronised;
  CHECK(clock.add(bad, at(8)) == V::not_synchronised);
  CHECK(clock.poll().reached);  // the driver works, whatever it says
}

TEST_CASE("a clock that keeps TAI is corrected, and of no use while TAI - UTC is not known") {
  RefclockConfig config = precise();
  config.tai = true;
  Refclock clock{config};
  CHECK(clock.add(time_reading(1, 37.5), at(2)) == V::no_tai_offset);
  auto context = at(2);
  context.tai_offset = 37;
  REQUIRE(clock.add(time_reading(1, 37.5), context) == V::taken);
  CHECK(clock.last()->offset == Approx(0.5));
}

TEST_CASE("a pulse alone needs a time that is right to half a pulse interval") {
  RefclockConfig config = precise();
  Refclock clock{config};
  CHECK(clock.add(pulse(1.1), at(2)) == V::we_are_lost);
  CHECK(clock.add(pulse(1.1), served(2, 0.5)) == V::we_are_lost);
  CHECK(clock.add(pulse(1.1), served(2, 0.499)) == V::taken);
  CHECK(clock.last()->offset == Approx(-0.1));
  CHECK(clock.pulses());
  CHECK(clock.add(pulse(2.2), served(3, 0.6)) == V::we_are_lost);
  CHECK_FALSE(clock.poll().sample);  // what was collected is void too
}

TEST_CASE("a pulse is taken for the nearest one, up to the half second on either side") {
  Refclock clock{precise()};
  const double cases[][2] = {{1.0, 0},   {2.3, -0.3},          {3.499999, -0.499999},
                             {4.7, 0.3}, {5.500001, 0.499999}, {6.999999999, 1e-9}};
  for (const auto& [time, offset] : cases) {
    REQUIRE(clock.add(pulse(time), served(10, 0.1)) == V::taken);
    CHECK(clock.last()->offset == Approx(offset).margin(1e-9));
  }
}

TEST_CASE("a faster pulse has shorter intervals") {
  RefclockConfig config = precise();
  config.rate = 5;
  Refclock clock{config};
  CHECK(clock.add(pulse(1.43), served(10, 0.1)) == V::we_are_lost);
  CHECK(clock.add(pulse(1.43), served(10, 0.09)) == V::taken);
  CHECK(clock.last()->offset == Approx(-0.03));
  CHECK(clock.add(pulse(1.58), served(10, 0.09)) == V::taken);
  CHECK(clock.last()->offset == Approx(0.02));
}

TEST_CASE("a locked pulse gets its seconds from the partner's last sample") {
  const Refclock nmea = with_sample(9.9, 2.13);
  Refclock pps{precise()};
  REQUIRE(pps.add(pulse(10.9), locked(11, &nmea)) == V::taken);
  CHECK(pps.last()->offset == Approx(2.1));  // 10.9 + 2.1 is a whole second near what the partner says
  const Refclock slow = with_sample(9.9, -2.13);
  REQUIRE(pps.add(pulse(11.1), locked(12, &slow)) == V::taken);
  CHECK(pps.last()->offset == Approx(-2.1));
}

TEST_CASE("a locked pulse needs a partner with a sample young enough") {
  Refclock pps{precise()};
  Refclock silent{precise()};
  CHECK(pps.add(pulse(10), locked(10, nullptr)) == V::no_partner);
  CHECK(pps.add(pulse(10), locked(10, &silent)) == V::no_partner);
  const Refclock nmea = with_sample(8.1, 0);
  CHECK(pps.add(pulse(10.0), locked(10, &nmea)) == V::taken);
  CHECK(pps.add(pulse(10.11), locked(11, &nmea)) == V::old_partner);
  RefclockConfig patient = precise();
  patient.max_lock_age = 3;
  Refclock other{patient};
  CHECK(other.add(pulse(11.05), locked(12, &nmea)) == V::taken);
}

TEST_CASE("a pulse that the partner is too unsure about, or too far from, is refused") {
  Refclock pps{precise()};
  CHECK(pps.add(pulse(10.0), locked(10, nullptr)) == V::no_partner);
  const Refclock vague = with_sample(9.9, 0, 0.41);
  CHECK(pps.add(pulse(10.0), locked(10, &vague)) == V::ambiguous);
  const Refclock sure = with_sample(9.9, 0.39);
  CHECK(pps.add(pulse(10.0), locked(10, &sure)) == V::taken);
  const Refclock halfway = with_sample(9.9, 0.45);
  CHECK(pps.add(pulse(10.5), locked(11, &halfway)) == V::taken);
  CHECK(pps.last()->offset == Approx(0.5));
  CHECK(pps.add(pulse(10.95), locked(11, &halfway)) == V::ambiguous);
}

TEST_CASE("with both edges reported, the one at the end of the pulse is told by the pulse's width") {
  RefclockConfig config = precise();
  config.width = 0.2;
  Refclock clock{config};
  CHECK(clock.add(pulse(1.05), served(10, 0.05)) == V::taken);
  CHECK(clock.add(pulse(1.25), served(10, 0.05)) == V::wrong_edge);
  CHECK(clock.add(pulse(2.05), served(10, 0.15)) == V::wrong_edge);  // cannot be told
  const Refclock nmea = with_sample(9.9, 0);
  CHECK(clock.add(pulse(3.09), locked(10, &nmea)) == V::old_partner);
  CHECK(clock.add(pulse(9.95), locked(10, &nmea)) == V::taken);
  CHECK(clock.add(pulse(10.15), locked(11, &nmea)) == V::wrong_edge);
  config.width = 0.9;  // then the other edge is a tenth of a second before
  Refclock wide{config};
  CHECK(wide.add(pulse(1.04), served(10, 0.01)) == V::taken);
  CHECK(wide.add(pulse(1.94), served(10, 0.01)) == V::wrong_edge);
}

TEST_CASE("with `pps`, whole seconds of a full time are not looked at") {
  RefclockConfig config = precise();
  config.pps = true;
  Refclock clock{config};
  REQUIRE(clock.add(time_reading(1, 37.0625), served(2, 0.1)) == V::taken);
  CHECK(clock.last()->offset == Approx(0.0625));
  ClockReading since_power_up = time_reading(2, 0);
  since_power_up.seconds = -1'799'000'000;
  since_power_up.fraction = 1e-9;
  REQUIRE(clock.add(since_power_up, served(3, 0.1)) == V::taken);
  CHECK(clock.last()->offset == Approx(1e-9).epsilon(1e-6));
}

TEST_CASE("a polled driver is asked every dpoll, and its samples are filtered every poll") {
  RefclockConfig config = precise();
  config.poll = 2;
  config.driver_poll = -1;
  Refclock clock{config};
  CHECK(clock.interval() == 0.5);
  for (int round = 0; round < 3; ++round) {
    for (int i = 1; i <= 8; ++i) CHECK(clock.tick() == (i == 8));
    CHECK_FALSE(clock.poll().reached);
  }
  config.driver_poll = 5;  // never slower than poll
  CHECK(Refclock{config}.interval() == 4);
  config.polled = false;
  Refclock reporting{config};
  CHECK(reporting.interval() == 4);
  CHECK(reporting.tick());
}

TEST_CASE("polls out of all reason are brought back into it") {
  RefclockConfig config = precise();
  config.poll = 32;
  config.driver_poll = -32;
  Refclock clock{config};
  CHECK(clock.interval() >= 1e-4);
  CHECK_FALSE(clock.tick());
  config.rate = 0;
  CHECK(Refclock{config}.config().rate == 1);
}

TEST_CASE("waiting samples and the last one move with the clock") {
  Refclock clock{precise()};
  REQUIRE(clock.add(time_reading(1, 0.5), at(2)) == V::taken);
  clock.shift({advanced(kStart, 2), 0, 0.5});
  CHECK(clock.last()->offset == Approx(0).margin(1e-12));
  CHECK(clock.poll().sample->offset == Approx(0).margin(1e-12));
}

TEST_CASE(
    "a `local` clock is its own reference: it keeps the fraction it began with, and is never selected") {
  RefclockConfig config = precise();
  config.local = true;
  Refclock clock{config};
  for (int i = 1; i <= 10; ++i) {
    const auto verdict = clock.add(time_reading(i, 17.3 + 1e-6 * i), at(i));
    REQUIRE(verdict == V::taken);
    CHECK(clock.last()->offset == Approx(0.3 + 1e-6 * i));
  }
  CHECK(clock.poll().sample->leap == Leap::unsynchronised);
  CHECK(clock.add(time_reading(13.5, 17.3), at(14)) == V::lost_lock);
  CHECK_FALSE(clock.last());
  CHECK(clock.add(time_reading(14, 17.4), at(14)) == V::taken);
}

TEST_CASE("a `local` clock may wander by more than half a second in all") {
  RefclockConfig config = precise();
  config.local = true;
  Refclock clock{config};
  for (int i = 0; i <= 40; ++i) REQUIRE(clock.add(time_reading(i + 1, 0.05 * i), at(i + 1)) == V::taken);
  CHECK(clock.last()->offset == Approx(2.0));
}

TEST_CASE("a locked pulse is found wherever it falls, whatever the partner's error, within the lock limit") {
  std::mt19937_64 random{20'261'123};
  std::uniform_real_distribution<double> any{-1000, 1000};
  std::uniform_real_distribution<double> small{-1, 1};
  for (int i = 0; i < 2000; ++i) {
    RefclockConfig config = precise();
    config.rate = static_cast<unsigned>(1 + i % 10);
    const double interval = 1.0 / config.rate;
    const double truth = any(random);                      // s, true offset of the system's clock
    const double error = small(random) * 0.38 * interval;  // of the partner
    const Refclock partner = with_sample(9.5, truth + error);
    // A pulse is at every multiple of the interval of true time; the system's clock then shows less by
    // `truth`.
    const double at_true = std::ceil((9.7 + truth) / interval) * interval;
    const double shown = at_true - truth;
    Refclock pps{config};
    auto context = locked(shown + 1, &partner);
    config.max_lock_age = 20;
    Refclock patient{config};
    REQUIRE(patient.add(pulse(shown), context) == V::taken);
    CHECK(patient.last()->offset == Approx(truth).margin(5e-9));
  }
}

TEST_CASE("what comes out of a noisy clock with outliers is its time") {
  std::mt19937_64 random{99};
  std::normal_distribution<double> noise{0, 1e-6};
  Refclock clock{precise()};
  double worst = 0;
  int second = 0;
  for (int poll = 0; poll < 50; ++poll) {
    for (int i = 0; i < 16; ++i) {
      ++second;
      const double outlier = second % 8 == 0 ? 0.1 : 0;
      REQUIRE(clock.add(time_reading(second, 0.25 + noise(random) + outlier), at(second)) == V::taken);
    }
    const auto result = clock.poll();
    REQUIRE(result.sample);
    worst = std::max(worst, std::fabs(result.sample->offset - 0.25));
  }
  CHECK(worst < 2e-6);
}
