// SPDX-License-Identifier: BSD-3-Clause
#include "clock/phc_map.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kStart{1'800'000'000s};

double offset_of(const ClockReading& r) {
  return static_cast<double>(r.seconds) + r.fraction;
}

CrossStamp stamp(Nanoseconds at, Nanoseconds offset, Nanoseconds there, Nanoseconds back) {
  return {kStart + at, kStart + at + there + offset, kStart + at + there + back};
}

}  // namespace

TEST_CASE("the quickest readings of a device's clock count, and half their duration is their error") {
  const CrossStamp stamps[] = {stamp(0ns, 37s, 9000ns, 1000ns), stamp(20us, 37s, 500ns, 500ns),
                               stamp(40us, 37s, 100ns, 8000ns), stamp(60us, 37s, 510ns, 490ns)};
  const auto r = best_reading(stamps);
  REQUIRE(r);
  CHECK(offset_of(*r) == Approx(37.000000005).epsilon(1e-12));  // mean of 0 and 10 ns
  CHECK(r->error == Approx(500e-9));
  CHECK(r->system == kStart + 20us + 500ns);
}

TEST_CASE("half nanoseconds of a reading are kept") {
  const CrossStamp stamps[] = {stamp(0ns, 0ns, 1ns, 2ns)};
  CHECK(offset_of(*best_reading(stamps)) == Approx(-0.5e-9).epsilon(1e-6));
}

TEST_CASE("readings during which the system's clock went back are not looked at") {
  const CrossStamp stamps[] = {stamp(0ns, 5s, 100ns, -200ns), stamp(1us, 7s, 100ns, 100ns)};
  CHECK(offset_of(*best_reading(stamps)) == Approx(7));
  CHECK_FALSE(best_reading(std::span{stamps}.first(1)));
  CHECK_FALSE(best_reading({}));
}

TEST_CASE("what a device's clock stamped is told in system time, whatever offset and rate it has") {
  std::mt19937_64 random{3};
  std::normal_distribution<double> noise{0, 20e-9};
  for (const double rate : {0.0, 50e-6, -120e-6}) {
    for (const double offset : {0.0, 37.0, -1.7e9}) {
      PhcMap map;
      const auto device_at = [&](double t) {  // s since kStart by the system's clock
        return advanced(kStart + std::chrono::seconds{std::llround(offset)}, t + rate * t);
      };
      for (int i = 0; i < 12; ++i) {
        ClockReading r = reading_of(advanced(kStart, i), device_at(i));
        r.fraction += noise(random);
        r.error = 100e-9;
        map.add(r);
        CHECK(map.system_time(device_at(i)).has_value() == (i >= 2));
      }
      const auto moment = map.system_time(device_at(11.6));
      REQUIRE(moment);
      CHECK(std::fabs(seconds_between(advanced(kStart, 11.6), moment->system)) < 60e-9);
      CHECK(moment->error > 100e-9);
      CHECK(moment->error < 300e-9);
    }
  }
}

TEST_CASE("after a step of either clock, the map begins anew") {
  PhcMap map;
  const auto reading = [](int i, Nanoseconds offset) {
    return reading_of(kStart + std::chrono::seconds{i}, kStart + std::chrono::seconds{i} + offset);
  };
  for (int i = 0; i < 8; ++i) map.add(reading(i, 37s));
  map.add(reading(8, 36s));
  CHECK_FALSE(map.system_time(kStart + 44s));
  map.add(reading(9, 36s));
  map.add(reading(10, 36s));
  REQUIRE(map.system_time(kStart + 46s));
  CHECK(std::chrono::abs(map.system_time(kStart + 46s)->system - (kStart + 10s)) < 10ns);
  map.add(reading(5, 36s));  // the device went back
  CHECK_FALSE(map.system_time(kStart + 46s));
}
