// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/scenarios.hpp"

namespace wiretime::sim {

namespace {

std::string beyond_root_distance(World& world) {
  for (std::size_t i = 0; i < world.nodes(); ++i) {
    const Node& node = world.node(i);
    if (!node.running() || node.served().as != clock::ServedAs::synchronised) continue;
    if (std::fabs(node.served_error()) > root_distance(node))
      return fmt::format("node {} is {:.3g} s off, its root distance {:.3g} s", i, node.served_error(),
                         root_distance(node));
  }
  return {};
}

// What is added up, once a second.
class Observer {
 public:
  Observer(const Scenario& scenario, const RunOptions& options) : scenario_{scenario}, options_{options} {}

  void look(World& world) {
    Node& node = world.node(0);
    if (!node.running() && !scenario_.error) return;
    const double error = error_of(world);
    if (options_.keep_errors) result_.errors.push_back(error);
    if (world.now() < scenario_.count_from) return;
    ++count_;
    squares_ += error * error;
    result_.max_error = std::max(result_.max_error, std::fabs(error));
    frequencies_ += node.oscillator().rate() * node.oscillator().rate();
    if (node.running())
      if (const auto source = node.manager().source(0)) polls_ += source->poll;
    if (!result_.wrong.empty()) return;
    std::string wrong = scenario_.bounded ? beyond_root_distance(world) : "";
    if (wrong.empty() && scenario_.watch) wrong = scenario_.watch(world);
    if (!wrong.empty()) result_.wrong = fmt::format("at {:.0f} s {}", world.now(), wrong);
  }

  [[nodiscard]] RunResult finish(World& world) {
    const double n = std::max(count_, 1.0);
    result_.rms_error = std::sqrt(squares_ / n);
    result_.rms_frequency = std::sqrt(frequencies_ / n);
    result_.mean_poll = polls_ / n;
    result_.first_correction = world.node(0).first_correction();
    result_.end = scenario_.describe ? scenario_.describe(world) : world.node(0).states();
    return std::move(result_);
  }

 private:
  [[nodiscard]] double error_of(World& world) const {
    if (scenario_.error) return scenario_.error(world);
    const double leap = world.now() >= scenario_.leap_at ? 1 : 0;
    return leap + (scenario_.node.free_running ? world.node(0).served_error() : world.node(0).error());
  }

  const Scenario& scenario_;
  RunOptions options_;
  RunResult result_;
  double count_ = 0, squares_ = 0, frequencies_ = 0, polls_ = 0;
};

void add_client(World& world, const Scenario& scenario) {
  NodeConfig config = scenario.node;
  for (std::size_t i = 0; i < scenario.sources.size(); ++i) {
    config.directives +=
        fmt::format("\nserver {} {}", server_address(i).to_string(), scenario.sources[i].options);
    world.add(scenario.sources[i].server);
    world.link(node_address(0), server_address(i), scenario.sources[i].path);
  }
  world.add(config);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

bool matches(const std::string& end, const std::string& expected) {
  if (expected.empty()) return true;
  return end.size() == expected.size() &&
         std::equal(end.begin(), end.end(), expected.begin(),
                    [](char have, char want) { return want == '?' || have == want; });
}

std::string complaint(const Scenario& scenario, const RunResult& r) {
  if (!r.wrong.empty()) return r.wrong;
  if (!matches(r.end, scenario.expected))
    return fmt::format("ends with {}, expected {}", r.end, scenario.expected);
  if (scenario.first_limit > 0 && r.first_correction < 0) return "the clock was never corrected";
  if (scenario.first_limit > 0 && r.first_correction > scenario.first_limit)
    return fmt::format("first correction after {:.1f} s", r.first_correction);
  return {};
}

}  // namespace

double root_distance(const Node& node) {
  const clock::Reference& r = node.served().reference;
  return r.root_dispersion.seconds() + r.root_delay.seconds() / 2;
}

RunResult run(const Scenario& scenario, std::uint64_t seed, const RunOptions& options) {
  World world{seed, scenario.start, options.trace};
  if (!scenario.sources.empty()) add_client(world, scenario);
  if (scenario.build) scenario.build(world);
  for (const auto& [when, what] : scenario.events) world.at(when, what);
  for (std::size_t i = 0; i < world.nodes(); ++i) world.node(i).start();
  Observer observer{scenario, options};
  for (double t = 1; t <= scenario.duration; t += 1) {
    world.run(t);
    observer.look(world);
  }
  return observer.finish(world);
}

Summary run_seeds(const Scenario& scenario, unsigned seeds) {
  Summary summary;
  std::vector<double> errors;
  std::vector<double> frequencies;
  std::vector<double> polls;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    const RunResult r = run(scenario, seed);
    errors.push_back(r.rms_error);
    frequencies.push_back(r.rms_frequency);
    polls.push_back(r.mean_poll);
    summary.worst = std::max(summary.worst, r.rms_error);
    summary.first_correction = std::max(summary.first_correction, r.first_correction);
    summary.end = r.end;
    const std::string why = complaint(scenario, r);
    if (summary.complaint.empty() && !why.empty()) summary.complaint = fmt::format("seed {}: {}", seed, why);
  }
  summary.median = median(errors);
  summary.frequency = median(frequencies);
  summary.poll = median(polls);
  return summary;
}

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> out;
  detail::add_client_scenarios(out);
  detail::add_group_scenarios(out);
  return out;
}

}  // namespace wiretime::sim
