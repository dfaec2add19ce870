// SPDX-License-Identifier: BSD-3-Clause
#include "clock/selection.hpp"

#include <algorithm>
#include <cmath>

#include "clock/combine.hpp"

namespace wiretime::clock {

namespace {

constexpr double kLeastDistance = 1e-9;      // s
constexpr double kScoreLimit = 10;           // times nearer, accumulated: then it is selected
constexpr unsigned kDistantSelections = 32;  // how long a distant source stays out of the combination

// A leap second is announced if more than half of the believed sources do, the same way.
Leap majority_leap(std::span<const Candidate> candidates, std::span<const std::size_t> good) {
  std::size_t inserting = 0;
  std::size_t removing = 0;
  for (const std::size_t i : good) {
    const Leap leap = candidates[i].statistics->window().back().leap;
    inserting += leap == Leap::insert;
    removing += leap == Leap::remove;
  }
  if (inserting * 2 > good.size()) return Leap::insert;
  return removing * 2 > good.size() ? Leap::remove : Leap::none;
}

}  // namespace

std::vector<SelectOptions> effective_options(std::span<const SourceClass> sources, AuthenticationRule rule) {
  bool any_authenticated = false;
  bool any_open = false;
  for (const SourceClass& s : sources) {
    if (!s.ntp || s.configured.no_select) continue;
    (s.authenticated ? any_authenticated : any_open) = true;
  }
  std::vector<SelectOptions> out;
  out.reserve(sources.size());
  for (const SourceClass& s : sources) {
    SelectOptions options = s.configured;
    if (!options.no_select) {
      const bool open = s.ntp && !s.authenticated;
      if (rule == AuthenticationRule::require && open) options.no_select = true;
      if (rule == AuthenticationRule::prefer && open && any_authenticated) options.no_select = true;
      if (rule == AuthenticationRule::mix && !open && any_authenticated && any_open)
        options.trust = options.require = true;
    }
    out.push_back(options);
  }
  return out;
}

struct SourceSelector::Work {
  std::span<const Candidate> candidates;
  WallTime now;
  Selection out;
  std::vector<SourceStatistics::Best> best;
  std::vector<std::size_t> good;  // indices still believed

