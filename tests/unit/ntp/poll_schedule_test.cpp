// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/poll_schedule.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::ntp;

namespace {

SourceOptions polls(int min, int max) {
  SourceOptions options;
  options.min_poll = min;
  options.max_poll = max;
  return options;
}

}  // namespace

TEST_CASE("the poll starts at minpoll and stays within both limits") {
  PollSchedule schedule{polls(4, 7)};
  CHECK(schedule.poll() == 4);
  schedule.adjust(-5.0);
  CHECK(schedule.poll() == 4);
  schedule.adjust(100.0);
  CHECK(schedule.poll() == 7);
  schedule.adjust(1.0);
  CHECK(schedule.poll() == 7);
  schedule.reset();
  CHECK(schedule.poll() == 4);
}

TEST_CASE("fractions of a poll add up before the interval changes") {
  PollSchedule schedule{polls(4, 10)};
  for (int i = 0; i < 3; ++i) schedule.adjust(0.25);
  CHECK(schedule.poll() == 4);
  schedule.adjust(0.25);
  CHECK(schedule.poll() == 5);
  schedule.adjust(2.5);
  CHECK(schedule.poll() == 7);
  schedule.adjust(-0.75);
  CHECK(schedule.poll() == 6);
}

TEST_CASE("a poll change that is no number changes nothing") {
  PollSchedule schedule{polls(4, 10)};
  schedule.adjust(std::nan(""));
  schedule.adjust(std::numeric_limits<double>::infinity());
  CHECK(schedule.poll() == 4);
}

TEST_CASE("impossible limits are brought into chrony's range") {
  CHECK(PollSchedule{polls(-32, 32)}.min_poll() == -7);
  CHECK(PollSchedule{polls(-32, 32)}.max_poll() == 24);
  CHECK(PollSchedule{polls(9, 3)}.max_poll() == 9);
}

TEST_CASE("minpoll and maxpoll commands push each other") {
  PollSchedule schedule{polls(6, 8)};
  schedule.set_min_poll(9);
  CHECK(schedule.max_poll() == 9);
  CHECK(schedule.poll() == 9);
  schedule.set_max_poll(3);
  CHECK(schedule.min_poll() == 3);
  CHECK(schedule.poll() == 3);
}

TEST_CASE("sub-second polls wait until the source is reachable and near") {
  PollSchedule schedule{polls(-7, 4)};
  CHECK(schedule.effective_poll(false) == 0);
  CHECK(schedule.effective_poll(true) == 0);
  schedule.note_delay(0.02);
  CHECK(schedule.effective_poll(true) == 0);
  schedule.note_delay(0.005);
  CHECK(schedule.effective_poll(true) == -7);
  CHECK(schedule.effective_poll(false) == 0);
  for (int i = 0; i < 8; ++i) schedule.note_delay(0.02);  // the near one is out of sight
  CHECK(schedule.effective_poll(true) == 0);
}

TEST_CASE("a RATE kiss lengthens the poll each time, but not beyond 1024 s") {
  PollSchedule schedule{polls(3, 5)};
  schedule.slow_down(-3);
  CHECK(schedule.poll() == 4);
  schedule.slow_down(8);
  CHECK(schedule.poll() == 8);
  CHECK(schedule.min_poll() == 8);
  CHECK(schedule.max_poll() == 8);
  schedule.slow_down(17);
  CHECK(schedule.poll() == 10);
  schedule.slow_down(127);
  CHECK(schedule.poll() == 10);
  PollSchedule slow{polls(12, 14)};
  slow.slow_down(6);
  CHECK(slow.min_poll() == 12);
}

TEST_CASE("intervals are lengthened by at most two per cent") {
  CHECK(randomised(64.0, 0) == std::chrono::seconds{64});
  const double longest = std::chrono::duration<double>(randomised(64.0, ~std::uint64_t{0})).count();
  CHECK(longest > 64.0 * 1.0199);
  CHECK(longest <= 64.0 * 1.02);
}

TEST_CASE("the reach register holds the last eight polls") {
  ReachRegister reach;
  for (int i = 0; i < 8; ++i) reach.record(true);
  CHECK(reach.bits() == 0377);
  reach.record(false);
  CHECK(reach.bits() == 0376);
  CHECK(reach.missed() == 1);
  reach.record(true);
  CHECK(reach.bits() == 0375);
  CHECK(reach.missed() == 0);
}

TEST_CASE("every eighth missed poll in a row asks for help") {
  ReachRegister reach;
  CHECK_FALSE(reach.needs_help());
  for (int i = 1; i <= 24; ++i) {
    reach.record(false);
    CHECK(reach.needs_help() == (i % 8 == 0));
  }
  reach.record(true);
  CHECK_FALSE(reach.needs_help());
}

TEST_CASE("the burst option keeps the average interval at minpoll or longer") {
  PollSchedule schedule{polls(6, 10)};
  CHECK(schedule.poll_burst_total() == 1);
  schedule.adjust(1.0);
  CHECK(schedule.poll_burst_total() == 2);
  schedule.adjust(1.0);
  CHECK(schedule.poll_burst_total() == 4);
  schedule.adjust(2.0);
  CHECK(schedule.poll_burst_total() == 4);
}

TEST_CASE("eight sources fit into one poll, but none is kept waiting for more than 0.2 s") {
  CHECK(separation(-7) == 0.002);
  CHECK(separation(-2) == Approx(0.25 / 8));
  CHECK(separation(0) == 0.125);
  CHECK(separation(1) == 0.2);
  CHECK(separation(24) == 0.2);
}

TEST_CASE("a moment that is free stays, one beside a taken one goes to the first gap") {
  const auto ms = [](int n) { return Nanoseconds{std::chrono::milliseconds{n}}; };
  const std::array<Nanoseconds, 4> taken{ms(100), ms(300), ms(550), ms(1000)};
  CHECK(first_free({}, ms(5), ms(200)) == ms(5));
  CHECK(first_free(taken, ms(-100), ms(200)) == ms(-100));
  CHECK(first_free(taken, ms(0), ms(200)) == ms(750));
  CHECK(first_free(taken, ms(0), ms(100)) == ms(0));
  CHECK(first_free(taken, ms(150), ms(100)) == ms(200));
  CHECK(first_free(taken, ms(350), ms(125)) == ms(425));
  CHECK(first_free(taken, ms(999), ms(200)) == ms(1200));
  CHECK(first_free(taken, ms(2000), ms(200)) == ms(2000));
}

TEST_CASE("the gap found is the first, by trying every moment") {
  std::mt19937_64 random{20261123};
  for (int round = 0; round < 300; ++round) {
    std::vector<Nanoseconds> taken(random() % 12);
    for (auto& at : taken) at = Nanoseconds{static_cast<std::int64_t>(random() % 200)};
    std::sort(taken.begin(), taken.end());
    const Nanoseconds wanted{static_cast<std::int64_t>(random() % 200)};
    const Nanoseconds apart{static_cast<std::int64_t>(1 + random() % 30)};
    const auto is_free = [&](Nanoseconds t) {
      return std::none_of(taken.begin(), taken.end(),
                          [&](Nanoseconds at) { return std::chrono::abs(at - t) < apart; });
    };
    Nanoseconds expected = wanted;
    while (!is_free(expected)) ++expected;
    INFO("round " << round);
    CHECK(first_free(taken, wanted, apart) == expected);
  }
}
