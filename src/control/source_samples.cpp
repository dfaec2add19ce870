// SPDX-License-Identifier: BSD-3-Clause
// What a source's answer says: a sample of its clock, and its status.
#include <algorithm>

#include "control/source_manager.hpp"

namespace wiretime::control {

void SourceManager::take_sample(Source& source, const clock::Sample& sample) {
  std::optional<clock::Sample> filtered = sample;
  ntp::Judgement judgement;
  switch (source.ntp->delays.test(sample, source.statistics)) {
    case clock::DelayVerdict::accepted:
      break;
    case clock::DelayVerdict::above_deviation:
    case clock::DelayVerdict::above_quantile:
      judgement.delay_deviation_ok = false;
      break;
    case clock::DelayVerdict::too_long:
    case clock::DelayVerdict::above_ratio:
      judgement.delay_ratio_ok = false;
      break;
  }
  bool added = judgement.delay_ratio_ok && judgement.delay_deviation_ok;
  if (added && source.filter) {
    added = source.filter->add(sample) && source.filter->full();
    filtered = added ? source.filter->take() : std::nullopt;
    added = filtered.has_value();
  }
  if (added) added = accumulate(source, *filtered);
  if (added) {
    source.ntp->polls.adapt(source.statistics);
    judgement.poll = source.ntp->polls.poll();
  }
  judgement.skew = source.statistics.samples() > 0 ? std::min(source.statistics.estimate().skew, kUnknownSkew)
                                                   : kUnknownSkew;
  act(source, source.ntp->association.judged(moment(source), judgement));
  if (added) {
    const SourceId id = source.id;
    update_selection();
    if (find(id) == nullptr) return;  // initstepslew has what it wanted
    note_bad(source);
  }
  give_up_once();
}

bool SourceManager::accumulate(Source& source, const clock::Sample& sample) {
  // The leap second may lie between its stamps, or between here and there.
  if (leap_.is_close(sample.time) || leap_.is_close(cooked_now())) return false;
  const auto line_before = source.statistics.line();
  if (!source.statistics.add(sample)) return false;
  record_statistics(source, line_before);
  source.fresh = true;
  source.measured_offset = sample.offset;
  return true;
}

void SourceManager::take_status(Source& source, const ntp::StatusUpdate& status) {
  const bool was_reachable = source.status.reach != 0;
  source.status = status;
  if (status.synchronised) source.ntp->copied_refid = status.refid;
  if (status.synchronised && source.ntp->config.kind == NtpSource::Kind::pool) {
    const auto answered = [](const Source& s) { return s.ntp->association.report().received_good > 0; };
    std::vector<SourceId> others;
    unsigned enough = 0;
    for (const auto& s : sources_) {
      if (s->line != source.line) continue;
      if (answered(*s))
        ++enough;
      else if (s->id != source.id)
        others.push_back(s->id);
    }
    if (enough >= source.ntp->config.max_sources)
      for (const SourceId id : others) remove_source(id);
  }
  if (was_reachable != (status.reach != 0)) update_selection();
  give_up_once();
}

}  // namespace wiretime::control
