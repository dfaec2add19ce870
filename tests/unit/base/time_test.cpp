// SPDX-License-Identifier: BSD-3-Clause
#include "base/time.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace std::chrono_literals;

TEST_CASE("a Unix time converts to the NTP timestamp of RFC 5905 figure 4") {
  CHECK(NtpTimestamp::from(WallTime{0s}).value == 0x83AA7E80'00000000U);
  CHECK(NtpTimestamp::from(WallTime{500ms}).value == 0x83AA7E80'80000000U);
  CHECK(NtpTimestamp::from(WallTime{-500ms}).value == 0x83AA7E7F'80000000U);
}

TEST_CASE("subtraction is right across the era boundary of 2036") {
  const WallTime last{std::chrono::seconds{4'294'967'295 - NtpTimestamp::kUnixEpoch}};
  const auto before = NtpTimestamp::from(last);
  const auto after = NtpTimestamp::from(last + 3s);
  CHECK(before.seconds() == 0xFFFF'FFFFU);
  CHECK(after.seconds() == 2);
  CHECK((after - before).nanoseconds() == 3s);
  CHECK((before - after).nanoseconds() == -3s);
  CHECK(before + NtpDuration::from(3s) == after);
}

TEST_CASE("the nearest wall time is found in the pivot's era") {
  const WallTime in_2040{std::chrono::seconds{2'208'988'800}};
  const auto stamp = NtpTimestamp::from(in_2040 + 123456789ns);
  CHECK(std::chrono::abs(stamp.near(in_2040 - 400 * 86400s) - in_2040 - 123456789ns) <= 1ns);
}

TEST_CASE("durations convert both ways within a nanosecond") {
  for (std::int64_t ns :
       {0L, 1L, -1L, 999'999'999L, -1'000'000'001L, 86'400'000'000'000L, -86'400'000'000'000L})
    CHECK(std::abs(NtpDuration::from(Nanoseconds{ns}).nanoseconds().count() - ns) <= 1);
}

TEST_CASE("NTP short format rounds error bounds up and saturates") {
  CHECK(NtpShort::from(0ns).value == 0);
  CHECK(NtpShort::from(-5s).value == 0);
  CHECK(NtpShort::from(1ns).value == 1);
  CHECK(NtpShort::from(1s).value == 0x10000U);
  CHECK(NtpShort::from(70000s).value == 0xFFFF'FFFFU);
}
