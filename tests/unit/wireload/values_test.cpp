// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/values.hpp"

#include "catch.hpp"

namespace wiretime::load {

using namespace std::chrono_literals;

TEST_CASE("quantities take k, M and G") {
  CHECK(parse_quantity("10k") == 10e3);
  CHECK(parse_quantity("1.5M") == 1.5e6);
  CHECK(parse_quantity("2G") == 2e9);
  CHECK(parse_quantity("0.5") == 0.5);
  for (const auto* bad : {"", "k", "0", "-1", "1x", "1kk", "1 k", "nan", "inf", "0x10", "1e3"})
    CHECK_FALSE(parse_quantity(bad));
}

TEST_CASE("counts are whole") {
  CHECK(parse_count("1M") == 1'000'000);
  CHECK(parse_count("1.5k") == 1500);
  CHECK_FALSE(parse_count("1.5"));
  CHECK_FALSE(parse_count("1.0001k"));
  CHECK_FALSE(parse_count("9999999G"));
}

TEST_CASE("times take a unit, seconds without one") {
  CHECK(parse_time("2s") == 2s);
  CHECK(parse_time("1.5") == 1500ms);
  CHECK(parse_time("200ms") == 200ms);
  CHECK(parse_time("20us") == 20us);
  CHECK(parse_time("3ns") == 3ns);
  CHECK(parse_time("2min") == 2min);
  CHECK(parse_time("1h") == 1h);
  for (const auto* bad : {"", "s", "0s", "0.1ns", "-1s", "1 s", "1d", "99999999999h"})
    CHECK_FALSE(parse_time(bad));
}

TEST_CASE("shares are percent, fractions or numbers up to one") {
  CHECK(parse_share("0.1%") == Approx(0.001));
  CHECK(parse_share("1/8") == 0.125);
  CHECK(parse_share("0.25") == 0.25);
  CHECK(parse_share("0%") == 0.0);
  CHECK(parse_share("1") == 1.0);
  for (const auto* bad : {"", "%", "101%", "2", "3/2", "1/0", "/8", "1/", "-1%", "1/8%"})
    CHECK_FALSE(parse_share(bad));
}

}  // namespace wiretime::load
