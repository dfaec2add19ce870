// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/reference_id.hpp"

#include "catch.hpp"

using namespace wiretime;

TEST_CASE("the reference id of an IPv4 server is its address") {
  CHECK(ntp::reference_id(*IpAddress::parse("192.0.2.1")) == 0xC000'0201U);
}

TEST_CASE("the reference id of an IPv6 server is the beginning of its address's MD5") {
  // printf '\0...\0\1' | md5sum
  CHECK(ntp::reference_id(*IpAddress::parse("::1")) == 0xCF40'4DC8U);
}

TEST_CASE("no address, no reference id") {
  CHECK(ntp::reference_id({}) == 0);
}

TEST_CASE("the reference id of a reference clock is its name, and back") {
  CHECK(ntp::named_reference_id("GPS") == 0x47505300);
  CHECK(ntp::named_reference_id("NMEA") == 0x4E4D4541);
  CHECK(ntp::reference_name(0x47505300) == "GPS");
  CHECK(ntp::reference_name(0x4E4D4541) == "NMEA");
  CHECK(ntp::reference_name(0x7F7F0101).empty());
}