  void judge(std::size_t i, SelectState state) { out.verdicts[i].state = state; }
  void judge_good(SelectState state) {
    for (const std::size_t i : good) judge(i, state);
  }
  [[nodiscard]] const Sample& last(std::size_t i) const { return candidates[i].statistics->window().back(); }
};

SourceSelector::Memory& SourceSelector::memory(std::uint32_t id) {
  for (Memory& m : memory_)
    if (m.id == id) return m;
  memory_.push_back({id});
  return memory_.back();
}

void SourceSelector::forget_missing(std::span<const Candidate> candidates) {
  const auto missing = [&](std::uint32_t id) {
    return std::none_of(candidates.begin(), candidates.end(),
                        [id](const Candidate& c) { return c.id == id; });
  };
  std::erase_if(memory_, [&](const Memory& m) { return missing(m.id); });
  if (has_selected_ && missing(selected_id_)) has_selected_ = false;
}

void SourceSelector::reselect() {
  has_selected_ = false;
  memory_.clear();
}

// What each source is by itself; those with nothing against them become `good`.
void SourceSelector::judge_alone(Work& work) const {
  for (std::size_t i = 0; i < work.candidates.size(); ++i) {
    const Candidate& c = work.candidates[i];
    if (c.statistics->samples() > 0) {
      work.best[i] = c.statistics->best_sample(work.now, config_.max_clock_error);
      work.out.verdicts[i].low = work.best[i].offset - work.best[i].distance;
      work.out.verdicts[i].high = work.best[i].offset + work.best[i].distance;
    }
    SelectState state = SelectState::selected;
    if (c.options.no_select)
      state = SelectState::no_select;
    else if (!c.statistics->ready())
      state = SelectState::missing_samples;
    else if (work.last(i).leap == Leap::unsynchronised)
      state = SelectState::unsynchronised;
    else if (!(work.best[i].distance <= config_.max_distance))
      state = SelectState::distant;
    else if (c.statistics->std_dev() > config_.max_jitter)
      state = SelectState::jittery;
    else if (config_.orphan && work.last(i).stratum >= config_.orphan_stratum)
      state = SelectState::orphan;
    else
      work.good.push_back(i);
    work.judge(i, state);
  }
}

// A source that no longer answers is left out once its newest sample is older than all that a reachable one
// has, be that an orphan: else a server that is gone would keep orphans from finding a parent.
void SourceSelector::mark_stale(Work& work) const {
  bool any = false;
  WallTime oldest{};
  for (std::size_t i = 0; i < work.candidates.size(); ++i) {
    const SelectState state = work.out.verdicts[i].state;
    if (!work.candidates[i].reachable || (state != SelectState::selected && state != SelectState::orphan))
      continue;
    const WallTime first = work.candidates[i].statistics->window().front().time;
    oldest = any ? std::min(oldest, first) : first;
    any = true;
  }
  if (!any) return;
  std::erase_if(work.good, [&](std::size_t i) {
    if (work.candidates[i].reachable || work.last(i).time >= oldest) return false;
    work.judge(i, SelectState::stale);
    return true;
  });
}

// Without any real source, the orphan with the least reference id leads, unless that is us.
void SourceSelector::admit_orphan(Work& work) const {
  if (!config_.orphan || !work.good.empty()) return;
  int leader = -1;
  for (std::size_t i = 0; i < work.candidates.size(); ++i) {
    const Candidate& c = work.candidates[i];
    if (work.out.verdicts[i].state != SelectState::orphan || !c.reachable) continue;
    if (work.last(i).stratum != config_.orphan_stratum || c.refid >= c.local_refid) continue;
    if (leader < 0 || c.refid < work.candidates[static_cast<std::size_t>(leader)].refid)
      leader = static_cast<int>(i);
  }
  if (leader >= 0) work.good.push_back(static_cast<std::size_t>(leader));
}

bool SourceSelector::believe_majority(Work& work) const {
  std::vector<std::size_t> voters;
  for (const std::size_t i : work.good)
    if (work.candidates[i].options.trust) voters.push_back(i);
  const bool trusted_only = !voters.empty();
  if (!trusted_only) voters = work.good;

  struct Edge {
    double offset;
    int step;  // +1 opens, -1 closes
  };
  std::vector<Edge> edges;
  for (const std::size_t i : voters) {
    edges.push_back({work.out.verdicts[i].low, 1});
    edges.push_back({work.out.verdicts[i].high, -1});
  }
  // Claims that only touch agree: openings first.
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return a.offset < b.offset || (a.offset == b.offset && a.step > b.step);
  });
  int depth = 0;
  int most = 0;
  double low = 0;
  double high = 0;
  for (const Edge& e : edges) {
    if (e.step < 0 && depth == most) high = e.offset;  // last place where as many agree
    depth += e.step;
    if (depth > most) {
      most = depth;
      low = e.offset;
    }
  }
  work.out.voters = voters.size();
  work.out.agreeing = static_cast<std::size_t>(most);
  work.out.only_trusted_vote = trusted_only;
  if (work.out.agreeing * 2 <= voters.size()) {
    work.judge_good(SelectState::falseticker);
    work.good.clear();
    return false;
  }
  std::erase_if(work.good, [&](std::size_t i) {
    const SourceVerdict& v = work.out.verdicts[i];
    const bool overlaps = v.low <= high && v.high >= low;
    const bool agrees = !trusted_only || work.candidates[i].options.trust || (v.low >= low && v.high <= high);
    if (overlaps && agrees) return false;
    work.judge(i, overlaps ? SelectState::untrusted : SelectState::falseticker);
    return true;
  });
  return true;
}

SelectionOutcome SourceSelector::check_quorum(Work& work) const {
  bool starting = false;
  bool required = false;
  for (std::size_t i = 0; i < work.candidates.size(); ++i) {
    const Candidate& c = work.candidates[i];
    required |= c.options.require && !c.options.no_select;
    starting |= work.out.verdicts[i].state == SelectState::missing_samples && c.starting;
  }
  if (work.good.size() < config_.min_sources) {
    work.judge_good(SelectState::waits_for_sources);
    return SelectionOutcome::too_few;
  }
  if (required && std::none_of(work.good.begin(), work.good.end(),
                               [&](std::size_t i) { return work.candidates[i].options.require; })) {
    work.judge_good(SelectState::waits_for_sources);
    return SelectionOutcome::none_required;
  }
  // The first selection decides on a step of the clock: let everybody vote who is about to.
  if (starting && !has_selected_) {
    work.judge_good(SelectState::waits_for_samples);
    return SelectionOutcome::waiting;
  }
  return SelectionOutcome::selected;
}

double SourceSelector::distance(const Work& work, std::size_t i) const {
  std::uint8_t least = 255;
  for (const std::size_t g : work.good) least = std::min(least, work.last(g).stratum);
  return std::max(work.best[i].distance, kLeastDistance) +
         config_.stratum_weight * (work.last(i).stratum - least);
}

void SourceSelector::score(Work& work, std::size_t current) {
  const double own = distance(work, current);
  for (const std::size_t i : work.good) {
    Memory& m = memory(work.candidates[i].id);
    if (i == current)
      m.score = 1;
    else if (work.candidates[i].fresh || work.candidates[current].fresh)
      m.score = std::max(1.0, m.score * own / (distance(work, i) + config_.reselect_distance));
  }
}

