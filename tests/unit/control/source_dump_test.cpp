// SPDX-License-Identifier: BSD-3-Clause
#include "control/source_dump.hpp"

#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

namespace {

// Written by chronyd 4.3.
constexpr std::string_view kOfChronyd =
    "SRC0\n"
    "10.97.0.2\n"
    "0 377 8 2 0\n"
    "2 4\n"
    "1795417697.590781563 7.780760e-05 7.973400e-05 1.608160e-04 4.795612e-07 1.608160e-04 4.795612e-07\n"
    "1795417698.091832858 2.760214e-06 4.635000e-06 1.381200e-05 2.159492e-07 1.381200e-05 2.159492e-07\n";

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

ClockMark mark(const char* boot, Nanoseconds difference) {
  return {boot, difference};
}

}  // namespace

TEST_CASE("a dump file of chronyd's is read, with its signs turned to ours") {
  const auto dump = parse_dump(kOfChronyd);
  REQUIRE(dump);
  CHECK(dump->name == "10.97.0.2");
  CHECK_FALSE(dump->authenticated);
  CHECK(dump->reach == 0377);
  CHECK(dump->polls == 8);
  CHECK(dump->stratum == 2);
  CHECK(dump->leap == clock::Leap::none);
  REQUIRE(dump->entries.size() == 2);
  const SourceDump::Entry& first = dump->entries.front();
  CHECK(first.sample.time == WallTime{1795417697s + 590781563ns});
  CHECK(first.sample.offset == -7.780760e-05);
  CHECK(first.measured_offset == -7.973400e-05);
  CHECK(first.sample.peer_delay == 1.608160e-04);
  CHECK(first.sample.root_dispersion == 4.795612e-07);
  CHECK(first.sample.stratum == 2);
  CHECK_FALSE(dump->mark);
}

TEST_CASE("what is written is read back the same") {
  std::mt19937_64 random{20261123};
  std::uniform_real_distribution<double> exponent{-9, 3};
  const auto real = [&] { return std::pow(10, exponent(random)); };
  for (int round = 0; round < 200; ++round) {
    SourceDump dump;
    dump.name = round % 2 == 0 ? "ntp.example" : ".";
    dump.authenticated = round % 3 == 0;
    dump.reach = static_cast<std::uint8_t>(random());
    dump.polls = static_cast<unsigned>(random() % 9);
    dump.stratum = static_cast<std::uint8_t>(random() % 16);
    dump.leap = static_cast<clock::Leap>(random() % 3);
    WallTime time{1'795'000'000s + Nanoseconds{static_cast<std::int64_t>(random() % 1'000'000'000)}};
    for (std::size_t i = 0; i < 1 + random() % 64; ++i) {
      time += Nanoseconds{1 + static_cast<std::int64_t>(random() % 100'000'000'000)};
      dump.entries.push_back(
          {{time, -real(), real(), real(), real(), real(), dump.stratum, dump.leap}, real()});
    }
    if (round % 4 == 0) dump.mark = mark("0f3c", Nanoseconds{static_cast<std::int64_t>(random() >> 2)});
    const auto read = parse_dump(format_dump(dump));
    REQUIRE(read);
    CHECK(read->name == dump.name);
    CHECK(read->reach == dump.reach);
    REQUIRE(read->entries.size() == dump.entries.size());
    for (std::size_t i = 0; i < dump.entries.size(); ++i) {
      CHECK(read->entries[i].sample.time == dump.entries[i].sample.time);
      CHECK(read->entries[i].sample.offset == Approx(dump.entries[i].sample.offset).epsilon(1e-9));
      CHECK(read->entries[i].measured_offset == Approx(dump.entries[i].measured_offset).epsilon(1e-9));
    }
    REQUIRE(read->mark.has_value() == dump.mark.has_value());
    if (dump.mark) CHECK(read->mark->wall_minus_monotonic == dump.mark->wall_minus_monotonic);
    CHECK(format_dump(*read) == format_dump(dump));
  }
}

TEST_CASE("a dump file with anything wrong in it is refused whole, and the line is named") {
  const std::string good{kOfChronyd};
  const auto why = [](const std::string& text) {
    const auto dump = parse_dump(text);
    return dump ? std::string{"accepted"} : dump.error().message.substr(0, 7);
  };
  CHECK(why("") == "line 1:");
  CHECK(why("SRC1\n" + good.substr(5)) == "line 1:");
  CHECK(why(with(good, "10.97.0.2", "")) == "line 2:");
  CHECK(why(with(good, " 8 2 0", " 8 16 0")) == "line 3:");
  CHECK(why(with(good, " 8 2 0", " 8 2 3")) == "line 3:");
  CHECK(why(with(good, "0 377", "0 399")) == "line 3:");
  CHECK(why(with(good, "2 4\n", "0 4\n")) == "line 4:");
  CHECK(why(with(good, "2 4\n", "65 4\n")) == "line 4:");
  CHECK(why(with(good, "2 4\n", "3 4\n")) == "line 7:");
  CHECK(why(with(good, "2.760214e-06", "nan")) == "line 6:");
  CHECK(why(with(good, "2.760214e-06", "inf")) == "line 6:");
  CHECK(why(with(good, "2.760214e-06", "2.760214e-06x")) == "line 6:");
  CHECK(why(with(good, "1.381200e-05", "-1.381200e-05")) == "line 6:");
  CHECK(why(with(good, "1795417698.09", "1795417697.09")) == "line 6:");   // not later
  CHECK(why(with(good, "1795417698.09", "99999999999.09")) == "line 6:");  // overflows
  CHECK(why(with(good, "1795417698.09", "-5.09")) == "line 6:");
  CHECK(why(good.substr(0, good.size() - 40)) == "line 6:");
}

TEST_CASE("samples are no use when the clock was set since, or is before them") {
  auto dump = parse_dump(kOfChronyd);
  REQUIRE(dump);
  const WallTime later{1795417700s};
  CHECK(still_valid(*dump, later, mark("a", 5s)));
  CHECK_FALSE(still_valid(*dump, WallTime{1795417698s}, mark("a", 5s)));
  dump->mark = mark("a", 5s);
  CHECK(still_valid(*dump, later, mark("a", 5s + 10us)));
  CHECK_FALSE(still_valid(*dump, later, mark("a", 5s + 10ms)));
  CHECK_FALSE(still_valid(*dump, later, mark("a", 5s - 10ms)));
  CHECK(still_valid(*dump, later, mark("b", 900s)));  // another boot: nothing is known
}

TEST_CASE("dump files are named after the address or the refid, and other files are left alone") {
  CHECK(dump_file_name(*IpAddress::parse("192.0.2.1")) == "192.0.2.1.dat");
  CHECK(dump_file_name(*IpAddress::parse("2001:db8::1")) == "2001:db8::1.dat");
  CHECK(dump_file_name(0x50505300) == "refid:50505300.dat");
  for (const char* name : {"192.0.2.1.dat", "2001:db8::1.dat", "refid:50505300.dat"})
    CHECK(is_dump_file_name(name));
  for (const char* name : {"", ".dat", "192.0.2.dat", "192.0.2.1", "a.b.dat", "refid:505053.dat",
                           "refid:5050530g.dat", "192.0.2.1.dat.tmp"})
    CHECK_FALSE(is_dump_file_name(name));
}
