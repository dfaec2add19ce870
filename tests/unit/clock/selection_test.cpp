// SPDX-License-Identifier: BSD-3-Clause
#include "clock/selection.hpp"

#include <deque>
#include <random>
#include <string>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{1'800'000'000s};

// Sources that each have eight equal samples, the newest at kNow.
struct Sources {
  std::deque<SourceStatistics> statistics;
  std::vector<Candidate> candidates;

  Candidate& add(double offset, double distance, std::uint8_t stratum = 2, double jitter = 1e-6) {
    return add_samples(offset, distance, stratum, jitter, 8, 0);
  }
  Candidate& add_samples(double offset, double distance, std::uint8_t stratum, double jitter, int count,
                         double age, Leap leap = Leap::none) {
    statistics.emplace_back(StatisticsConfig{});
    for (int i = 0; i < count; ++i) {
      Sample s;
      s.time = advanced(kNow, -age - 64.0 * (count - 1 - i));
      s.offset = offset + (i % 2 == 0 ? jitter : -jitter);
      s.peer_delay = distance;
      s.root_delay = distance;
      s.root_dispersion = distance / 2;
      s.stratum = stratum;
      s.leap = leap;
      statistics.back().add(s);
    }
    Candidate c;
    c.id = static_cast<std::uint32_t>(candidates.size() + 100);
    c.statistics = &statistics.back();
    c.reachable = true;
    c.fresh = true;
    candidates.push_back(c);
    return candidates.back();
  }
  std::string letters(const Selection& s) const {
    std::string out;
    for (const SourceVerdict& v : s.verdicts) out += static_cast<char>(v.state);
    return out;
  }
};

SelectionConfig config() {
  return {};
}

}  // namespace

TEST_CASE("one good source is selected and its estimate is the clock's") {
  Sources s;
  s.add(0.25, 0.01);
  SourceSelector selector{config()};
  const auto r = selector.select(s.candidates, kNow);
  CHECK(r.outcome == SelectionOutcome::selected);
  CHECK(r.selected == 0);
  CHECK(r.switched);
  CHECK(s.letters(r) == "*");
  CHECK(r.estimate.offset == Approx(0.25).margin(1e-5));
  CHECK(r.estimate.root_delay == Approx(0.01));
  CHECK(r.verdicts[0].low == Approx(0.24).margin(1e-3));
  CHECK(r.verdicts[0].high == Approx(0.26).margin(1e-3));
}

TEST_CASE("a liar among three, four or five is a falseticker, two that disagree stop the clock") {
  for (const int honest : {2, 3, 4}) {
    Sources s;
    for (int i = 0; i < honest; ++i) s.add(1e-3 * i, 0.01);
    s.add(1.0, 1e-4);  // and claims to be the nearest
    SourceSelector selector{config()};
    const auto r = selector.select(s.candidates, kNow);
    CHECK(r.outcome == SelectionOutcome::selected);
    CHECK(s.letters(r).back() == 'x');
    CHECK(std::abs(r.estimate.offset) < 5e-3);
  }
  Sources two;
  two.add(0, 0.01);
  two.add(1, 0.01);
  SourceSelector selector{config()};
  const auto r = selector.select(two.candidates, kNow);
  CHECK(r.outcome == SelectionOutcome::no_majority);
  CHECK(two.letters(r) == "xx");
}

TEST_CASE("two liars of five are outvoted, two groups of two are not resolved") {
  Sources five;
  for (int i = 0; i < 3; ++i) five.add(0, 0.01);
  five.add(1, 0.01);
  five.add(-1, 0.01);
  SourceSelector selector{config()};
  const auto r = selector.select(five.candidates, kNow);
  CHECK(r.outcome == SelectionOutcome::selected);
  CHECK(five.letters(r).substr(3) == "xx");
  Sources four;
  for (const double offset : {0.0, 0.001, 1.0, 1.001}) four.add(offset, 0.01);
  SourceSelector other{config()};
  CHECK(other.select(four.candidates, kNow).outcome == SelectionOutcome::no_majority);
}

