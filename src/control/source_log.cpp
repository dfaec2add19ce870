// SPDX-License-Identifier: BSD-3-Clause
// SourceManager's lines for the log files. Their signs are chronyd's (status/log_record.hpp), and where our
// estimator differs from chronyd's in kind, a column has the value that means the nearest.
#include <cmath>

#include "control/source_manager.hpp"

namespace wiretime::control {

namespace {

constexpr double kPpm = 1e6;
constexpr double kUnknownDispersion = 1;  // s, before the first update, as chronyd has it

}  // namespace

void SourceManager::record(const Source& source, const ntp::PacketJudged& packet) {
  if (!settings_.logs.raw_measurements && !(settings_.logs.measurements && packet.synced)) return;
  const ntp::Association& association = source.ntp->association;
  status::MeasurementRecord r;
  r.time = packet.time;
  r.source = source.address_text();
  r.leap = packet.reply.leap;
  r.stratum = packet.reply.stratum;
  r.tests = association.report().tests;
  r.poll = association.schedule().poll();
  r.source_poll = packet.reply.poll;
  r.poll_score = association.schedule().score();
  r.offset = packet.offset;
  r.peer_delay = packet.peer_delay;
  r.peer_dispersion = packet.peer_dispersion;
  r.root_delay = packet.reply.root_delay;
  r.root_dispersion = packet.reply.root_dispersion;
  r.refid = packet.reply.refid;
  r.mode = static_cast<std::uint8_t>(packet.reply.mode);
  r.interleaved = packet.interleaved;
  r.transmit_stamp = ntp::stamp_letter(packet.transmit_stamp);
  r.receive_stamp = ntp::stamp_letter(packet.receive_stamp);
  host_.record(r);
}

// `before`: the line before the last sample.
void SourceManager::record_statistics(const Source& source, const std::optional<clock::LineFit>& before) {
  const auto& line = source.statistics.line();
  if (!settings_.logs.statistics || !line) return;
  const clock::SourceEstimate& estimate = source.statistics.estimate();
  const std::size_t could_use = (before ? before->samples : line->samples - 1) + 1;
  const std::size_t dropped = could_use > line->samples ? could_use - line->samples : 0;
  status::StatisticsRecord r;
  r.time = estimate.time;
  r.source = source.address_text();
  r.std_dev = source.statistics.std_dev();
  r.offset = -estimate.offset;
  r.offset_sd = estimate.offset_sd;
  r.frequency = -line->frequency;
  r.skew = line->skew;
  r.stress = before && before->skew > 0 ? std::fabs(before->frequency - line->frequency) / before->skew : 0;
  r.samples = static_cast<unsigned>(line->samples + dropped);
  r.dropped = static_cast<unsigned>(dropped);
  r.runs = line->runs;
  r.asymmetry = source.statistics.asymmetry();
  host_.record(r);
}

void SourceManager::record(const Source& refclock, std::optional<double> raw, const clock::Sample& sample) {
  if (!settings_.logs.refclocks) return;
  const clock::Refclock& clock = refclock.refclock->clock;
  status::RefclockRecord r;
  r.time = sample.time;
  r.refid = refclock.address_text();
  r.leap = static_cast<std::uint8_t>(sample.leap);
  if (raw) r.raw = {static_cast<unsigned>(clock.ticks()), clock.pulses(), *raw};
  r.offset = sample.offset;
  r.dispersion = sample.peer_dispersion;
  host_.record(r);
}

void SourceManager::record_selection(const clock::Selection& selection, WallTime now) {
  if (!settings_.logs.selection) return;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& s = *sources_[i];
    const clock::SourceVerdict& verdict = selection.verdicts[i];
    status::SelectionRecord r;
    r.time = now;
    r.source = s.address_text();
    r.state = static_cast<char>(verdict.state);
    r.no_select = s.effective.no_select;
    r.prefer = s.effective.prefer;
    r.trust = s.effective.trust;
    r.require = s.effective.require;
    r.reach = s.status.reach;
    r.score = verdict.score;
    if (s.statistics.samples() > 0)
      r.last_sample_age = clock::seconds_between(s.statistics.window().back().time, now);
    r.low = -verdict.high;
    r.high = -verdict.low;
    host_.record(r);
  }
}

SourceManager::BeforeUpdate SourceManager::before_update(WallTime kernel) const {
  const clock::Discipline& discipline = steering_.discipline();
  const clock::Tracking& t = discipline.tracking();
  const bool never = t.updates == 0;
  return {steering_.correction(kernel),
          (never ? 1 : t.root_delay) / 2 +
              (never ? kUnknownDispersion : discipline.root_dispersion(steering_.cooked(kernel)))};
}

void SourceManager::record_tracking(const BeforeUpdate& before, const clock::Selection* selection) {
  if (!settings_.logs.tracking || options_.use != ClockUse::follow) return;
  const clock::Discipline& discipline = steering_.discipline();
  const clock::Tracking& t = discipline.tracking();
  status::TrackingRecord r;
  r.time = cooked_now();
  r.source = "0.0.0.0";
  r.frequency_ppm = -t.frequency * kPpm;
  r.skew_ppm = t.skew * kPpm;
  r.remaining = before.remaining;
  r.root_delay = t.updates > 0 ? t.root_delay : 1;
  r.root_dispersion = t.updates > 0 ? discipline.root_dispersion(r.time) : kUnknownDispersion;
  r.max_error = before.root_distance + std::fabs(last_system_offset_);
  if (selection != nullptr) {
    r.source = sources_[static_cast<std::size_t>(selection->selected)]->address_text();
    r.stratum = selection->stratum + 1U;
    r.offset = -selection->estimate.offset;
    r.leap = static_cast<std::uint8_t>(leap_.due());
    r.combined = static_cast<unsigned>(selection->combined);
    r.offset_sd = selection->estimate.offset_sd;
  }
  last_system_offset_ = r.offset - r.remaining;
  host_.record(r);
}

}  // namespace wiretime::control
