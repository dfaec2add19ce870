// SPDX-License-Identifier: BSD-3-Clause
// The simulator's command line: runs scenarios, prints a table; exit 1 if a limit does not hold.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "sim/plot.hpp"
#include "sim/scenarios.hpp"

namespace {

using namespace wiretime::sim;

constexpr const char* kHelp =
    "usage: sim [-n SEEDS] [SCENARIO...]            the table; exit 1 if a limit does not hold\n"
    "       sim --list                              the scenarios\n"
    "       sim [-s SEED] --trace SCENARIO          one run: every log line and every packet\n"
    "       sim [-s SEED] --plot FILE.svg SCENARIO  one run: error over time\n"
    "RMS: of the clock's error each second, after the start; median and worst of the seeds.\n"
    "end: the sources' states as chronyc selectdata shows them, or the nodes' strata.\n";

struct Arguments {
  unsigned seeds = 5;
  unsigned seed = 1;
  bool list = false;
  bool trace = false;
  std::string plot;
  std::vector<std::string_view> names;
};

std::string time_text(double s) {
  if (s <= 0) return "-";
  if (s < 1e-6) return fmt::format("{:.1f} ns", s * 1e9);
  if (s < 1e-3) return fmt::format("{:.2f} us", s * 1e6);
  return fmt::format("{:.2f} ms", s * 1e3);
}

bool print(const Scenario& scenario, const Summary& s) {
  const bool good = s.median <= scenario.limit && s.complaint.empty();
  fmt::print("| {:13} | {:56} | {:>9} | {:>9} | {:>9} | {:>9} | {:4.1f} | {:5.1f} | {:14} | {} |\n",
             scenario.name, scenario.what, time_text(s.median), time_text(s.worst), time_text(scenario.limit),
             time_text(scenario.reference), s.poll, s.first_correction, s.end,
             s.median > scenario.limit ? "TOO LARGE"
             : good                    ? "ok"
                                       : s.complaint);
  std::fflush(stdout);
  return good;
}

bool read_number(std::string_view text, unsigned& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number > 0;
}

bool read_arguments(int argc, char** argv, Arguments& a) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const std::string_view next = i + 1 < argc ? argv[i + 1] : "";
    if (arg == "-n" || arg == "-s") {
      if (!read_number(next, arg == "-n" ? a.seeds : a.seed)) return false;
      ++i;
    } else if (arg == "--plot") {
      if (next.empty()) return false;
      a.plot = next;
      ++i;
    } else if (arg == "--list") {
      a.list = true;
    } else if (arg == "--trace") {
      a.trace = true;
    } else if (arg.substr(0, 1) == "-") {
      return false;
    } else {
      a.names.push_back(arg);
    }
  }
  return !(a.trace || !a.plot.empty()) || a.names.size() == 1;
}

// Drops those that were not asked for; false if one asked for is not there.
bool choose(std::vector<Scenario>& scenarios, const std::vector<std::string_view>& names) {
  for (const std::string_view name : names) {
    const bool known =
        std::any_of(scenarios.begin(), scenarios.end(), [name](const Scenario& s) { return s.name == name; });
    if (known) continue;
    fmt::print(stderr, "sim: no scenario '{}'; sim --list shows them\n", name);
    return false;
  }
  if (!names.empty())
    std::erase_if(scenarios, [&](const Scenario& s) {
      return std::find(names.begin(), names.end(), s.name) == names.end();
    });
  return true;
}

int one_run(const Scenario& scenario, const Arguments& a) {
  const RunResult r = run(scenario, a.seed, {a.trace, !a.plot.empty()});
  fmt::print("{}, seed {}: RMS error {}, largest {}, frequency {:.4f} ppm, ends with {} {}\n", scenario.name,
             a.seed, time_text(r.rms_error), time_text(r.max_error), r.rms_frequency * 1e6, r.end, r.wrong);
  if (a.plot.empty() || write_plot(a.plot, scenario, r)) return 0;
  fmt::print(stderr, "sim: cannot write {}\n", a.plot);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (argc > 1 && (std::string_view{argv[1]} == "--help" || std::string_view{argv[1]} == "-h")) {
    fmt::print("{}", kHelp);
    return 0;
  }
  if (!read_arguments(argc, argv, arguments)) {
    fmt::print(stderr, "{}", kHelp);
    return 2;
  }
  std::vector<Scenario> scenarios = all_scenarios();
  if (!choose(scenarios, arguments.names)) return 2;
  if (arguments.list) {
    for (const Scenario& s : scenarios) fmt::print("{:13} {}\n", s.name, s.what);
    return 0;
  }
  if (arguments.trace || !arguments.plot.empty()) return one_run(scenarios.front(), arguments);
  fmt::print("| {:13} | {:56} | {:>9} | {:>9} | {:>9} | {:>9} | {:4} | {:5} | {:14} |    |\n", "scenario",
             "what", "RMS error", "worst run", "limit", "chronyd43", "poll", "first", "end");
  fmt::print("|---|---|---|---|---|---|---|---|---|---|\n");
  bool good = true;
  for (const Scenario& scenario : scenarios)
    good = print(scenario, run_seeds(scenario, arguments.seeds)) && good;
  return good ? 0 : 1;
}
