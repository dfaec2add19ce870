// SPDX-License-Identifier: BSD-3-Clause
#include "clock/leap.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/bytes.hpp"

namespace wiretime::clock {

namespace {

using Seconds = std::chrono::seconds;

constexpr int kTaiOffset1972 = 10;  // s, when leap seconds began; TZif counts from there
constexpr std::size_t kMostEntries = 1000;
constexpr std::int64_t kLatest = 7'258'118'400;  // 2200-01-01: WallTime ends in 2262

struct TzifHeader {
  std::uint8_t version = 0;
  std::uint64_t ut_indicators = 0;
  std::uint64_t standard_indicators = 0;
  std::uint64_t leaps = 0;
  std::uint64_t transitions = 0;
  std::uint64_t types = 0;
  std::uint64_t characters = 0;

  static constexpr std::size_t kSize = 44;

  // Bytes before the leap second records, and of the whole block; `time`: bytes of a time value. The counts
  // have 32 bits, so nothing overflows.
  [[nodiscard]] std::uint64_t before_leaps(std::uint64_t time) const {
    return transitions * (time + 1) + types * 6 + characters;
  }
  [[nodiscard]] std::uint64_t size(std::uint64_t time) const {
    return before_leaps(time) + leaps * (time + 4) + standard_indicators + ut_indicators;
  }
};

std::optional<TzifHeader> read_header(std::span<const std::byte> file) {
  if (file.size() < TzifHeader::kSize || std::memcmp(file.data(), "TZif", 4) != 0) return std::nullopt;
  const std::byte* const p = file.data();
  TzifHeader h;
  h.version = load_u8(p + 4);
  h.ut_indicators = load_be32(p + 20);
  h.standard_indicators = load_be32(p + 24);
  h.leaps = load_be32(p + 28);
  h.transitions = load_be32(p + 32);
  h.types = load_be32(p + 36);
  h.characters = load_be32(p + 40);
  return h;
}

WallTime wall(std::int64_t unix_seconds) {
  return WallTime{Seconds{unix_seconds}};
}

std::string_view trim(std::string_view s) {
  constexpr std::string_view kBlank = " \t\r";
  const auto first = s.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(kBlank) - first + 1);
}

// Takes a number off the front of `s`.
std::optional<std::int64_t> take_number(std::string_view& s) {
  s = trim(s);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc{}) return std::nullopt;
  s.remove_prefix(static_cast<std::size_t>(end - s.data()));
  if (!s.empty() && s.front() != ' ' && s.front() != '\t' && s.front() != '\r' && s.front() != '#')
    return std::nullopt;
  return value;
}

// From seconds since 1900; what a list says in the eras to come it says with more digits.
std::optional<WallTime> take_ntp_seconds(std::string_view& s) {
  const auto seconds = take_number(s);
  if (!seconds || *seconds < 0 || *seconds > kLatest + NtpTimestamp::kUnixEpoch) return std::nullopt;
  return wall(*seconds - NtpTimestamp::kUnixEpoch);
}

}  // namespace

bool may_end_with_leap(WallTime day) noexcept {
  const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(day)};
  const auto month_day = date.month() / date.day();
  return month_day == std::chrono::June / 30 || month_day == std::chrono::December / 31;
}

Result<void> LeapTable::append(WallTime from, int tai_offset) {
  if (start_of_day(from) != from) return fail("a leap second that is not at the end of a day");
  if (entries_.size() >= kMostEntries) return fail("too many leap seconds");
  Entry entry{from, tai_offset, Leap::none};
  if (!entries_.empty()) {
    const Entry& last = entries_.back();
    if (from <= last.from) return fail("leap seconds out of order");
    if (tai_offset == last.tai_offset + 1)
      entry.leap = Leap::insert;
    else if (tai_offset == last.tai_offset - 1)
      entry.leap = Leap::remove;
    else
      return fail("TAI-UTC changes by more or less than a second");
  }
  entries_.push_back(entry);
  return {};
}

