// SPDX-License-Identifier: BSD-3-Clause
#include "clock/refclock_format.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

// As a C program lays it out.
template <typename Word>
struct SockMessage {
  Word seconds = 1'800'000'000;
  Word microseconds = 250'000;
  double offset = 0;
  std::int32_t pulse = 0;
  std::int32_t leap = 0;
  std::int32_t padding = 0;
  std::int32_t magic = 0x534f434b;

  [[nodiscard]] std::vector<std::byte> bytes() const {
    const auto raw = std::as_bytes(std::span{this, 1});
    return {raw.begin(), raw.end()};
  }
};

ShmSegment segment() {
  ShmSegment s;
  s.mode = 1;
  s.clock_seconds = 1'800'000'001;
  s.clock_microseconds = 500'000;
  s.receive_seconds = 1'800'000'000;
  s.receive_microseconds = 250'000;
  s.valid = 1;
  return s;
}

double offset_of(const ClockReading& r) {
  return static_cast<double>(r.seconds) + r.fraction;
}

}  // namespace

TEST_CASE("a SOCK message has the size and the fields that chronyd gives it") {
  SockMessage<std::int64_t> m;
  CHECK(m.bytes().size() == kSockMessageMost);
  m.offset = -2.75;
  m.leap = 2;
  const auto r = parse_sock_message(m.bytes());
  REQUIRE(r);
  CHECK(r->system == WallTime{1'800'000'000s + 250ms});
  CHECK(offset_of(*r) == -2.75);
  CHECK(r->leap == Leap::remove);
  CHECK_FALSE(r->pulse);
}

TEST_CASE("a SOCK message of a program with 32-bit times is understood as well") {
  SockMessage<std::int32_t> m;
  m.offset = 0.125;
  REQUIRE(m.bytes().size() == 32);
  const auto r = parse_sock_message(m.bytes());
  REQUIRE(r);
  CHECK(r->system == WallTime{1'800'000'000s + 250ms});
  CHECK(offset_of(*r) == 0.125);
}

TEST_CASE("the offset of a SOCK pulse is how far the system's clock is past it") {
  SockMessage<std::int64_t> m;
  m.pulse = 1;
  m.offset = 0.25;
  m.leap = 7;  // of no meaning
  const auto r = parse_sock_message(m.bytes());
  REQUIRE(r);
  CHECK(r->pulse);
  CHECK(r->fraction == -0.25);
  CHECK(r->leap == Leap::none);
}

TEST_CASE("SOCK messages of another length, magic number or time are none") {
  SockMessage<std::int64_t> m;
  const auto bytes = m.bytes();
  for (std::size_t n = 0; n <= 40; ++n)
    CHECK(parse_sock_message(std::span{bytes}.first(n)).has_value() == (n == 40));
  auto longer = bytes;
  longer.push_back(std::byte{0});
  CHECK_FALSE(parse_sock_message(longer));
  m.magic = 0x534f434c;
  CHECK_FALSE(parse_sock_message(m.bytes()));
  for (const double offset : {std::nan(""), std::numeric_limits<double>::infinity(), 1e300, -1e10}) {
    m = {};
    m.offset = offset;
    CHECK_FALSE(parse_sock_message(m.bytes()));
  }
  for (const std::int64_t seconds : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::max(),
                                     std::numeric_limits<std::int64_t>::min(), std::int64_t{9'000'000'001}}) {
    m = {};
    m.seconds = seconds;
    CHECK_FALSE(parse_sock_message(m.bytes()));
  }
  m = {};
  m.microseconds = std::numeric_limits<std::int64_t>::max();
  CHECK_FALSE(parse_sock_message(m.bytes()));
}

TEST_CASE("a leap status that is none makes the reading unsynchronised") {
  for (const int leap : {-1, 3, 4, 1 << 30}) {
    SockMessage<std::int64_t> m;
    m.leap = leap;
    CHECK(parse_sock_message(m.bytes())->leap == Leap::unsynchronised);
  }
}

TEST_CASE("no random SOCK message is read beyond its end or gives an impossible reading") {
  std::mt19937_64 random{40};
  int parsed = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::array<std::uint64_t, 5> words{random(), random(), random(), random(), random()};
    words[4] = std::uint64_t{0x534f434b} << 32;
    if (i % 2 == 0) words[0] &= 0x1'ffff'ffff, words[1] &= 0xfffff;
    const auto r = parse_sock_message(std::as_bytes(std::span{words}));
    if (!r) continue;
    ++parsed;
    CHECK(r->system >= WallTime{-1000s});
    CHECK(std::fabs(offset_of(*r)) < 1e10);
  }
  CHECK(parsed > 1000);
}

TEST_CASE("a shared memory segment is laid out as ntpd and gpsd have it") {
  if constexpr (sizeof(std::time_t) == 8 && sizeof(void*) == 8) {
    CHECK(sizeof(ShmSegment) == 96);
    CHECK(offsetof(ShmSegment, clock_seconds) == 8);
    CHECK(offsetof(ShmSegment, receive_seconds) == 24);
    CHECK(offsetof(ShmSegment, leap) == 36);
    CHECK(offsetof(ShmSegment, valid) == 48);
    CHECK(offsetof(ShmSegment, clock_nanoseconds) == 52);
    CHECK(offsetof(ShmSegment, receive_nanoseconds) == 56);
  }
  CHECK(ShmSegment::kKey == 0x4e545030);
}

TEST_CASE("the two times of a shared memory segment give time and offset, to the microsecond") {
  const auto r = decode_shm(segment());
  REQUIRE(r);
  CHECK(r->system == WallTime{1'800'000'000s + 250ms});
  CHECK(offset_of(*r) == 1.25);
  CHECK_FALSE(r->pulse);
}

TEST_CASE("nanoseconds of a shared memory segment count when they go with its microseconds") {
  ShmSegment s = segment();
  s.clock_nanoseconds = 500'000'700;
  s.receive_nanoseconds = 250'000'100;
  CHECK(decode_shm(s)->system == WallTime{1'800'000'000s + 250'000'100ns});
  CHECK(offset_of(*decode_shm(s)) == Approx(1.2500006).epsilon(1e-12));
  s.clock_nanoseconds = 17;  // left over from something else
  CHECK(offset_of(*decode_shm(s)) == 1.25);
}

TEST_CASE(
    "a shared memory segment that is not valid, of an unknown mode or with impossible times is nothing") {
  ShmSegment s = segment();
  s.valid = 0;
  CHECK_FALSE(decode_shm(s));
  s = segment();
  s.mode = 2;
  CHECK_FALSE(decode_shm(s));
  s.mode = 0;
  CHECK(decode_shm(s));
  s.clock_seconds = -5;
  CHECK_FALSE(decode_shm(s));
  s = segment();
  s.receive_microseconds = std::numeric_limits<int>::min();
  CHECK_FALSE(decode_shm(s));
  s = segment();
  s.leap = 3;
  CHECK(decode_shm(s)->leap == Leap::unsynchronised);
}

TEST_CASE("an offset of many seconds keeps its nanoseconds") {
  const auto r = reading_of(WallTime{1'800'000'000s + 1ns}, WallTime{5s});
  CHECK(r.seconds == -1'799'999'995);
  CHECK(r.fraction == Approx(-1e-9).epsilon(1e-9));
}
