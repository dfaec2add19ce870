// SPDX-License-Identifier: BSD-3-Clause
#include "clock/transmit_ladder.hpp"

#include <random>

#include "catch.hpp"

using namespace wiretime::clock;

namespace {

constexpr TransmitLadder::Offer kBoth{true, true};
constexpr TransmitLadder::Offer kLaunch{true, false};
constexpr TransmitLadder::Offer kStamps{false, true};

// All is well, ten times a second.
struct Climber {
  explicit Climber(TransmitLadder::Offer offer) : ladder{offer} {
    e.clock_usable = true;
    e.calibrated = offer.stamps;
    e.spread = 50e-9;
  }
  std::optional<TransmitLadder::Change> look(double after = 0.1) {
    e.now += after;
    e.launched += 1000;
    return ladder.judge(e);
  }
  // Looks for `seconds`; how often the rung changed.
  int wait(double seconds) {
    int changes = 0;
    for (const double end = e.now + seconds; e.now < end;)
      if (look()) ++changes;
    return changes;
  }
  TransmitLadder ladder;
  TransmitLadder::Evidence e;
};

}  // namespace

TEST_CASE("a port climbs at start as far as its driver offers, and no further") {
  for (const auto& [offer, best] :
       {std::pair{kBoth, TransmitRung::launch}, std::pair{kLaunch, TransmitRung::launch},
        std::pair{kStamps, TransmitRung::predicted},
        std::pair{TransmitLadder::Offer{}, TransmitRung::plain}}) {
    Climber c{offer};
    c.e.calibrated = true;
    CHECK(c.ladder.rung() == TransmitRung::plain);
    const auto change = c.look();
    CHECK(c.ladder.rung() == best);
    CHECK(change.has_value() == (best != TransmitRung::plain));
    if (change) CHECK(change->why == "offered");
    CHECK(c.wait(10) == 0);
  }
}

TEST_CASE("nothing is launched without a clock, nothing predicted before it is calibrated") {
  Climber c{kBoth};
  c.e.clock_usable = c.e.calibrated = false;
  CHECK_FALSE(c.look());
  c.e.calibrated = true;
  CHECK(c.look()->to == TransmitRung::predicted);
  c.e.clock_usable = true;
  CHECK(c.look()->to == TransmitRung::launch);
  c.e.clock_usable = false;
  const auto change = c.look();
  REQUIRE(change);
  CHECK(change->to == TransmitRung::predicted);
  CHECK(change->why == "clock");
  c.e.clock_usable = true;
  CHECK(c.wait(9) == 0);
  CHECK(c.wait(2) == 1);
  CHECK(c.ladder.rung() == TransmitRung::launch);
}

TEST_CASE("late bursts cost the launch rung when there are too many in a second") {
  Climber c{kLaunch};
  (void)c.look();
  for (int i = 0; i < 100; ++i) {  // one in 20,000
    if (i % 20 == 0) ++c.e.late;
    CHECK_FALSE(c.look());
  }
  c.e.late += 20;
  const auto change = c.look();
  REQUIRE(change);
  CHECK(change->from == TransmitRung::launch);
  CHECK(change->to == TransmitRung::plain);
  CHECK(change->why == "late");
}

TEST_CASE("a NIC that does not keep to the times it was told, its own stamps say, loses the launch rung") {
  Climber c{kBoth};
  (void)c.look();
  c.e.off_schedule = 3;
  CHECK_FALSE(c.look());
  c.e.off_schedule = 4;
  CHECK(c.look()->why == "off-schedule");
  CHECK(c.ladder.rung() == TransmitRung::predicted);
}

TEST_CASE("spread and lost samples cost the predicted rung") {
  Climber spread{kStamps};
  (void)spread.look();
  spread.e.spread = 1.5e-6;  // not good enough to climb, but to stay
  CHECK_FALSE(spread.look());
  spread.e.spread = 2.5e-6;
  CHECK(spread.look()->why == "spread");
  spread.e.spread = 1.5e-6;
  CHECK(spread.wait(100) == 0);
  spread.e.spread = 0.5e-6;
  CHECK(spread.look()->to == TransmitRung::predicted);

  Climber lost{kStamps};
  (void)lost.look();
  lost.e.lost = 7;
  CHECK_FALSE(lost.look());
  lost.e.lost = 8;
  CHECK(lost.look()->why == "lost");
  CHECK(lost.wait(1000) == 0);  // as long as no sample comes
  lost.e.lost = 0;
  CHECK(lost.look()->to == TransmitRung::predicted);
}

TEST_CASE("who falls again and again is given ever longer to think, who has stood long is forgiven") {
  Climber c{kLaunch};
  (void)c.look();
  const auto fall = [&] {
    c.e.late += 100'000;
    REQUIRE(c.look());
    REQUIRE(c.ladder.rung() == TransmitRung::plain);
    const double fell = c.e.now;
    while (c.ladder.rung() == TransmitRung::plain) (void)c.look();
    return c.e.now - fell;
  };
  double expected = 60;
  for (int i = 0; i < 10; ++i) {
    CHECK(fall() == Approx(expected).margin(0.3));
    expected = std::min(expected * 2, 3600.0);
  }
  CHECK(c.wait(601) == 0);
  CHECK(fall() == Approx(60).margin(0.3));
}

TEST_CASE(
    "whatever the evidence, nobody stands on a rung that is not offered, and every change is told once") {
  std::mt19937_64 random{5};
  for (const auto offer : {kBoth, kLaunch, kStamps, TransmitLadder::Offer{}}) {
    TransmitLadder ladder{offer};
    TransmitLadder::Evidence e;
    for (int i = 0; i < 50'000; ++i) {
      e.now += static_cast<double>(random() % 1000) / 100;
      e.clock_usable = random() % 20 != 0;
      e.calibrated = random() % 20 != 0;
      e.spread = random() % 30 == 0 ? 5e-6 : 0;
      e.lost = random() % 30 == 0 ? 10 : 0;
      e.off_schedule = random() % 30 == 0 ? 10 : 0;
      e.launched += random() % 1000;
      e.late += random() % 30 == 0 ? 100U : 0U;
      const TransmitRung before = ladder.rung();
      const auto change = ladder.judge(e);
      REQUIRE(change.has_value() == (ladder.rung() != before));
      if (change) {
        REQUIRE(change->from == before);
        REQUIRE(change->to == ladder.rung());
        REQUIRE_FALSE(change->why.empty());
      }
      if (ladder.rung() == TransmitRung::launch) REQUIRE((offer.launch && e.clock_usable));
      if (ladder.rung() == TransmitRung::predicted) REQUIRE(offer.stamps);
    }
  }
}
