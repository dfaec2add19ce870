// SPDX-License-Identifier: BSD-3-Clause
#include "sim/scenarios.hpp"

#include <algorithm>

namespace wiretime::sim {

namespace {

constexpr double kMicro = 1e-6;
constexpr double kNano = 1e-9;

SourceConfig source(double base, double jitter, int min_poll, int max_poll) {
  SourceConfig s;
  s.path.base = base;
  s.path.jitter = jitter;
  s.poll.min_poll = min_poll;
  s.poll.max_poll = max_poll;
  return s;
}

SourceConfig lan() {
  return source(50 * kMicro, 10 * kMicro, 4, 4);
}
SourceConfig internet() {
  return source(100 * kMicro, 100 * kMicro, 6, 10);
}

Scenario with(std::string name, std::string what, std::vector<SourceConfig> sources, double duration,
              double limit) {
  Scenario s;
  s.name = std::move(name);
  s.what = std::move(what);
  s.config.sources = std::move(sources);
  s.config.duration = duration;
  s.limit = limit;
  return s;
}

// The three figures that the project is measured by.
void add_numbers(std::vector<Scenario>& out) {
  out.push_back(with("default", "polling 6 to 10, jitter 100 us", {internet()}, 1e5, 60 * kMicro));
  out.back().reference = 101 * kMicro;
  out.push_back(with("poll4", "polling 4, jitter 10 us", {lan()}, 2e4, 2 * kMicro));
  out.back().reference = 2.59 * kMicro;
  out.push_back(with("interleaved", "interleaved, polling 0, jitter 10 ns",
                     {source(1 * kMicro, 10 * kNano, 0, 0)}, 1e4, 8 * kNano));
  out.back().config.sources[0].interleaved = true;
  out.back().reference = 33.8 * kNano;
}

void add_oscillators(std::vector<Scenario>& out) {
  out.push_back(with("far", "10 s and 500 ppm off, slewed", {lan()}, 1e4, 3 * kMicro));
  out.back().config.oscillator.offset = -10;
  out.back().config.oscillator.frequency = -500e-6;
  out.push_back(with("makestep", "an hour off, makestep 1 3", {lan()}, 1e4, 3 * kMicro));
  out.back().config.oscillator.offset = 3600;
  out.back().config.discipline.step_threshold = 1;
  out.back().config.discipline.step_limit = 3;
  out.push_back(with("stable", "oven oscillator, wander 1e-12", {lan()}, 2e4, 0.8 * kMicro));
  out.back().config.oscillator.wander = 1e-12;
  out.push_back(with("fan", "steady oscillator jumps by 0.5 ppm at 10000 s", {lan()}, 2e4, 4 * kMicro));
  out.back().config.oscillator.wander = 1e-11;
  out.back().config.frequency_jump_at = 1e4;
  out.back().config.frequency_jump = 0.5e-6;
  out.push_back(with("wandering", "virtual machine, wander 1e-7", {lan()}, 1e4, 12 * kMicro));
  out.back().config.oscillator.wander = 1e-7;
  out.push_back(with("drift-file", "restart with a good drift file, counted from 20 s", {internet()}, 4000,
                     100 * kMicro));
  out.back().config.initial_frequency = -100e-6;
  out.back().config.initial_skew = 0.1e-6;
  out.back().config.oscillator.offset = 1e-3;
  out.back().config.count_from = 20;
  for (const bool noticed : {true, false}) {
    out.push_back(with(noticed ? "external-step" : "unnoticed-step",
                       noticed ? "somebody sets the clock 50 ms ahead" : "the same, seen in the samples only",
                       {lan()}, 1e4, noticed ? 1e-3 : 7e-3));
    out.back().config.external_step_at = 5000;
    out.back().config.external_step = 0.05;
    out.back().config.step_noticed = noticed;
  }
  out.push_back(with("untouched", "-x: the kernel clock is left alone, served time is right", {lan()}, 1e4,
                     3 * kMicro));
  out.back().config.free_running = true;
  out.push_back(with("era-2036", "NTP's seconds roll over at 4000 s", {lan()}, 8000, 3 * kMicro));
  out.back().config.oscillator.start = WallTime{std::chrono::seconds{2'085'978'496 - 4000}};
}

void add_networks(std::vector<Scenario>& out) {
  out.push_back(
      with("asymmetric", "there 40 us longer than back: half of it is the error", {lan()}, 1e4, 21 * kMicro));
  out.back().config.sources[0].path.asymmetry = 40 * kMicro;
  out.push_back(with("one-sided", "jitter of 100 us on the way there only",
                     {source(50 * kMicro, 100 * kMicro, 4, 4)}, 2e4, 3 * kMicro));
  out.back().config.sources[0].path.jitter_back = 0;
  out.push_back(with("loss", "half of the exchanges lost", {lan()}, 2e4, 3 * kMicro));
  out.back().config.sources[0].path.loss = 0.5;
  out.push_back(with("intermittent", "link up and down for 1000 s in turn", {lan()}, 2e4, 15 * kMicro));
  out.back().config.sources[0].path.off_period = 1000;
  out.push_back(with("software", "kernel timestamps with 3 us of noise", {lan()}, 2e4, 4 * kMicro));
  out.back().config.sources[0].path.noise = 3 * kMicro;
  out.push_back(with("reroute", "the path becomes 5 ms longer each way at 6000 s", {lan()}, 2e4, 5 * kMicro));
  out.back().config.sources[0].path.reroute_at = 6000;
  out.back().config.sources[0].path.reroute = 5e-3;
  out.push_back(with("congested", "jitter 10 ms", {source(1e-3, 10e-3, 4, 6)}, 2e4, 1e-3));
}

SourceConfig lying(double by) {
  SourceConfig s = lan();
  s.server.offset = by;
  return s;
}

void add_sources(std::vector<Scenario>& out) {
  out.push_back(
      with("liar-of-3", "one of three is a second off", {lan(), lan(), lying(1)}, 5000, 2 * kMicro));
  out.back().states = "??x";
  out.push_back(
      with("liar-of-4", "one of four is 10 ms off", {lan(), lan(), lan(), lying(0.01)}, 5000, 2 * kMicro));
  out.back().states = "???x";
  out.push_back(with("liars-of-5", "two of five are off", {lan(), lan(), lan(), lying(-1), lying(1)}, 5000,
                     2 * kMicro));
  out.back().states = "???xx";
  out.push_back(
      with("turncoat", "one of three jumps by 0.1 s at 4000 s", {lan(), lan(), lan()}, 8000, 2 * kMicro));
  out.back().config.sources[2].server.jump_at = 4000;
  out.back().config.sources[2].server.jump = 0.1;
  out.back().states = "??x";
  out.push_back(
      with("switch", "the near source goes silent at 4000 s", {lan(), internet()}, 2e4, 100 * kMicro));
  out.back().config.sources[0].path.up_until = 4000;
  out.back().states = "?*";
  out.push_back(with("three", "three good sources", {lan(), lan(), lan()}, 1e4, 1.5 * kMicro));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

bool matches(const std::string& states, const std::string& expected) {
  if (expected.empty()) return true;
  return states.size() == expected.size() &&
         std::equal(states.begin(), states.end(), expected.begin(),
                    [](char have, char want) { return want == '?' || have == want; });
}

}  // namespace

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> out;
  add_numbers(out);
  add_oscillators(out);
  add_networks(out);
  add_sources(out);
  return out;
}

Summary run_seeds(const Scenario& scenario, unsigned seeds) {
  Summary summary;
  std::vector<double> errors;
  std::vector<double> frequencies;
  std::vector<double> polls;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    const ClientResult r = Client{scenario.config, seed}.run();
    errors.push_back(r.rms_error);
    frequencies.push_back(r.rms_frequency);
    polls.push_back(r.mean_poll);
    summary.worst = std::max(summary.worst, r.rms_error);
    summary.maximum = std::max(summary.maximum, r.max_error);
    summary.first_correction = std::max(summary.first_correction, r.first_correction);
    summary.unexpected += !matches(r.states, scenario.states);
    summary.states = r.states;
  }
  summary.median = median(errors);
  summary.frequency = median(frequencies);
  summary.poll = median(polls);
  return summary;
}

}  // namespace wiretime::sim
