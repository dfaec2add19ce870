// SPDX-License-Identifier: BSD-3-Clause
#include "sim/client.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::sim {

using clock::advanced;
using clock::seconds_between;

namespace {

clock::DisciplineConfig rules(const ClientConfig& config) {
  clock::DisciplineConfig out = config.discipline;
  out.free_running = config.free_running;
  return out;
}

}  // namespace

Client::Client(const ClientConfig& config, std::uint64_t seed)
    : config_{config},
      clock_random_{seed * 2 + 1},
      network_random_{seed * 2 + 2},
      oscillator_{config.oscillator, clock_random_},
      network_{network_random_},
      discipline_{rules(config), config.initial_frequency, config.initial_skew},
      selector_{config.selection} {
  sources_.reserve(config.sources.size());
  double start = 0.5;
  for (const SourceConfig& s : config.sources) {
    sources_.emplace_back(s);
    sources_.back().config.statistics.frequency_sd = config.initial_skew;
    sources_.back().statistics = clock::SourceStatistics{sources_.back().config.statistics};
    sources_.back().next_poll = start;
    start += 0.07;
  }
}

void Client::send(Source& source) {
  const double now = oscillator_.now();
  const auto flight = network_.flight(source.config.path, now);
  ++source.sent;
  source.reachability = (source.reachability << 1) & 0xFF;
  const bool bursting = source.config.burst && source.sent < 4;
  source.next_poll = now + (bursting ? 2.0 : std::ldexp(1.0, source.poll.poll()));
  if (!flight) return;
  const double at_server = now + flight->there;
  const double shown = at_server + server_error(source.config.server, at_server);
  const NtpTimestamp t2 = NtpTimestamp::from(advanced(config_.oscillator.start, shown));
  const WallTime t1 = discipline_.model().cooked(advanced(oscillator_.read(), flight->noise1));
  source.pending = Source::Pending{at_server + flight->back, t1, t2, t2, flight->noise4};
}

void Client::receive(Source& source) {
  const Source::Pending p = *source.pending;
  source.pending.reset();
  const clock::ClockModel& model = discipline_.model();
  const WallTime raw4 = oscillator_.read();
  const WallTime t1 = p.t1;
  const WallTime t4 = model.cooked(advanced(raw4, p.noise4));
  const WallTime t2 = p.t2.near(t1);
  const WallTime t3 = p.t3.near(t4);

  std::optional<clock::Sample> measured = clock::Sample{};
  measured->offset = (seconds_between(t1, t2) + seconds_between(t4, t3)) / 2;
  measured->peer_delay = std::max(1e-9, seconds_between(t1, t4) - seconds_between(t2, t3));
  measured->time = t1 + (t4 - t1) / 2;
  measured->peer_dispersion = 1e-9 + seconds_between(t1, t4) * 1e-7;
  measured->root_delay = source.config.server.root_delay + measured->peer_delay;
  measured->root_dispersion = source.config.server.root_dispersion + measured->peer_dispersion;
  measured->stratum = source.config.server.stratum;
  ++result_.exchanges;
  source.reachability |= 1;
  if (source.config.interleaved) {
    source.held.swap(measured);
    if (!measured) return;
  }
  const clock::Sample& sample = *measured;
  if (source.delays.test(sample, source.statistics) != clock::DelayVerdict::accepted) {
    ++result_.refused;
    return;
  }
  if (!source.statistics.add(sample)) return;
  source.fresh = true;
  source.poll.adapt(source.statistics);
  if (oscillator_.now() >= config_.count_from) {
    sum_poll_ += source.poll.poll();
    sum_sd_ += source.statistics.estimate().offset_sd;
    ++polls_counted_;
  }
  update_clock();
}

