// SPDX-License-Identifier: BSD-3-Clause
#include "control/drift_file.hpp"

#include "catch.hpp"

using namespace wiretime::control;

TEST_CASE("a drift file as chronyd writes it is read back") {
  const auto drift = parse_drift("           -17.123456             0.012345\n");
  REQUIRE(drift);
  CHECK(drift->frequency_ppm == Approx(-17.123456));
  CHECK(drift->skew_ppm == Approx(0.012345));
  CHECK(format_drift(*drift) == "          -17.123456             0.012345\n");
}

TEST_CASE("what is no drift file is refused") {
  for (const char* text : {"", "12", "fast 1", "1 nan", "1 -1", "9999999 1"}) CHECK_FALSE(parse_drift(text));
}