void SourceSelector::choose(Work& work) {
  if (std::any_of(work.good.begin(), work.good.end(),
                  [&](std::size_t i) { return work.candidates[i].options.prefer; })) {
    std::erase_if(work.good, [&](std::size_t i) {
      if (work.candidates[i].options.prefer) return false;
      work.judge(i, SelectState::not_preferred);
      return true;
    });
  }
  // One that stopped answering brings no more news: it is neither kept nor chosen while another answers.
  std::vector<std::size_t> eligible;
  for (const std::size_t i : work.good)
    if (work.candidates[i].reachable) eligible.push_back(i);
  if (eligible.empty()) eligible = work.good;
  const auto current = std::find_if(eligible.begin(), eligible.end(), [&](std::size_t i) {
    return has_selected_ && work.candidates[i].id == selected_id_;
  });
  std::size_t winner = 0;
  if (current != eligible.end()) {
    winner = *current;
    score(work, winner);
    for (const std::size_t i : eligible)
      if (memory(work.candidates[i].id).score >
          std::max(kScoreLimit, memory(work.candidates[winner].id).score))
        winner = i;
  } else {
    winner = *std::min_element(eligible.begin(), eligible.end(), [&](std::size_t a, std::size_t b) {
      return distance(work, a) < distance(work, b);
    });
  }
  const std::uint32_t id = work.candidates[winner].id;
  if (!has_selected_ || id != selected_id_) {
    work.out.switched = true;
    for (Memory& m : memory_) m = {m.id};
  }
  has_selected_ = true;
  selected_id_ = id;
  work.out.selected = static_cast<int>(winner);
}

void SourceSelector::combine(Work& work) {
  const auto chosen = static_cast<std::size_t>(work.out.selected);
  const SourceEstimate& own = work.candidates[chosen].statistics->estimate();
  const double farthest = config_.combine_limit * (config_.reselect_distance + work.best[chosen].distance);
  std::vector<CombineInput> inputs;
  for (const std::size_t i : work.good) {
    const SourceEstimate& e = work.candidates[i].statistics->estimate();
    if (i != chosen) {
      Memory& m = memory(work.candidates[i].id);
      const double apart = std::fabs(e.frequency - own.frequency);
      if (work.best[i].distance > farthest ||
          apart > config_.combine_limit * (e.skew + own.skew + config_.max_clock_error))
        m.distant = kDistantSelections;
      else if (m.distant > 0)
        --m.distant;
      if (m.distant > 0 || config_.combine_limit <= 0) {
        work.judge(i, SelectState::not_combined);
        continue;
      }
    }
    work.judge(i, i == chosen ? SelectState::selected : SelectState::combined);
    inputs.push_back({work.candidates[i].statistics, work.best[i].distance, i == chosen});
  }
  work.out.combined = inputs.size();
  work.out.estimate = combine_estimates(inputs, work.now);
  work.out.estimate.root_delay = work.best[chosen].root_delay;
  // What the best sample bounds is its own offset: the clock is set to the estimate, some way from there.
  work.out.estimate.root_dispersion =
      work.best[chosen].root_dispersion + std::fabs(work.out.estimate.offset - work.best[chosen].offset);
}

Selection SourceSelector::select(std::span<const Candidate> candidates, WallTime now) {
  forget_missing(candidates);
  Work work{candidates, now, {}, std::vector<SourceStatistics::Best>(candidates.size()), {}};
  Selection& out = work.out;
  out.verdicts.resize(candidates.size());
  judge_alone(work);
  mark_stale(work);
  admit_orphan(work);
  if (work.good.empty()) {
    out.outcome = SelectionOutcome::no_sources;
  } else if (!believe_majority(work)) {
    out.outcome = SelectionOutcome::no_majority;
  } else {
    out.outcome = check_quorum(work);
  }
  if (out.outcome != SelectionOutcome::selected) {
    if (out.outcome != SelectionOutcome::waiting) has_selected_ = false;
    return std::move(work.out);
  }
  out.leap = majority_leap(candidates, work.good);
  choose(work);
  const auto chosen = static_cast<std::size_t>(out.selected);
  out.stratum = work.last(chosen).stratum;
  combine(work);
  for (std::size_t i = 0; i < candidates.size(); ++i) out.verdicts[i].score = memory(candidates[i].id).score;
  if (!candidates[chosen].fresh) {
    out.outcome = SelectionOutcome::waiting;
    if (out.switched) work.judge_good(SelectState::waits_for_update);
  }
  return std::move(work.out);
}

}  // namespace wiretime::clock
