// SPDX-License-Identifier: BSD-3-Clause
// One estimate out of those of several sources: offsets weighted by the inverse of their variance, to which a
// share of the root distance counts for the error that no averaging removes (asymmetric paths, a wrong
// server); frequencies by the inverse square of their skew. Control thread; pure. Source: Bevington, Data
// Reduction and Error Analysis, chapter 4 (weighted means).
#pragma once

#include <span>

#include "clock/discipline.hpp"
#include "clock/source_statistics.hpp"

namespace wiretime::clock {

struct CombineInput {
  const SourceStatistics* statistics = nullptr;
  double distance = 0;    // s, root distance
  bool selected = false;  // exactly one is
};

// Everything but root delay and dispersion, which are the selected source's. Requires one input.
[[nodiscard]] ClockEstimate combine_estimates(std::span<const CombineInput> inputs, WallTime now);

}  // namespace wiretime::clock
