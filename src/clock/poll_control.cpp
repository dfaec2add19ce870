// SPDX-License-Identifier: BSD-3-Clause
#include "clock/poll_control.hpp"

#include <algorithm>

namespace wiretime::clock {

double poll_change(const SourceStatistics& statistics, unsigned target) {
  if (!statistics.ready() || target == 0) return 0;
  const double wanted = static_cast<double>(target);
  const double surplus = (statistics.memory() - wanted) / wanted;
  // Four samples at twice the target lengthen the interval by one; shortening is twice as fast.
  return surplus > 0 ? std::min(surplus, 1.0) / 4 : std::max(surplus, -1.0) / 2;
}

void PollControl::adapt(const SourceStatistics& statistics) {
  score_ += poll_change(statistics, config_.target);
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
