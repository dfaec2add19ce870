// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/results.hpp"

#include "catch.hpp"

namespace wiretime::load {

namespace {

void set(Tally& tally, Finding f, std::uint64_t checked, std::uint64_t glanced = 0) {
  tally.checked[static_cast<std::size_t>(f)] = checked;
  tally.glanced[static_cast<std::size_t>(f)] = glanced;
}

}  // namespace

TEST_CASE("each request of a step is answered, wrong, a kiss or lost") {
  Tally t;
  t.sent = 1000;
  t.not_sent = 7;
  t.sending_ticks = 5'000'000;
  set(t, Finding::valid, 500, 400);
  set(t, Finding::kiss, 10, 5);
  set(t, Finding::origin, 20);
  set(t, Finding::duplicate, 30);
  set(t, Finding::unexpected, 2, 1);
  set(t, Finding::late, 9);
  set(t, Finding::other, 99);
  t.provoked[static_cast<std::size_t>(BadPacket::mode6_)] = 2;
  const report::Step s = step_of(t, 5e5, 2.5e9);
  CHECK(s.offered_rate == 5e5);
  CHECK(s.seconds == Approx(0.002));
  CHECK(s.not_sent == 7);
  CHECK(s.answered == 900);
  CHECK(s.kiss == 15);
  CHECK(s.invalid == 53);
  CHECK(s.lost == 65);  // 1000 without 900 answers, 15 kisses and 20 wrong ones; duplicates are nobody's
  CHECK(s.checked == 562);
  CHECK(s.invalid_reasons ==
        std::vector<report::Reason>{
            {"origin", 20}, {"duplicate", 30}, {"answered_mode6", 2}, {"unexpected", 1}});
}

TEST_CASE("more replies than requests are no negative loss") {
  Tally t;
  t.sent = 10;
  set(t, Finding::valid, 0, 12);
  CHECK(step_of(t, 0, 1e9).lost == 0);
}

TEST_CASE("the share that was checked is of all replies") {
  Tally t;
  t.sent = 100;
  set(t, Finding::valid, 25, 75);
  CHECK(check_share({step_of(t, 0, 1e9)}) == Approx(0.25));
  CHECK(check_share({}) == 1);
}

TEST_CASE("a missed requirement names the worst step") {
  report::Step good;
  good.seconds = 1;
  good.sent = 1000;
  report::Step bad = good;
  bad.sent = 2000;
  bad.lost = 20;
  CHECK_FALSE(missed_requirement({good}, 0.001));
  CHECK_FALSE(missed_requirement({good, bad}, 0.011));
  const auto missed = missed_requirement({good, bad}, 0.001);
  REQUIRE(missed);
  CHECK(missed->find("1.00 % of the requests lost at 2.00k a second, less than 0.1") == 0);
}

TEST_CASE("a test that sent nothing meets no requirement") {
  report::Step step;
  CHECK(missed_requirement({}, 0.5));
  CHECK(missed_requirement({step}, 0.5));
  step.sent = 1;
  CHECK_FALSE(missed_requirement({step}, 0.5));
}

TEST_CASE("remarks tell of bad packets, interleaved answers, late replies and our own drops") {
  Tally t;
  Options o;
  CHECK(remarks(t, o, 0).empty());
  o.mix = *Mix::parse("short=1%,mode6=1%");
  o.interleaved = true;
  t.bad_sent[static_cast<std::size_t>(BadPacket::short_)] = 5;
  t.bad_sent[static_cast<std::size_t>(BadPacket::mode6_)] = 6;
  t.provoked[static_cast<std::size_t>(BadPacket::mode6_)] = 2;
  t.interleaved = 3;
  set(t, Finding::valid, 4);
  set(t, Finding::late, 1);
  CHECK(remarks(t, o, 3) ==
        "bad packets: 11 sent, 2 answered: short 0 of 5, mode6 2 of 6\n"
        "interleaved answers: 3 of 4\n"
        "replies that came after their step was closed, counted as lost: 1\n"
        "frames dropped by our own port, which was too slow, their requests counted as lost: 3\n");
}

}  // namespace wiretime::load