void Client::update_clock() {
  const WallTime raw = oscillator_.read();
  const WallTime now = discipline_.model().cooked(raw);
  std::vector<clock::Candidate> candidates;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& s = sources_[i];
    candidates.push_back({static_cast<std::uint32_t>(i), s.config.options, &s.statistics, s.reachability != 0,
                          s.reachability != 0 && s.sent < 8, s.fresh, 0, 0});
  }
  const clock::Selection selection = selector_.select(candidates, now);
  result_.states.clear();
  for (const clock::SourceVerdict& v : selection.verdicts) result_.states += static_cast<char>(v.state);
  if (selection.verdicts.back().state != clock::SelectState::falseticker)
    result_.falseticker = -1;
  else if (result_.falseticker < 0)
    result_.falseticker = oscillator_.now();
  result_.switches += selection.switched;
  if (selection.outcome != clock::SelectionOutcome::selected) return;
  const clock::ClockAction action = discipline_.update(raw, selection.estimate);
  if (action.kind == clock::UpdateKind::ignored || action.kind == clock::UpdateKind::give_up) return;
  if (result_.first_correction < 0) result_.first_correction = oscillator_.now();
  if (action.step != 0) oscillator_.step(action.step);
  apply_kernel_frequency();
  for (Source& s : sources_) s.fresh = false;
  shift_all(action.change);
}

double Client::slew_end() const {
  const auto deadline = discipline_.model().deadline();
  if (!deadline) return 1e18;
  const double left = seconds_between(oscillator_.read(), *deadline);
  return oscillator_.now() + std::max(left / (1 + oscillator_.rate()), 0.0) + config_.timer_latency;
}

void Client::measure() {
  if (oscillator_.now() < config_.count_from) return;
  const double cooked = oscillator_.error() + discipline_.model().correction(oscillator_.read());
  const double error = config_.free_running ? cooked : oscillator_.error();
  sum_error_ += error * error;
  sum_cooked_ += cooked * cooked;
  sum_frequency_ += oscillator_.rate() * oscillator_.rate();
  result_.max_error = std::max(result_.max_error, std::fabs(error));
  ++counted_;
}

void Client::shift_all(const clock::ClockChange& change) {
  for (Source& s : sources_) {
    s.statistics.shift(change);
    if (s.pending) s.pending->t1 = change.apply(s.pending->t1);
    if (s.held) change.apply(*s.held);
  }
}

void Client::external_step() {
  const WallTime before = oscillator_.read();
  oscillator_.step(config_.external_step);
  if (!config_.step_noticed) return;
  const WallTime cooked = discipline_.model().cooked(before);
  discipline_.model().moved(before, config_.external_step);
  shift_all({cooked, 0, config_.external_step});
  for (Source& s : sources_) s.fresh = true;  // what is known of the sources is news for this clock
  update_clock();
}

ClientResult Client::run() {
  double next_measure = 1;
  double end_of_slew = 1e18;
  bool stepped = false;
  bool disturbed = false;
  while (true) {
    double next = next_measure;
    for (const Source& s : sources_)
      next = std::min({next, s.next_poll, s.pending ? s.pending->arrives : 1e18});
    next = std::min(next, end_of_slew);
    if (!stepped) next = std::min(next, config_.external_step_at);
    if (!disturbed) next = std::min(next, config_.frequency_jump_at);
    if (next > config_.duration) break;
    oscillator_.advance(next);
    if (!disturbed && next >= config_.frequency_jump_at) {
      disturbed = true;
      oscillator_.disturb(config_.frequency_jump);
    }
    if (!stepped && next >= config_.external_step_at) {
      stepped = true;
      external_step();
    }
    for (Source& s : sources_) {
      if (s.pending && s.pending->arrives <= next) receive(s);
      if (s.next_poll <= next) send(s);
    }
    if (end_of_slew <= next && discipline_.model().service(oscillator_.read())) apply_kernel_frequency();
    if (next >= next_measure) {
      measure();
      next_measure += 1;
    }
    end_of_slew = slew_end();
  }
  const double n = static_cast<double>(std::max<std::uint64_t>(counted_, 1));
  const double polls = static_cast<double>(std::max<std::uint64_t>(polls_counted_, 1));
  result_.rms_error = std::sqrt(sum_error_ / n);
  result_.rms_cooked = std::sqrt(sum_cooked_ / n);
  result_.rms_frequency = std::sqrt(sum_frequency_ / n);
  result_.mean_poll = sum_poll_ / polls;
  result_.estimate_sd = sum_sd_ / polls;
  return result_;
}

}  // namespace wiretime::sim