TEST_CASE("a wide claim that covers both sides does not rescue a liar from the majority") {
  Sources s;
  s.add(0, 0.01);
  s.add(0.001, 0.01);
  s.add(0.5, 1.0);  // wide: agrees with everybody
  s.add(1.0, 0.01);
  SourceSelector selector{config()};
  const auto r = selector.select(s.candidates, kNow);
  CHECK(r.outcome == SelectionOutcome::selected);
  CHECK(s.letters(r)[3] == 'x');
}

TEST_CASE("every reason not to consider a source has its letter") {
  Sources s;
  s.add(0, 0.01);
  s.add(0, 0.01).options.no_select = true;
  s.add_samples(0, 0.01, 2, 1e-6, 8, 0, Leap::unsynchronised);
  s.add_samples(0, 0.01, 2, 1e-6, 2, 0);
  s.add(0, 4.0);
  s.add(0, 0.01, 2, 2.0);
  s.add_samples(0, 0.01, 2, 1e-6, 8, 1e5).reachable = false;
  SourceSelector selector{config()};
  const auto r = selector.select(s.candidates, kNow);
  CHECK(s.letters(r) == "*NsMd~S");
}

TEST_CASE("at the start the selection waits for sources that are about to have enough samples") {
  Sources s;
  s.add(1, 0.01);
  s.add_samples(0, 0.01, 2, 1e-6, 2, 0).starting = true;
  SourceSelector selector{config()};
  auto r = selector.select(s.candidates, kNow);
  CHECK(r.outcome == SelectionOutcome::waiting);
  CHECK(s.letters(r) == "wM");
  s.candidates[1].starting = false;
  r = selector.select(s.candidates, kNow);
  CHECK(s.letters(r) == "*M");
  s.candidates[1].starting = true;  // a source added later does not hold up the clock
  CHECK(selector.select(s.candidates, kNow).outcome == SelectionOutcome::selected);
}

TEST_CASE("minsources and require hold the clock back") {
  Sources s;
  s.add(0, 0.01);
  s.add(0, 0.01);
  SelectionConfig c = config();
  c.min_sources = 3;
  SourceSelector strict{c};
  auto r = strict.select(s.candidates, kNow);
  CHECK(r.outcome == SelectionOutcome::too_few);
  CHECK(s.letters(r) == "WW");
  s.add(1.0, 0.01).options.require = true;
  SourceSelector selector{config()};
  r = selector.select(s.candidates, kNow);
  CHECK(r.outcome == SelectionOutcome::none_required);
  CHECK(s.letters(r) == "WWx");
}

TEST_CASE("trusted sources decide alone, others must agree with them") {
  Sources s;
  s.add(0, 0.01).options.trust = true;
  for (int i = 0; i < 3; ++i) s.add(1, 0.01);
  s.add(0.001, 0.001);
  s.add(0.01, 0.01);
  SourceSelector selector{config()};
  const auto r = selector.select(s.candidates, kNow);
  CHECK(r.outcome == SelectionOutcome::selected);
  const std::string letters = s.letters(r);
  CHECK(letters.substr(1, 3) == "xxx");
  CHECK(letters[5] == 'T');
  CHECK((letters[4] == '*' || letters[4] == '+'));
}

TEST_CASE("a preferred source wins although farther, and is not combined with the others") {
  Sources s;
  s.add(0, 0.001);
  s.add(0, 0.1).options.prefer = true;
  SourceSelector selector{config()};
  CHECK(s.letters(selector.select(s.candidates, kNow)) == "P*");
}

TEST_CASE("the nearest source is selected, stratum counts in milliseconds") {
  Sources near;
  near.add(0, 0.0100);
  near.add(0, 0.0099);
  SourceSelector selector{config()};
  CHECK(selector.select(near.candidates, kNow).selected == 1);
  Sources low;
  low.add(0, 0.0100, 1);
  low.add(0, 0.0099, 3);
  SourceSelector other{config()};
  CHECK(other.select(low.candidates, kNow).selected == 0);
}

