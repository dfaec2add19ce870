// SPDX-License-Identifier: BSD-3-Clause
#include "clock/poll_control.hpp"

#include <algorithm>

namespace wiretime::clock {

void PollControl::adapt(const SourceStatistics& statistics) {
  if (!statistics.ready()) return;
  const double target = static_cast<double>(config_.target);
  const double surplus = statistics.memory() - target;
  // A target's worth of polls at twice the target moves the interval one step; falling is twice as fast.
  score_ += surplus > 0 ? std::min(surplus / target, 1.0) / 4 : std::max(surplus / target, -1.0) / 2;
  if (score_ >= 1) {
    poll_ = std::min(poll_ + 1, config_.max_poll);
    score_ = 0;
  } else if (score_ <= -1) {
    poll_ = std::max(poll_ - 1, config_.min_poll);
    score_ = 0;
  }
}

void PollControl::raise_min(int poll) {
  config_.min_poll = std::max(config_.min_poll, poll);
  config_.max_poll = std::max(config_.max_poll, config_.min_poll);
  poll_ = std::max(poll_, config_.min_poll);
}

}  // namespace wiretime::clock
