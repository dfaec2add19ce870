// SPDX-License-Identifier: BSD-3-Clause
#include "clock/stamp_trust.hpp"

#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;
using Reason = StampTrust::Reason;

namespace {

// A maker of stamps, looked at every second.
struct Maker {
  // Looks for `seconds`, each with so many more stamps; the number of changes.
  int run(int seconds, std::uint64_t good_a_second, std::uint64_t refused_a_second, bool clock = true) {
    int changes = 0;
    for (int i = 0; i < seconds; ++i) {
      now += 1s;
      good += good_a_second;
      refused += refused_a_second;
      changes += trust.look(now, clock, good, refused);
    }
    return changes;
  }
  StampTrust trust;
  Nanoseconds now = 1000s;
  std::uint64_t good = 0, refused = 0;
};

}  // namespace

TEST_CASE("who has a clock is trusted from the first look, who gets one later from then on") {
  Maker m;
  CHECK(m.run(1, 0, 0) == 1);
  CHECK(m.trust.trusted());
  Maker late;
  CHECK(late.run(20, 0, 0, false) == 0);
  CHECK(late.trust.reason() == Reason::none);
  CHECK(late.run(1, 0, 0) == 1);
}

TEST_CASE("trust is lost in the second in which most stamps were refused, and not while most were good") {
  Maker m;
  CHECK(m.run(1, 0, 0) == 1);
  CHECK(m.run(100, 50, 50) == 0);
  CHECK(m.run(1, 49, 51) == 1);
  CHECK_FALSE(m.trust.trusted());
  CHECK(m.trust.reason() == Reason::stamps);
}

TEST_CASE("of a quiet port eight stamps are judged together, however long they take to come") {
  Maker m;
  CHECK(m.run(1, 0, 0) == 1);
  for (int i = 0; i < 7; ++i) CHECK(m.run(1, 0, 1) + m.run(59, 0, 0) == 0);
  CHECK(m.run(1, 0, 1) == 1);
}

TEST_CASE("a clock that cannot be told is waited for a second, then trust is lost, whatever its stamps say") {
  Maker m;
  CHECK(m.run(10, 100, 0) == 1);
  CHECK(m.run(1, 100, 0, false) == 0);
  CHECK(m.run(1, 100, 0, true) == 0);
  CHECK(m.run(1, 100, 0, false) == 0);
  CHECK(m.run(1, 100, 0, false) == 1);
  CHECK(m.trust.reason() == Reason::clock);
}

TEST_CASE("trust comes back after four seconds of doing right, and later with every relapse") {
  Maker m;
  CHECK(m.run(1, 100, 0) == 1);
  for (const int hold : {4, 8, 16, 32, 64, 128, 256, 512, 512}) {
    CHECK(m.run(1, 0, 100) == 1);
    CHECK(m.run(3, 100, 20) == 0);  // not good enough: the wait begins anew
    CHECK(m.run(hold - 1, 100, 1) == 0);
    CHECK(m.run(1, 100, 1) == 1);
    CHECK(m.trust.trusted());
  }
  CHECK(m.run(15 * 60, 100, 0) == 0);
  CHECK(m.run(1, 0, 100) == 1);
  CHECK(m.run(4, 100, 0) == 1);
}

TEST_CASE("who lost it by bad stamps has to show good ones, who lost a clock only to find it") {
  Maker stamps;
  CHECK(stamps.run(1, 0, 0) == 1);
  CHECK(stamps.run(1, 0, 100) == 1);
  CHECK(stamps.run(1000, 0, 0) == 0);
  CHECK(stamps.run(1, 8, 0) == 1);
  Maker clock;
  CHECK(clock.run(1, 0, 0) == 1);
  CHECK(clock.run(2, 0, 0, false) == 1);
  CHECK(clock.run(1000, 0, 0, false) == 0);
  CHECK(clock.run(4, 0, 0) == 1);
}

TEST_CASE("looks closer together than a second are one") {
  StampTrust trust;
  CHECK(trust.look(0s, true, 0, 0));
  CHECK_FALSE(trust.look(100ms, true, 0, 1000));
  CHECK_FALSE(trust.look(900ms, false, 0, 1000));
  CHECK(trust.look(1000ms, true, 0, 1000));
}

TEST_CASE("nothing makes it flap: an hour of any stamps and clocks changes it some thirty times at most") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random{seed};
    Maker m;
    int changes = 0;
    const std::uint64_t mood = 1 + random() % 30;
    bool good = true, clock = true;
    for (int i = 0; i < 3600; ++i) {
      if (random() % mood == 0) good = !good;
      if (random() % (3 * mood) == 0) clock = !clock;
      const std::uint64_t stamps = random() % 40;
      const bool before = m.trust.trusted();
      changes += m.run(1, good ? stamps : 0, good ? 0 : stamps, clock);
      if (!before && m.trust.trusted()) REQUIRE(clock);
    }
    INFO("seed " << seed << ": " << changes);
    CHECK(changes <= 30);
    CHECK(changes >= 2);
  }
}