TEST_CASE("a slightly better source does not take over, one ten times better in sum does") {
  Sources s;
  s.add(0, 0.010);
  SourceSelector selector{config()};
  CHECK(selector.select(s.candidates, kNow).selected == 0);
  s.add(0, 0.00995);
  for (int i = 0; i < 200; ++i) CHECK(selector.select(s.candidates, kNow).selected == 0);
  s.add(0, 0.004);
  int rounds = 0;
  while (selector.select(s.candidates, kNow).selected == 0 && rounds < 50) ++rounds;
  CHECK(rounds == 2);  // 2.4^3 > 10
  const auto r = selector.select(s.candidates, kNow);
  CHECK(r.selected == 2);
  CHECK_FALSE(r.switched);
}

TEST_CASE("a selected source that stops answering gives way at once to one that answers, however far") {
  Sources s;
  s.add(0, 0.001);
  s.add(0, 0.5);
  SourceSelector selector{config()};
  CHECK(selector.select(s.candidates, kNow).selected == 0);
  s.candidates[0].reachable = s.candidates[0].fresh = false;
  const auto r = selector.select(s.candidates, kNow);
  CHECK(r.selected == 1);
  CHECK(r.switched);
  s.candidates[1].reachable = s.candidates[1].fresh = false;  // nobody answers: keep
  CHECK(selector.select(s.candidates, kNow).selected == 1);
}

TEST_CASE("after a switch to a source without news the clock waits for its next sample") {
  Sources s;
  s.add(0, 0.010);
  SourceSelector selector{config()};
  (void)selector.select(s.candidates, kNow);
  s.add(0, 0.001).fresh = false;
  Selection r;
  for (int i = 0; i < 5 && r.selected != 1; ++i) r = selector.select(s.candidates, kNow);
  CHECK(r.selected == 1);
  CHECK(r.outcome == SelectionOutcome::waiting);
  CHECK(s.letters(r) == "UU");
  s.candidates[1].fresh = true;
  CHECK(selector.select(s.candidates, kNow).outcome == SelectionOutcome::selected);
}

TEST_CASE("sources within combinelimit are averaged, farther ones left out, none with a limit of 0") {
  Sources s;
  s.add(1e-3, 0.010);
  s.add(-1e-3, 0.010);
  s.add(5e-3, 0.1);
  SourceSelector selector{config()};
  const auto r = selector.select(s.candidates, kNow);
  CHECK(s.letters(r).substr(0, 2).find('+') != std::string::npos);
  CHECK(s.letters(r)[2] == 'D');
  CHECK(r.combined == 2);
  CHECK(r.estimate.offset == Approx(0).margin(1e-5));
  SelectionConfig c = config();
  c.combine_limit = 0;
  SourceSelector alone{c};
  CHECK(alone.select(s.candidates, kNow).combined == 1);
}

TEST_CASE("more than half of the believed sources announce a leap second") {
  Sources s;
  s.add_samples(0, 0.01, 2, 1e-6, 8, 0, Leap::insert);
  s.add_samples(0, 0.01, 2, 1e-6, 8, 0, Leap::insert);
  s.add(0, 0.01);
  SourceSelector selector{config()};
  CHECK(selector.select(s.candidates, kNow).leap == Leap::insert);
  s.add(0, 0.01);
  CHECK(selector.select(s.candidates, kNow).leap == Leap::none);
}

TEST_CASE("a server that is gone does not keep orphans from their parent once its samples are old") {
  SelectionConfig c = config();
  c.orphan = true;
  c.orphan_stratum = 10;
  Sources s;
  s.add_samples(0, 0.01, 1, 1e-6, 8, 1000);
  s.candidates[0].reachable = false;
  s.add(0, 0.01, 10);
  s.candidates[1].refid = 5;
  s.candidates[1].local_refid = 7;
  SourceSelector selector{c};
  CHECK(s.letters(selector.select(s.candidates, kNow)) == "S*");
  // While its samples are as new as the orphan's it is better than any orphan.
  s.statistics.clear();
  s.candidates.clear();
  s.add_samples(0, 0.01, 1, 1e-6, 8, 100);
  s.candidates[0].reachable = false;
  s.add(0, 0.01, 10);
  s.candidates[1].refid = 5;
  s.candidates[1].local_refid = 7;
  CHECK(s.letters(selector.select(s.candidates, kNow)) == "*O");
}

