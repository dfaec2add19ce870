// SPDX-License-Identifier: BSD-3-Clause
// Poll interval adaptation (`polltarget`): longer intervals while the estimate still draws on more samples
// than the target, shorter ones when the oscillator makes old samples useless before the target is met.
// Control thread; pure.
#pragma once

#include "clock/source_statistics.hpp"

namespace wiretime::clock {

// By what fraction of a poll (log2 s) the interval should change after a good sample. For owners that keep
// the interval themselves, as ntp/poll_schedule does; PollControl is the same with an interval of its own.
[[nodiscard]] double poll_change(const SourceStatistics& statistics, unsigned target);

struct PollConfig {
  int min_poll = 6;  // log2 s
  int max_poll = 10;
  unsigned target = 8;  // samples
};

class PollControl {
 public:
  explicit PollControl(const PollConfig& config) : config_{config}, poll_{config.min_poll} {}

  [[nodiscard]] int poll() const { return poll_; }
  // After each good sample.
  void adapt(const SourceStatistics& statistics);
  // A kiss-o'-death RATE, or no answer: `poll` at least.
  void raise_min(int poll);
  void reset() { poll_ = config_.min_poll, score_ = 0; }

 private:
  PollConfig config_;
  int poll_;
  double score_ = 0;
};

}  // namespace wiretime::clock
