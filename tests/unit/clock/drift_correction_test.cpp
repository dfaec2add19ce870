// SPDX-License-Identifier: BSD-3-Clause
// What corrects the frequency beside the sources: long-term averages and the temperature.
#include <cmath>

#include "catch.hpp"
#include "clock/fallback_drift.hpp"
#include "clock/temperature.hpp"

using namespace wiretime::clock;

TEST_CASE("without updates the frequency falls back to ever longer averages") {
  FallbackDrift f{10, 12};  // 1024, 2048, 4096 s
  double last = 0;
  for (int i = 0; i < 200; ++i) {
    // 5 ppm and a swing of 1 ppm with a period of 6400 s
    last = 5e-6 + 1e-6 * std::sin(i * 64 / 6400.0 * 2 * 3.14159265);
    f.update(last, 64);
  }
  CHECK_FALSE(f.due(1023));
  const auto first = f.due(1024);
  REQUIRE(first);
  CHECK(first->power == 10);
  CHECK_FALSE(f.due(2000));
  const auto third = f.due(5000);  // nobody asked in between
  REQUIRE(third);
  CHECK(third->power == 12);
  CHECK(std::fabs(third->frequency - 5e-6) < 0.35e-6);
  CHECK(std::fabs(third->frequency - 5e-6) < std::fabs(first->frequency - 5e-6) + 1e-9);
  CHECK_FALSE(f.due(100'000));
  f.update(last, 64);
  CHECK(f.due(1024));
}

TEST_CASE("an average that has not seen its time is not fallen back to") {
  FallbackDrift f{10, 11};
  CHECK_FALSE(f.due(1e9));
  for (int i = 0; i < 17; ++i) f.update(3e-6, 64);
  const auto first = f.due(1e9);
  REQUIRE(first);
  CHECK(first->power == 10);
  CHECK(first->frequency == Approx(3e-6));
}

TEST_CASE("one update after a long pause does not outweigh its average") {
  FallbackDrift f{10, 10};
  for (int i = 0; i < 100; ++i) f.update(1e-6, 64);
  f.update(2e-6, 64);
  const double expected = 1e-6 + 1e-6 * (1 - std::exp(-64.0 / 1024));
  CHECK(f.due(2000)->frequency == Approx(expected).epsilon(1e-9));
  f.update(3e-6, 0);
  f.update(3e-6, -5);
  CHECK(f.due(2000)->frequency == Approx(expected).epsilon(1e-9));
}

TEST_CASE("fallback drifts are off unless both powers are given in order") {
  for (const auto& [min, max] : {std::pair{0, 0}, {0, 10}, {10, 9}, {-1, 5}}) {
    FallbackDrift f{min, max};
    f.update(1e-6, 1e6);
    f.update(1e-6, 1e6);
    CHECK_FALSE(f.due(1e9));
  }
}

TEST_CASE("a parabola of the temperature says how much faster the clock must run") {
  const auto curve = TemperatureCurve::parabola(26'000, 0.5, 0.000183, 2e-9);
  CHECK(curve.at(26'000) == Approx(0.5));
  CHECK(curve.at(27'000) == Approx(0.5 + 0.183 + 0.002));
  CHECK(curve.at(25'000) == Approx(0.5 - 0.183 + 0.002));
}

TEST_CASE("points are joined by lines that go on beyond the ends") {
  const auto curve = TemperatureCurve::points("20000 1.0\n21000 0.64\n\n# note\n 23000\t0.16 \n");
  REQUIRE(curve);
  CHECK(curve->at(20'500) == Approx(0.82));
  CHECK(curve->at(21'000) == Approx(0.64));
  CHECK(curve->at(22'000) == Approx(0.40));
  CHECK(curve->at(24'000) == Approx(-0.08));
  CHECK(curve->at(19'000) == Approx(1.36));
}

TEST_CASE("points that make no curve are refused with the line") {
  CHECK(TemperatureCurve::points("").error().message == "expected at least two points");
  CHECK(TemperatureCurve::points("1 1\n").error().message == "expected at least two points");
  CHECK(TemperatureCurve::points("1 1\n2 x\n").error().message.find("line 2") == 0);
  CHECK(TemperatureCurve::points("1 1\n1 2\n").error().message.find("line 2") == 0);
  CHECK_FALSE(TemperatureCurve::points("1 1\nnan 2\n"));
  CHECK_FALSE(TemperatureCurve::points("1 1\n2\n"));
}

TEST_CASE("a sensor's file is read as the number it begins with") {
  CHECK(parse_temperature("45000\n") == 45'000.0);
  CHECK(parse_temperature(" -3.5 C") == -3.5);
  CHECK(parse_temperature("+12") == 12.0);
  CHECK_FALSE(parse_temperature(""));
  CHECK_FALSE(parse_temperature("\n"));
  CHECK_FALSE(parse_temperature("hot"));
  CHECK_FALSE(parse_temperature("12C"));
  CHECK_FALSE(parse_temperature("inf"));
}
