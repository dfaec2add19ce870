// SPDX-License-Identifier: BSD-3-Clause
// sim [-n SEEDS] [SCENARIO...]: runs scenarios and prints a table; exit 1 if a limit does not hold.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenarios.hpp"

namespace {

using wiretime::sim::Scenario;
using wiretime::sim::Summary;

std::string time_text(double s) {
  if (s <= 0) return "-";
  if (s < 1e-6) return fmt::format("{:.1f} ns", s * 1e9);
  if (s < 1e-3) return fmt::format("{:.2f} us", s * 1e6);
  return fmt::format("{:.2f} ms", s * 1e3);
}

bool print(const Scenario& scenario, const Summary& s) {
  const bool good = s.median <= scenario.limit && s.unexpected == 0;
  fmt::print("| {:13} | {:56} | {:>9} | {:>9} | {:>9} | {:>9} | {:>9} | {:4.1f} | {:5.1f} | {:5} | {} |\n",
             scenario.name, scenario.what, time_text(s.median), time_text(s.worst), time_text(scenario.limit),
             time_text(scenario.reference), fmt::format("{:.4f}", s.frequency * 1e6), s.poll,
             s.first_correction, s.states,
             good               ? "ok"
             : s.unexpected > 0 ? "STATES"
                                : "TOO LARGE");
  std::fflush(stdout);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  unsigned seeds = 5;
  std::vector<std::string_view> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg != "-n") {
      wanted.push_back(arg);
      continue;
    }
    const std::string_view count = ++i < argc ? argv[i] : "";
    if (std::from_chars(count.data(), count.data() + count.size(), seeds).ec != std::errc{} || seeds == 0) {
      fmt::print(stderr, "usage: sim [-n SEEDS] [SCENARIO...]\n");
      return 2;
    }
  }
  fmt::print(
      "| scenario      | what                                                     | RMS error | worst run |"
      "     limit | chronyd43 |  freq ppm | poll | first | state |    |\n");
  fmt::print("|---|---|---|---|---|---|---|---|---|---|---|\n");
  bool good = true;
  std::size_t ran = 0;
  for (const Scenario& scenario : wiretime::sim::all_scenarios()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), scenario.name) == wanted.end()) continue;
    ++ran;
    good = print(scenario, wiretime::sim::run_seeds(scenario, seeds)) && good;
  }
  if (ran == 0) {
    fmt::print(stderr, "no scenario of that name; run sim without arguments to see them all\n");
    return 2;
  }
  return good ? 0 : 1;
}
