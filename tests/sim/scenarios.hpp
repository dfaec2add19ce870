// SPDX-License-Identifier: BSD-3-Clause
// The scenarios and their limits, and what runs them: the simulator's table and the meson test.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sim/world.hpp"

namespace wiretime::sim {

// A server, the path to it, and the options of the client's line for it.
struct Upstream {
  std::string options = "iburst minpoll 4 maxpoll 4";
  PathConfig path;
  ServerConfig server;
};

struct Scenario {
  std::string name;  // one word
  std::string what;  // for the table
  double limit = 0;  // s, of the median RMS error over the seeds
  double duration = 2e4;
  double count_from = 2000;  // s: when errors begin to count
  double reference = 0;      // s, chronyd 4.3's figure where known; 0: unknown
  WallTime start = kStart;
  // s after the start of node 0, by which its clock is first corrected; 0: perhaps never.
  double first_limit = 10;
  double leap_at = 1e18;  // s of true time: UTC inserts a second

  // One client, node 0, of some servers; its configuration is `node.directives` and a line for each.
  std::vector<Upstream> sources;
  NodeConfig node;
  // More than that: called at time 0, before anything starts.
  std::function<void(World&)> build;
  std::vector<std::pair<double, std::function<void(World&)>>> events;  // at seconds of true time

  // s, what counts; not given: the error of node 0's kernel clock, or of what it serves with -x.
  std::function<double(World&)> error;
  // While errors count, no node that serves synchronised time is further off than its root distance says.
  bool bounded = true;
  // Called with each error that counts: what is wrong, or an empty string.
  std::function<std::string(World&)> watch;
  // What the end looks like, and is to ('?': any letter); not given: the states of node 0's sources.
  std::function<std::string(World&)> describe;
  std::string expected;  // empty: not checked
};

[[nodiscard]] std::vector<Scenario> all_scenarios();

// s, that the node's replies claim.
[[nodiscard]] double root_distance(const Node& node);

struct RunResult {
  double rms_error = 0;
  double max_error = 0;
  double rms_frequency = 0;      // s/s, of node 0's kernel clock, slews included
  double first_correction = -1;  // s after start, of node 0
  double mean_poll = 0;          // log2 s, of node 0's first source while errors count
  std::string end;
  std::string wrong;           // the first broken promise, Scenario::bounded's or watch's
  std::vector<double> errors;  // one a second, from the start
};

struct RunOptions {
  bool trace = false;
  bool keep_errors = false;
};

[[nodiscard]] RunResult run(const Scenario& scenario, std::uint64_t seed, const RunOptions& options = {});

struct Summary {
  double median = 0;            // s, RMS error
  double worst = 0;             // s, RMS error of the worst seed
  double frequency = 0;         // s/s, median RMS
  double poll = 0;              // log2 s, median
  double first_correction = 0;  // s, latest of the seeds
  std::string end;              // of the last seed
  // The first seed's that is not as expected, with its number; empty: all are.
  std::string complaint;
};

// Seeds 1 to `seeds`.
[[nodiscard]] Summary run_seeds(const Scenario& scenario, unsigned seeds);

// For the files that list scenarios.
namespace detail {
void add_client_scenarios(std::vector<Scenario>& out);
void add_group_scenarios(std::vector<Scenario>& out);
[[nodiscard]] Upstream lan();
[[nodiscard]] Upstream internet();
}  // namespace detail

}  // namespace wiretime::sim
