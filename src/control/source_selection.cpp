// SPDX-License-Identifier: BSD-3-Clause
// SourceManager's decisions: which sources to believe, what that does to the clock, and what the log says.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "control/source_manager.hpp"
#include "ntp/reference_id.hpp"

namespace wiretime::control {

namespace {

constexpr unsigned kPollsToGiveUp = 7;
constexpr double kLowestSkew = 0.001e-6;  // s/s, of a drift file worth keeping

clock::AuthenticationRule authentication_rule(AuthSelectMode mode) {
  switch (mode) {
    case AuthSelectMode::require:
      return clock::AuthenticationRule::require;
    case AuthSelectMode::prefer:
      return clock::AuthenticationRule::prefer;
    case AuthSelectMode::mix:
      return clock::AuthenticationRule::mix;
    case AuthSelectMode::ignore:
      break;
  }
  return clock::AuthenticationRule::ignore;
}

}  // namespace

std::vector<clock::Candidate> SourceManager::candidates() {
  std::vector<clock::SourceClass> classes;
  for (const auto& s : sources_)
    classes.push_back({select_options(s->select), s->ntp.has_value(), s->authenticated()});
  const auto effective = clock::effective_options(classes, authentication_rule(settings_.auth_select_mode));
  std::vector<clock::Candidate> list;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& s = *sources_[i];
    s.effective = effective[i];
    clock::Candidate c;
    c.id = s.id;
    c.options = s.effective;
    c.options.no_select = c.options.no_select || !s.may_be_selected() ||
                          (s.statistics.samples() > 0 && s.status.stratum > settings_.max_stratum);
    c.statistics = &s.statistics;
    c.reachable = s.status.reach != 0;
    c.starting = c.reachable && s.starting();
    c.fresh = s.fresh;
    c.refid = s.refid;
    if (s.ntp) c.local_refid = ntp::reference_id(s.ntp->association.report().local);
    list.push_back(c);
  }
  return list;
}

void SourceManager::update_selection() {
  if (finished_) return;
  const WallTime kernel = host_.kernel_time();
  const clock::Selection selection = selector_.select(candidates(), steering_.cooked(kernel));
  note_selection(selection);
  record_selection(selection, steering_.cooked(kernel));
  if (selection.outcome != clock::SelectionOutcome::selected) return;
  if (initial_until_)
    correct_initial(selection);
  else if (options_.use == ClockUse::follow)
    update_clock(selection);
  else
    once(selection);
}

void SourceManager::note_selection(const clock::Selection& selection) {
  const Source* const chosen =
      selection.selected >= 0 ? sources_[static_cast<std::size_t>(selection.selected)].get() : nullptr;
  const bool switched = chosen != nullptr && selected_ != chosen->id;
  SelectionNotice::Situation situation{selection, switched};
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& s = *sources_[i];
    s.verdict = selection.verdicts[i];
    note_falseticker(s, selection, switched);
    if (s.status.reach == 0 && !s.effective.no_select) ++situation.unreachable;
    situation.polled_enough |= !s.starting();
  }
  const auto loss = selection_notice_.update(situation);
  if (loss && options_.use == ClockUse::follow) log(os::LogLevel::warning, *loss);
  if (switched) return select(chosen->id);
  if (chosen != nullptr || selection.outcome == clock::SelectionOutcome::waiting) return;
  if (selected_ && selection.outcome == clock::SelectionOutcome::no_majority)
    record_tracking(before_update(host_.kernel_time()), nullptr);
  select(std::nullopt);
}

// Once for each time that it begins to lie, and not again before another source was selected: one that is now
// in and now out would fill the log.
void SourceManager::note_falseticker(Source& source, const clock::Selection& selection, bool switched) {
  const bool is_false =
      source.verdict.state == clock::SelectState::falseticker &&
      selection.outcome != clock::SelectionOutcome::no_majority;  // else nobody knows who is wrong
  if (is_false && !source.called_false && options_.use == ClockUse::follow)
    log(os::LogLevel::warning, fmt::format("Detected falseticker {}", source.label()));
  source.called_false = is_false || (source.called_false && !switched);
}