TEST_CASE("the root dispersion covers the way from the best sample to what the clock is set to") {
  Sources s;
  s.add(0.1, 0.01);
  std::mt19937_64 random{1};
  std::exponential_distribution<double> queue{1e4};
  s.statistics[0].reset();
  for (int i = 0; i < 40; ++i) {
    Sample sample;
    sample.time = advanced(kNow, -64.0 * (39 - i));
    const double there = i == 0 ? 4e-4 : queue(random);
    const double back = queue(random);
    sample.offset = 0.1 + (there - back) / 2;
    sample.peer_delay = sample.root_delay = 0.01 + there + back;
    sample.root_dispersion = i == 0 ? 0 : 0.01;  // the first has the least root distance
    s.statistics[0].add(sample);
  }
  const auto r = SourceSelector{config()}.select(s.candidates, kNow);
  REQUIRE(r.outcome == SelectionOutcome::selected);
  const double from_best = std::abs(r.estimate.offset - (r.verdicts[0].low + r.verdicts[0].high) / 2);
  CHECK(from_best > 1e-4);
  CHECK(r.estimate.root_dispersion + r.estimate.root_delay / 2 ==
        Approx((r.verdicts[0].high - r.verdicts[0].low) / 2 + from_best));
}

TEST_CASE("orphans follow the one with the least reference id, and the least leads") {
  SelectionConfig c = config();
  c.orphan = true;
  Sources s;
  for (const std::uint32_t refid : {30U, 10U}) {
    Candidate& o = s.add(0, 0.01, 10);
    o.refid = refid;
    o.local_refid = 20;
  }
  SourceSelector selector{c};
  auto r = selector.select(s.candidates, kNow);
  CHECK(s.letters(r) == "O*");
  for (Candidate& o : s.candidates) o.local_refid = 5;
  SourceSelector leader{c};
  r = leader.select(s.candidates, kNow);
  CHECK(r.outcome == SelectionOutcome::no_sources);
  CHECK(s.letters(r) == "OO");
  s.add(0.1, 0.01, 3);  // a real source ends orphanage
  CHECK(s.letters(leader.select(s.candidates, kNow)) == "OO*");
}

TEST_CASE("a source that is removed is forgotten, reselect forgets the scores") {
  Sources s;
  s.add(0, 0.010);
  s.add(0, 0.009);
  SourceSelector selector{config()};
  CHECK(selector.select(s.candidates, kNow).selected == 1);
  std::vector<Candidate> rest{s.candidates[0]};
  const auto r = selector.select(rest, kNow);
  CHECK(r.selected == 0);
  CHECK(r.switched);
  (void)selector.select(s.candidates, kNow);
  selector.reselect();
  CHECK(selector.select(s.candidates, kNow).selected == 1);
}

TEST_CASE("authselectmode sets the options that its manual says") {
  const SourceClass open{{}, true, false};
  const SourceClass key{{}, true, true};
  const SourceClass clock{{}, false, false};
  SourceClass ignored = key;
  ignored.configured.no_select = true;
  const std::vector<SourceClass> all{open, key, clock, ignored};
  const SelectOptions none{};
  SelectOptions off;
  off.no_select = true;
  SelectOptions trusted;
  trusted.trust = trusted.require = true;
  using Options = std::vector<SelectOptions>;
  CHECK(effective_options(all, AuthenticationRule::require) == Options{off, none, none, off});
  CHECK(effective_options(all, AuthenticationRule::prefer) == Options{off, none, none, off});
  CHECK(effective_options(all, AuthenticationRule::mix) == Options{none, trusted, trusted, off});
  CHECK(effective_options(all, AuthenticationRule::ignore) == Options{none, none, none, off});
  // noselect sources do not count
  const std::vector<SourceClass> alone{open, ignored};
  CHECK(effective_options(alone, AuthenticationRule::prefer) == Options{none, off});
  CHECK(effective_options(alone, AuthenticationRule::mix) == Options{none, off});
  CHECK(effective_options(alone, AuthenticationRule::require) == Options{off, off});
}
