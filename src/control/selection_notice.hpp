// SPDX-License-Identifier: BSD-3-Clause
// What the log says when no source can be selected, with the words and at the moments of chronyd 4.8: once
// for each loss, and once after a start that leads to nothing within the first eight polls. Control thread;
// pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "clock/selection.hpp"

namespace wiretime::control {

class SelectionNotice {
 public:
  struct Situation {
    const clock::Selection& selection;
    bool switched = false;        // a source was selected that was not before
    std::size_t unreachable = 0;  // sources that may be selected and do not answer
    bool polled_enough = false;   // some source had its eight polls
  };
  // A warning, when there is news.
  [[nodiscard]] std::optional<std::string> update(const Situation& now);

 private:
  bool selected_ = false;
  bool due_ = false;               // a loss that the log does not know
  bool told_no_majority_ = false;  // since the last selection
  bool first_ = true;              // nothing was selected or told yet
};

}  // namespace wiretime::control
