// SPDX-License-Identifier: BSD-3-Clause
#include "control/selection_notice.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::control;
using Outcome = clock::SelectionOutcome;

namespace {

struct Story {
  std::optional<std::string> lost(Outcome outcome, std::size_t unreachable = 0, bool polled_enough = false) {
    clock::Selection s = base;
    s.outcome = outcome;
    s.verdicts.resize(sources);
    return notice.update({s, false, unreachable, polled_enough});
  }
  void select(bool switched = true) {
    clock::Selection s;
    s.outcome = Outcome::selected;
    s.selected = 0;
    s.verdicts.resize(sources);
    CHECK_FALSE(notice.update({s, switched}));
  }
  SelectionNotice notice;
  clock::Selection base;
  std::size_t sources = 3;
};

}  // namespace

TEST_CASE("losing the selected source is told once, with chronyd's words") {
  struct Case {
    Outcome outcome;
    const char* text;
  };
  for (const Case& c :
       {Case{Outcome::no_sources, "Can't synchronise: no selectable sources (2 unreachable sources)"},
        Case{Outcome::too_few, "Can't synchronise: not enough selectable sources"},
        Case{Outcome::none_required, "Can't synchronise: no required source in selectable sources"}}) {
    Story s;
    s.select();
    CHECK(s.lost(c.outcome, 2) == c.text);
    CHECK_FALSE(s.lost(c.outcome, 2));
    s.select();
    CHECK(s.lost(c.outcome, 2) == c.text);
  }
}

TEST_CASE("no majority says how many agree, and is told once until a source is selected") {
  Story s;
  s.base.voters = 2;
  s.base.agreeing = 1;
  CHECK(s.lost(Outcome::no_majority) == "Can't synchronise: no majority (no agreement among 2 sources)");
  CHECK_FALSE(s.lost(Outcome::no_majority));
  CHECK_FALSE(s.lost(Outcome::no_sources));
  CHECK_FALSE(s.lost(Outcome::no_majority));
  s.select();
  s.base.voters = 5;
  s.base.agreeing = 2;
  s.base.only_trusted_vote = true;
  CHECK(s.lost(Outcome::no_majority) == "Can't synchronise: no majority (only 2 of 5 trusted sources agree)");
}

TEST_CASE("a start is quiet until some source had its eight polls") {
  Story s;
  CHECK_FALSE(s.lost(Outcome::no_sources, 3));
  CHECK_FALSE(s.lost(Outcome::waiting, 3));
  CHECK(s.lost(Outcome::no_sources, 3, true) ==
        "Can't synchronise: no selectable sources (3 unreachable sources)");
  CHECK_FALSE(s.lost(Outcome::no_sources, 3, true));
}

TEST_CASE("a short wait for the next source is no loss, a lasting one is") {
  Story s;
  s.select();
  CHECK_FALSE(s.lost(Outcome::waiting));
  s.select();
  CHECK_FALSE(s.lost(Outcome::waiting));
  CHECK(s.lost(Outcome::no_sources));
}

TEST_CASE("removing the last source is told") {
  Story s;
  s.select();
  s.sources = 0;
  CHECK(s.lost(Outcome::no_sources) == "Can't synchronise: no sources");
}
