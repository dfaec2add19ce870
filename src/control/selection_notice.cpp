// SPDX-License-Identifier: BSD-3-Clause
#include "control/selection_notice.hpp"

#include <fmt/format.h>

#include <utility>

namespace wiretime::control {

namespace {

std::string no_majority(const clock::Selection& s) {
  const char* const kind = s.only_trusted_vote ? "trusted " : "";
  if (s.agreeing < 2) return fmt::format("no majority (no agreement among {} {}sources)", s.voters, kind);
  return fmt::format("no majority (only {} of {} {}sources agree)", s.agreeing, s.voters, kind);
}

std::string reason(const SelectionNotice::Situation& now) {
  switch (now.selection.outcome) {
    case clock::SelectionOutcome::no_majority:
      return no_majority(now.selection);
    case clock::SelectionOutcome::too_few:
      return "not enough selectable sources";
    case clock::SelectionOutcome::none_required:
      return "no required source in selectable sources";
    default:
      break;
  }
  if (now.selection.verdicts.empty()) return "no sources";
  return fmt::format("no selectable sources ({} unreachable sources)", now.unreachable);
}

}  // namespace

std::optional<std::string> SelectionNotice::update(const Situation& now) {
  using Outcome = clock::SelectionOutcome;
  const Outcome outcome = now.selection.outcome;
  if (now.selection.selected >= 0) {
    selected_ = true;
    if (now.switched) due_ = told_no_majority_ = first_ = false;
    return std::nullopt;
  }
  if (outcome != Outcome::no_majority && std::exchange(selected_, false)) due_ = true;
  if (outcome == Outcome::waiting) return std::nullopt;
  if (first_ && now.polled_enough) {
    first_ = false;
    due_ = true;
  }
  const bool no_majority = outcome == Outcome::no_majority;
  selected_ = false;
  if (no_majority ? std::exchange(told_no_majority_, true) : !due_) return std::nullopt;
  due_ = false;
  return "Can't synchronise: " + reason(now);
}

}  // namespace wiretime::control
