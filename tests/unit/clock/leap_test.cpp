// SPDX-License-Identifier: BSD-3-Clause
#include "clock/leap.hpp"

#include <fmt/format.h>

#include <string>

#include "base/bytes.hpp"
#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

WallTime utc(int year, unsigned month, unsigned day, Nanoseconds of_day = 0ns) {
  return WallTime{std::chrono::sys_days{std::chrono::year{year} / std::chrono::month{month} /
                                        std::chrono::day{day}}} +
         of_day;
}

struct Record {
  std::int64_t occurrence;
  std::int32_t correction;
};

class TzifWriter {
 public:
  // A zone with one type and, to have something to step over, `transitions` of them.
  std::vector<std::byte> file(char version, const std::vector<Record>& records,
                              std::uint32_t transitions = 3) {
    out_.clear();
    block(version, records, transitions, 4);
    if (version != 0) block(version, records, transitions, 8);
    return out_;
  }

 private:
  void block(char version, const std::vector<Record>& records, std::uint32_t transitions, unsigned time) {
    for (const char c : {'T', 'Z', 'i', 'f', version}) put(static_cast<std::uint64_t>(c), 1);
    put(0, 8);
    put(0, 7);
    for (const std::uint32_t n : {1U, 1U, static_cast<std::uint32_t>(records.size()), transitions, 1U, 4U})
      put(n, 4);
    for (std::uint32_t i = 0; i < transitions; ++i) put(i, time);
    for (std::uint32_t i = 0; i < transitions; ++i) put(0, 1);
    put(0, 6);
    put(0x5554'4300, 4);
    for (const Record& r : records) {
      put(static_cast<std::uint64_t>(r.occurrence), time);
      put(static_cast<std::uint32_t>(r.correction), 4);
    }
    put(0, 2);
  }
  void put(std::uint64_t value, unsigned size) {
    for (unsigned i = size; i-- > 0;) out_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xFF));
  }
  std::vector<std::byte> out_;
};

std::int64_t unix_seconds(WallTime t) {
  return std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count();
}

// The first two and the one of 2012 with the numbers they really have.
const std::vector<Record> kRecords{{78'796'800, 1}, {94'694'401, 2}};

const char* const kList =
    "#\tcomment\n"
    "#$\t3676924800\n"
    "#@\t3707596800\n"
    "2272060800\t10\t# 1 Jan 1972\n"
    "2287785600 11 # 1 Jul 1972\n"
    "2303683200      12\r\n"
    "\n"
    "#h	dacf2c42 2c4765d6 3c797af8 2cf630eb 699c8c67";

}  // namespace

TEST_CASE("leap seconds and TAI-UTC are read from a time zone file of any version") {
  TzifWriter writer;
  for (const char version : {'\0', '2', '3', '4'}) {
    const auto table = LeapTable::from_tzif(writer.file(version, kRecords));
    REQUIRE(table);
    CHECK(table->entries().size() == 3);
    CHECK(table->leap_at_end_of_day(utc(1972, 6, 30, 13h)) == Leap::insert);
    CHECK(table->leap_at_end_of_day(utc(1972, 6, 30)) == Leap::insert);
    CHECK(table->leap_at_end_of_day(utc(1972, 7, 1)) == Leap::none);
    CHECK(table->leap_at_end_of_day(utc(1972, 12, 31, 86399s)) == Leap::insert);
    CHECK(table->tai_offset(utc(1972, 6, 30, 86399s)) == 10);
    CHECK(table->tai_offset(utc(1972, 7, 1)) == 11);
    CHECK(table->tai_offset(utc(1973, 1, 1)) == 12);
    CHECK_FALSE(table->expires());
    CHECK_FALSE(table->plausible());
  }
}

TEST_CASE("a second removed is the last one of its day") {
  TzifWriter writer;
  const std::int64_t removed = unix_seconds(utc(1974, 6, 30)) + 86'399 + 2;  // 23:59:59, two counted before
  auto records = kRecords;
  records.push_back({removed, 1});
  const auto table = LeapTable::from_tzif(writer.file('2', records));
  REQUIRE(table);
  CHECK(table->leap_at_end_of_day(utc(1974, 6, 30)) == Leap::remove);
  CHECK(table->tai_offset(utc(1974, 6, 30, 86399s)) == 12);
  CHECK(table->tai_offset(utc(1974, 7, 1)) == 11);
  REQUIRE(table->last_before(utc(1975, 1, 1)) != nullptr);
  CHECK(table->last_before(utc(1975, 1, 1))->leap == Leap::remove);
  CHECK(table->last_before(utc(1974, 6, 30))->from == utc(1973, 1, 1));
  CHECK(table->last_before(utc(1972, 6, 30)) == nullptr);
}