Result<LeapTable> LeapTable::from_tzif(std::span<const std::byte> file) {
  auto header = read_header(file);
  if (!header) return fail("not a time zone file (TZif)");
  std::uint64_t time = 4;
  std::span<const std::byte> block = file.subspan(TzifHeader::kSize);
  if (header->version != 0) {  // the same again with times of 64 bits
    if (block.size() < header->size(time)) return fail("shorter than it says");
    block = block.subspan(header->size(time));
    header = read_header(block);
    if (!header) return fail("its second part is missing");
    time = 8;
    block = block.subspan(TzifHeader::kSize);
  }
  if (block.size() < header->size(time)) return fail("shorter than it says");
  if (header->leaps == 0) return fail("a zone without leap seconds");
  if (header->leaps > kMostEntries) return fail("too many leap seconds");

  LeapTable table;
  const std::byte* record = block.data() + header->before_leaps(time);
  // Occurrences count the leap seconds before them; take these out again. A truncated table (version 4) may
  // begin with more than one.
  std::int32_t before = 0;
  for (std::uint64_t i = 0; i < header->leaps; ++i, record += time + 4) {
    const auto occurrence = time == 8 ? static_cast<std::int64_t>(load_be64(record))
                                      : std::int64_t{static_cast<std::int32_t>(load_be32(record))};
    const auto correction = static_cast<std::int32_t>(load_be32(record + time));
    if (std::abs(std::int64_t{correction}) > 10'000 || occurrence < 0 || occurrence > kLatest)
      return fail("a leap second beyond reason");
    if (i > 0 && correction == before) {  // version 4: the table's end of validity
      table.expires_ = wall(occurrence - before);
      break;
    }
    const bool truncated = i == 0 && std::abs(correction) != 1;
    if (truncated) before = correction;
    const bool removes = correction < before;
    // A second removed is the day's last one, 23:59:59; one inserted comes when the day is over.
    const std::int64_t midnight = occurrence - before + (removes ? 1 : 0);
    if (i == 0) {
      const WallTime begin = truncated ? start_of_day(wall(occurrence - before)) : wall(0);
      if (auto ok = table.append(begin, kTaiOffset1972 + before); !ok) return fail(ok.error().message);
    }
    if (correction != before)
      if (auto ok = table.append(wall(midnight), kTaiOffset1972 + correction); !ok)
        return fail(ok.error().message);
    before = correction;
  }
  return table;
}

Result<LeapTable> LeapTable::from_list(std::string_view text) {
  LeapTable table;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (line.front() == '#') {
      if (line.size() < 2 || line[1] != '@') continue;
      line.remove_prefix(2);
      table.expires_ = take_ntp_seconds(line);
      if (!table.expires_) return fail("its line #@ does not say when it expires");
      continue;
    }
    const auto from = take_ntp_seconds(line);
    const auto offset = take_number(line);
    if (!from || !offset || *offset < 0 || *offset > 10'000)
      return fail("a line without seconds since 1900 and TAI-UTC");
    if (auto ok = table.append(*from, static_cast<int>(*offset)); !ok) return fail(ok.error().message);
  }
  if (table.entries_.empty()) return fail("no leap second in it");
  return table;
}

Leap LeapTable::leap_at_end_of_day(WallTime t) const {
  const WallTime end = start_of_day(t) + kOneDay;
  for (const Entry& e : entries_)
    if (e.from == end) return e.leap;
  return Leap::none;
}

const LeapTable::Entry* LeapTable::last_before(WallTime t) const {
  const Entry* last = nullptr;
  for (const Entry& e : entries_)
    if (e.from <= t && e.leap != Leap::none) last = &e;
  return last;
}

int LeapTable::tai_offset(WallTime t) const {
  int offset = 0;
  for (const Entry& e : entries_)
    if (e.from <= t) offset = e.tai_offset;
  return offset;
}

bool LeapTable::plausible() const {
  constexpr std::int64_t kJune2012 = 1'341'014'400;      // the 30th
  constexpr std::int64_t kDecember2012 = 1'356'912'000;  // the 31st
  return leap_at_end_of_day(wall(kJune2012)) == Leap::insert && tai_offset(wall(kJune2012)) == 34 &&
         leap_at_end_of_day(wall(kDecember2012)) == Leap::none && tai_offset(wall(kDecember2012)) == 35;
}

}  // namespace wiretime::clock
