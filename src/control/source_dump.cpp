// SPDX-License-Identifier: BSD-3-Clause
#include "control/source_dump.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view kIdentifier = "SRC0";
constexpr std::string_view kMark = "wiretime";
constexpr std::string_view kSuffix = ".dat";
constexpr std::string_view kRefclockPrefix = "refid:";
constexpr unsigned kMostSamples = 64;
constexpr double kMostOffset = 1e9;      // s
constexpr double kMostDelay = 1e6;       // s, delays and dispersions
constexpr std::int64_t kMostTime = 9e9;  // s since 1970 that Nanoseconds can hold
constexpr std::size_t kNanoDigits = 9;
constexpr Nanoseconds kUnnoticedStep = 1ms;

template <typename T>
std::optional<T> number(std::string_view word, int base) {
  T value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::optional<double> real(std::string_view word, double least, double most) {
  double value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || !(value >= least && value <= most))
    return std::nullopt;
  return value;
}

// "1795417697.590781563"
std::optional<WallTime> time_of(std::string_view word) {
  const std::size_t point = word.find('.');
  if (point == std::string_view::npos || word.size() - point - 1 != kNanoDigits) return std::nullopt;
  const auto seconds = number<std::int64_t>(word.substr(0, point), 10);
  const auto rest = number<std::uint32_t>(word.substr(point + 1), 10);
  if (!seconds || !rest || *seconds < 0 || *seconds > kMostTime) return std::nullopt;
  return WallTime{std::chrono::seconds{*seconds} + Nanoseconds{*rest}};
}

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_{text} {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] unsigned number() const { return number_; }
  std::vector<std::string_view> words() {
    ++number_;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    std::vector<std::string_view> words;
    for (;;) {
      line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
      if (line.empty()) return words;
      const std::size_t length = std::min(line.find_first_of(" \t\r"), line.size());
      words.push_back(line.substr(0, length));
      line.remove_prefix(length);
    }
  }

 private:
  std::string_view rest_;
  unsigned number_ = 0;
};

bool read_state(const std::vector<std::string_view>& words, SourceDump& dump) {
  if (words.size() != 5) return false;
  const auto authenticated = number<unsigned>(words[0], 10);
  const auto reach = number<unsigned>(words[1], 8);
  const auto polls = number<unsigned>(words[2], 10);
  const auto stratum = number<unsigned>(words[3], 10);
  const auto leap = number<unsigned>(words[4], 10);
  if (!authenticated || !reach || !polls || !stratum || !leap) return false;
  if (*authenticated > 1 || *stratum > 15 || *leap > 2) return false;
  dump.authenticated = *authenticated == 1;
  dump.reach = static_cast<std::uint8_t>(*reach & 0xFF);
  dump.polls = std::min(*polls, 8U);
  dump.stratum = static_cast<std::uint8_t>(*stratum);
  dump.leap = static_cast<clock::Leap>(*leap);
  return true;
}

bool read_sample(const std::vector<std::string_view>& words, SourceDump& dump) {
  if (words.size() != 7) return false;
  const auto time = time_of(words[0]);
  const auto offset = real(words[1], -kMostOffset, kMostOffset);
  const auto measured = real(words[2], -kMostOffset, kMostOffset);
  const auto peer_delay = real(words[3], 0, kMostDelay);
  const auto peer_dispersion = real(words[4], 0, kMostDelay);
  const auto root_delay = real(words[5], 0, kMostDelay);
  const auto root_dispersion = real(words[6], 0, kMostDelay);
  if (!time || !offset || !measured || !peer_delay || !peer_dispersion || !root_delay || !root_dispersion)
    return false;
  if (!dump.entries.empty() && *time <= dump.entries.back().sample.time) return false;
  // In the file a positive offset is a clock that is fast.
  dump.entries.push_back({{*time, -*offset, *peer_delay, *peer_dispersion, *root_delay, *root_dispersion,
                           dump.stratum, dump.leap},
                          -*measured});
  return true;
}