// Called after each of its samples. A source that stays wrong, too far or too noisy gives way to another of
// its name.
void SourceManager::note_bad(Source& source) {
  using S = clock::SelectState;
  const S state = source.verdict.state;
  unsigned& bad = source.ntp->bad_samples;
  bad = state == S::falseticker || state == S::distant || state == S::jittery ? bad + 1 : 0;
  if (bad < kBadToReplace || !std::has_single_bit(bad)) return;  // 4, 8, 16...: less and less often
  if (bad == kBadToReplace && options_.use == ClockUse::follow) {
    if (state == S::distant)
      log(os::LogLevel::warning, fmt::format("Root distance of {} exceeds maxdistance of {:.3f} seconds",
                                             source.label(), settings_.max_distance.count()));
    if (state == S::jittery)
      log(os::LogLevel::warning, fmt::format("Jitter of {} exceeds maxjitter of {:.3f} seconds",
                                             source.label(), settings_.max_jitter.count()));
  }
  if (!source.ntp->config_is_numeric) want_address(source.line, source.id);
}

void SourceManager::select(std::optional<SourceId> id) {
  if (Source* before = selected_ ? find(*selected_) : nullptr) before->set_selected(false);
  selected_ = id;
  Source* const now = id ? find(*id) : nullptr;
  if (now == nullptr) return;
  now->set_selected(true);
  if (options_.use == ClockUse::follow && !initial_until_)
    log(os::LogLevel::info, fmt::format("Selected source {}", now->label()));
}

void SourceManager::update_clock(const clock::Selection& selection) {
  const WallTime kernel = host_.kernel_time();
  clock::ClockEstimate estimate = selection.estimate;
  const double offset = estimate.offset;
  // The estimate is for the moment of the selection: what passed since is microseconds.
  estimate.time = steering_.cooked(kernel);
  const BeforeUpdate before = before_update(kernel);
  const auto action = steering_.update(kernel, estimate);
  if (!action) return report_failure(action.error());
  if (action->kind == clock::UpdateKind::ignored || action->kind == clock::UpdateKind::give_up) {
    const bool end = action->kind == clock::UpdateKind::give_up;
    log(end ? os::LogLevel::fatal : os::LogLevel::warning,
        fmt::format("Adjustment of {:.3f} seconds exceeds the allowed maximum of {:.3f} seconds ({})", offset,
                    settings_.max_change ? settings_.max_change->offset.count() : 0.0,
                    end ? "exiting" : "ignored"));
    if (end) {
      finished_ = true;
      host_.finish(false);
    }
    return;
  }
  if (std::fabs(offset) > settings_.log_change.count())
    log(os::LogLevel::warning, fmt::format("System clock wrong by {:.6f} seconds", offset));
  for (const auto& s : sources_) s->fresh = false;
  if (updated_at_)
    fallback_.update(steering_.discipline().model().frequency(),
                     clock::seconds_between(*updated_at_, estimate.time));
  updated_at_ = estimate.time;
  shift(action->change, action->step != 0 ? Move::stepped : Move::slewed);
  const Source& chosen = *sources_[static_cast<std::size_t>(selection.selected)];
  followed_ = {true, selection.leap, selection.stratum, chosen.refid, {}};
  if (chosen.ntp) {
    followed_.refid = chosen.ntp->copied_refid.value_or(chosen.refid);
    followed_.address = chosen.ntp->address.address;
  }
  if (action->step != 0) {
    log(os::LogLevel::warning, fmt::format("System clock was stepped by {:.6f} seconds", action->step));
    host_.clock_stepped();
  }
  update_leap();
  record_tracking(before, &selection);
  arm_clock_timer();
  tell_kernel();
  host_.clock_updated();
}

void SourceManager::once(const clock::Selection& selection) {
  const double offset = selection.estimate.offset;
  finished_ = true;
  const bool step = options_.use == ClockUse::step_once;
  if (step) {
    if (auto ok = steering_.step(host_.kernel_time(), offset); !ok) {
      report_failure(ok.error());
      host_.finish(false);
      return;
    }
  }
  log(os::LogLevel::info,
      fmt::format("System clock wrong by {:.6f} seconds ({})", offset, step ? "step" : "ignored"));
  host_.finish(true);
}

