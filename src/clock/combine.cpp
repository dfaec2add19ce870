// SPDX-License-Identifier: BSD-3-Clause
#include "clock/combine.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

namespace {
// Of the root distance, which is a bound: an ordinary path is asymmetric by a tenth of its delay.
constexpr double kSystematicShare = 0.1;
constexpr double kLeastSkew = 1e-13;
}  // namespace

ClockEstimate combine_estimates(std::span<const CombineInput> inputs, WallTime now) {
  ClockEstimate out;
  out.time = now;
  double weights = 0;
  double offset_variance = 0;
  double frequency_weights = 0;
  double frequency_skew = 0;
  for (const CombineInput& in : inputs) {
    const SourceEstimate& e = in.statistics->estimate();
    const double sd = in.statistics->offset_sd_at(now);
    const double systematic = kSystematicShare * in.distance;
    const double w = 1 / (sd * sd + systematic * systematic + 1e-20);
    weights += w;
    out.offset += w * in.statistics->offset_at(now);
    out.correction += w * e.correction;
    offset_variance += w * w * sd * sd;
    const double skew = std::max(e.skew, kLeastSkew);
    const double fw = 1 / (skew * skew);
    frequency_weights += fw;
    out.frequency += fw * e.frequency;
    // All sources see the same oscillator wander: their frequency errors do not average out.
    frequency_skew += fw * skew;
    if (in.selected) out.source_frequency = e.frequency;
  }
  out.offset /= weights;
  out.correction /= weights;
  out.offset_sd = std::sqrt(offset_variance) / weights;
  out.frequency /= frequency_weights;
  out.skew = frequency_skew / frequency_weights;
  return out;
}

}  // namespace wiretime::clock