void read_mark(const std::vector<std::string_view>& words, SourceDump& dump) {
  if (words.size() != 3 || words[0] != kMark) return;
  if (const auto difference = number<std::int64_t>(words[2], 10))
    dump.mark = ClockMark{std::string{words[1]}, Nanoseconds{*difference}};
}

tl::unexpected<Error> bad_line(const Lines& lines, std::string_view expected) {
  return fail(fmt::format("line {}: expected {}", lines.number(), expected));
}

}  // namespace

std::string format_dump(const SourceDump& dump) {
  std::string text = fmt::format("{}\n{}\n{} {:o} {} {} {}\n{} 0\n", kIdentifier, dump.name,
                                 dump.authenticated ? 1 : 0, dump.reach, dump.polls, dump.stratum,
                                 static_cast<unsigned>(dump.leap), dump.entries.size());
  for (const SourceDump::Entry& e : dump.entries) {
    const clock::Sample& s = e.sample;
    const auto since = s.time.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    text += fmt::format("{}.{:09} {:.9e} {:.9e} {:.9e} {:.9e} {:.9e} {:.9e}\n", seconds.count(),
                        (since - seconds).count(), -s.offset, -e.measured_offset, s.peer_delay,
                        s.peer_dispersion, s.root_delay, s.root_dispersion);
  }
  if (dump.mark)
    text += fmt::format("{} {} {}\n", kMark, dump.mark->boot, dump.mark->wall_minus_monotonic.count());
  return text;
}

Result<SourceDump> parse_dump(std::string_view text) {
  Lines lines{text};
  SourceDump dump;
  if (lines.words() != std::vector{kIdentifier}) return bad_line(lines, "SRC0");
  const auto name = lines.words();
  if (name.size() != 1) return bad_line(lines, "the source's name");
  dump.name = name.front();
  if (!read_state(lines.words(), dump))
    return bad_line(lines, "authentication, reach, polls, stratum and leap of a synchronised source");
  const auto counts = lines.words();
  const auto count = counts.size() == 2 ? number<unsigned>(counts[0], 10) : std::nullopt;
  if (!count || *count < 1 || *count > kMostSamples || !number<int>(counts[1], 10))
    return bad_line(lines, "1 to 64 samples, and the asymmetry's run");
  dump.entries.reserve(*count);
  while (dump.entries.size() < *count)
    if (!read_sample(lines.words(), dump))
      return bad_line(lines, "time, two offsets, two delays and dispersions, later than the line before");
  while (!lines.at_end()) read_mark(lines.words(), dump);
  return dump;
}

Result<void> still_valid(const SourceDump& dump, WallTime now, const ClockMark& mark) {
  if (dump.entries.back().sample.time > now) return fail("its last sample is in the future");
  if (dump.mark && dump.mark->boot == mark.boot &&
      std::chrono::abs(dump.mark->wall_minus_monotonic - mark.wall_minus_monotonic) > kUnnoticedStep)
    return fail("the clock was set since");
  return {};
}

std::string dump_file_name(const IpAddress& address) {
  return address.to_string().append(kSuffix);
}

std::string dump_file_name(std::uint32_t reference_clock) {
  return fmt::format("{}{:08x}{}", kRefclockPrefix, reference_clock, kSuffix);
}

bool is_dump_file_name(std::string_view name) {
  if (name.size() <= kSuffix.size() || name.substr(name.size() - kSuffix.size()) != kSuffix) return false;
  name.remove_suffix(kSuffix.size());
  if (name.substr(0, kRefclockPrefix.size()) != kRefclockPrefix)
    return IpAddress::parse(std::string{name}).has_value();
  name.remove_prefix(kRefclockPrefix.size());
  return name.size() == 8 && number<std::uint32_t>(name, 16).has_value();
}

}  // namespace wiretime::control