// -q, -Q and initstepslew: every source has had its chance.
void SourceManager::give_up_once() {
  if ((options_.use == ClockUse::follow && !initial_until_) || finished_ || sources_.empty()) return;
  for (const auto& s : sources_) {
    if (s->refclock) {
      if (s->refclock->polls <= kPollsToGiveUp) return;
      continue;
    }
    const ntp::Association& a = s->ntp->association;
    const bool burst_over = s->ntp->config.iburst && a.connectivity() == ntp::Connectivity::online &&
                            a.report().transmitted > 1 && a.reach().bits() != 0;
    const bool silent = a.reach().bits() == 0 && a.reach().missed() >= kPollsToGiveUp;
    if (!s->ntp->resolved() || !(burst_over || silent || a.denied())) return;
  }
  if (initial_until_) return give_up_initial();
  finished_ = true;
  log(os::LogLevel::warning, "No suitable source for synchronisation");
  host_.finish(false);
}

void SourceManager::shift(const clock::ClockChange& change, Move how) {
  shift_memory(change);
  smooth(change, how);
}

void SourceManager::shift_memory(const clock::ClockChange& change) {
  for (const auto& s : sources_) s->shift(change);
  manual_.shift(change);
  for (auto& [file, dump] : dumps_)
    for (SourceDump::Entry& entry : dump.entries) change.apply(entry.sample);
  if (updated_at_) updated_at_ = change.apply(*updated_at_);
}

// What of it those we serve see.
void SourceManager::smooth(const clock::ClockChange& change, Move how) {
  if (how == Move::stepped) {
    smoothing_.shift(change);
    smoothing_.reset(change.apply(change.at));
  } else if (smoothing_.corrected(change, steering_.discipline().tracking().skew)) {
    log(os::LogLevel::info,
        fmt::format("Time smoothing activated{}", smoothing_.leap_only() ? " (leap seconds only)" : ""));
  }
}

void SourceManager::arm_clock_timer() {
  const WallTime kernel = host_.kernel_time();
  auto left = steering_.slew_left(kernel);
  if (const auto leap = leap_.deadline()) {
    const double until = clock::seconds_between(steering_.cooked(kernel), *leap);
    left = std::min(left.value_or(until), until);
  }
  if (!left) return host_.set_clock_timer(std::nullopt);
  constexpr double kLongest = 86'400;
  constexpr double kShortest = 1e-6;  // so that the slew is over then, however its end was rounded
  host_.set_clock_timer(
      Nanoseconds{static_cast<std::int64_t>((std::clamp(*left, 0.0, kLongest) + kShortest) * 1e9)});
}

void SourceManager::service_clock() {
  if (auto ok = steering_.service(host_.kernel_time()); !ok) report_failure(ok.error());
  service_leap();
  arm_clock_timer();
}

void SourceManager::report_failure(const Error& error) {
  log(os::LogLevel::error, error.message);
}

clock::ClockState SourceManager::clock_state() const {
  clock::ClockState state;
  if (!followed_.ever || followed_.stratum + 1 >= ntp::kMaxStratum) return state;
  const clock::Tracking& t = steering_.discipline().tracking();
  state.synchronised = true;
  state.leap = leap_.in_progress() && !smears_leap() ? clock::Leap::unsynchronised : leap_.due();
  state.hide_leap = smears_leap();
  state.smoothing = smoothing_.offset(cooked_now());
  state.stratum = static_cast<std::uint8_t>(followed_.stratum + 1);
  state.refid = followed_.refid;
  constexpr double kMost = 65'535;  // s, of NTP's short format
  state.root_delay = ntp::from_seconds(std::clamp(t.root_delay, 0.0, kMost));
  state.root_dispersion =
      ntp::from_seconds(std::clamp(steering_.discipline().root_dispersion(cooked_now()), 0.0, kMost));
  state.reference_time = t.reference_time;
  return state;
}

std::optional<Drift> SourceManager::take_drift() {
  const clock::Tracking& t = steering_.discipline().tracking();
  if (t.updates == drift_written_at_ || !steering_.device().is_real()) return std::nullopt;
  drift_written_at_ = t.updates;
  return Drift{-t.frequency * 1e6, std::max(t.skew, kLowestSkew) * 1e6};
}

}  // namespace wiretime::control