TEST_CASE("a truncated table begins with what was counted before, and ends with how long it is valid") {
  TzifWriter writer;
  const std::int64_t first = unix_seconds(utc(2016, 1, 1)) + 26;
  const std::int64_t leap = unix_seconds(utc(2017, 1, 1)) + 26;
  const std::int64_t end = unix_seconds(utc(2026, 6, 28)) + 27;
  const auto table = LeapTable::from_tzif(writer.file('4', {{first, 26}, {leap, 27}, {end, 27}}));
  REQUIRE(table);
  CHECK(table->leap_at_end_of_day(utc(2016, 12, 31)) == Leap::insert);
  CHECK(table->tai_offset(utc(2016, 6, 1)) == 36);
  CHECK(table->tai_offset(utc(2020, 1, 1)) == 37);
  CHECK(table->expires() == utc(2026, 6, 28));
}

TEST_CASE("a list of leap seconds says the same, and when it expires") {
  const auto table = LeapTable::from_list(kList);
  REQUIRE(table);
  CHECK(table->leap_at_end_of_day(utc(1972, 6, 30)) == Leap::insert);
  CHECK(table->leap_at_end_of_day(utc(1972, 12, 31)) == Leap::insert);
  CHECK(table->leap_at_end_of_day(utc(1971, 12, 31)) == Leap::none);
  CHECK(table->tai_offset(utc(1971, 12, 31)) == 0);
  CHECK(table->tai_offset(utc(1972, 1, 1)) == 10);
  CHECK(table->tai_offset(utc(2030, 1, 1)) == 12);
  CHECK(table->expires() == utc(2017, 6, 28));
}

TEST_CASE("a list does not need an expiry or a hash, and goes on after the NTP era ends in 2036") {
  const std::int64_t ntp = unix_seconds(utc(2040, 7, 1)) + NtpTimestamp::kUnixEpoch;
  const auto table = LeapTable::from_list(fmt::format("2272060800 10\n{} 11\n", ntp));
  REQUIRE(table);
  CHECK_FALSE(table->expires());
  CHECK(table->leap_at_end_of_day(utc(2040, 6, 30)) == Leap::insert);
}

TEST_CASE("what is not a leap second list is refused with a reason") {
  for (const char* const bad :
       {"", "# nothing\n", "2272060800\n", "2272060800 10x\n", "x 10\n", "2272060801 10\n", "-86400 10\n",
        "2272060800 10\n2287785600 12\n", "2287785600 11\n2272060800 10\n", "2272060800 10\n2287785600 10\n",
        "#@ soon\n2272060800 10\n", "99999999999999 10\n", "99999999999999999999999 10\n"}) {
    CAPTURE(bad);
    const auto table = LeapTable::from_list(bad);
    REQUIRE_FALSE(table);
    CHECK_FALSE(table.error().message.empty());
  }
}

TEST_CASE("a time zone file cut short anywhere is refused, not read beyond its end") {
  TzifWriter writer;
  for (const char version : {'\0', '2'}) {
    const auto whole = writer.file(version, kRecords);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK_FALSE(LeapTable::from_tzif(part));
    }
  }
}

TEST_CASE("counts that do not fit the file and zones without leap seconds are refused") {
  TzifWriter writer;
  CHECK_FALSE(LeapTable::from_tzif(writer.file('2', {})));
  CHECK_FALSE(LeapTable::from_tzif(writer.file('2', {{78'796'800, 1}, {78'796'801, 2}})));  // no day between
  CHECK_FALSE(LeapTable::from_tzif(writer.file('2', {{78'796'800, 1}, {94'694'401, 4}})));
  CHECK_FALSE(LeapTable::from_tzif(writer.file('2', {{INT64_MIN, 1}})));
  CHECK_FALSE(LeapTable::from_tzif(writer.file('2', {{INT64_MAX, 1}})));
  CHECK_FALSE(LeapTable::from_tzif(writer.file('2', {{78'796'800, INT32_MIN}})));
  auto file = writer.file('2', kRecords);
  for (std::size_t field = 20; field < 44; field += 4) {
    auto bad = file;
    store_be32(bad.data() + field, 0xFFFF'FFFFU);
    CHECK_FALSE(LeapTable::from_tzif(bad));
  }
}

TEST_CASE("a table that knows 2012 is believed") {
  const auto ntp = [](int year, unsigned month) {
    return unix_seconds(utc(year, month, 1)) + NtpTimestamp::kUnixEpoch;
  };
  const std::string until2009 = fmt::format("{} 34\n", ntp(2009, 1));
  const auto right = LeapTable::from_list(fmt::format("{}{} 35\n", until2009, ntp(2012, 7)));
  REQUIRE(right);
  CHECK(right->plausible());
  const auto wrong = LeapTable::from_list(fmt::format("{}{} 35\n", until2009, ntp(2013, 1)));
  REQUIRE(wrong);
  CHECK_FALSE(wrong->plausible());
}

TEST_CASE("leap seconds are expected on the last days of June and December only") {
  CHECK(may_end_with_leap(utc(2026, 6, 30)));
  CHECK(may_end_with_leap(utc(2026, 12, 31, 86399s + 999'999'999ns)));
  CHECK_FALSE(may_end_with_leap(utc(2027, 1, 1)));
  CHECK_FALSE(may_end_with_leap(utc(2026, 6, 29, 86399s)));
  CHECK_FALSE(may_end_with_leap(utc(2026, 3, 31)));
  CHECK_FALSE(may_end_with_leap(utc(2026, 12, 30)));
}
