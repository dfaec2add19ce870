// SPDX-License-Identifier: BSD-3-Clause
// From what the core counted to what the reports show. Pure; control thread.
#pragma once

#include <string>

#include "perf/report/result.hpp"
#include "perf/wireload/options.hpp"
#include "perf/wireload/tally.hpp"

namespace wiretime::load {

[[nodiscard]] report::Step step_of(const Tally& tally, double offered_rate, double ticks_per_second);

// Adds to the share of replies checked, which is of all steps.
[[nodiscard]] double check_share(const std::vector<report::Step>& steps);

// What the table does not say: bad packets and who answered them, interleaved answers, strange frames. Lines;
// empty when there is nothing to say.
// `dropped`: replies that reached our port and found no room there.
[[nodiscard]] std::string remarks(const Tally& tally, const Options& options, std::uint64_t dropped);

// nullopt: every step sent requests and lost less than that share; otherwise a line that says which did not.
[[nodiscard]] std::optional<std::string> missed_requirement(const std::vector<report::Step>& steps,
                                                            double loss_below);

}  // namespace wiretime::load
