// SPDX-License-Identifier: BSD-3-Clause
// What chronyc shows of the sources. Its offsets are positive for a local clock that is fast, its frequencies
// for one that runs fast: the opposite of ours, but for ntpdata, which has RFC 5905's signs.
#include <algorithm>
#include <cmath>

#include "control/source_manager.hpp"

namespace wiretime::control {

namespace {

constexpr double kPpm = 1e6;
// What chronyd reports of a source that has too few samples for a line through them.
constexpr double kUnknownSkewPpm = 2000;
constexpr double kUnknownDeviation = 4;  // s

status::SourceState shown_as(clock::SelectState state) {
  using S = clock::SelectState;
  switch (state) {
    case S::selected:
      return status::SourceState::selected;
    case S::combined:
      return status::SourceState::combined;
    case S::falseticker:
      return status::SourceState::falseticker;
    case S::jittery:
      return status::SourceState::jittery;
    case S::not_preferred:
    case S::not_combined:
    case S::waits_for_sources:
    case S::waits_for_update:
      return status::SourceState::not_combined;
    default:
      return status::SourceState::not_selectable;
  }
}

std::uint16_t option_bits(const clock::SelectOptions& o) {
  return static_cast<std::uint16_t>(
      (o.no_select ? status::kOptionNoSelect : 0) | (o.prefer ? status::kOptionPrefer : 0) |
      (o.trust ? status::kOptionTrust : 0) | (o.require ? status::kOptionRequire : 0));
}

constexpr char kNoStamp = '\0';  // chronyc says Invalid

std::chrono::seconds whole_seconds(double s) {
  return std::chrono::seconds{std::llround(std::max(s, 0.0))};
}

status::Age age(WallTime of, WallTime now) {
  return whole_seconds(clock::seconds_between(of, now));
}

}  // namespace

void SourceManager::describe(status::Tracking& tracking) const {
  const clock::Tracking& t = steering_.discipline().tracking();
  tracking.source = followed_.address;
  tracking.root_delay = t.root_delay;
  tracking.root_dispersion = steering_.discipline().root_dispersion(cooked_now());
  tracking.current_correction = steering_.correction(host_.kernel_time());
  tracking.last_offset = -t.last_offset;
  tracking.rms_offset = t.rms_offset;
  tracking.frequency_ppm = -steering_.discipline().model().frequency() * kPpm;
  tracking.residual_frequency_ppm = -t.residual_frequency * kPpm;
  tracking.skew_ppm = t.skew * kPpm;
  tracking.last_update_interval = t.update_interval;
}

std::optional<status::Smoothing> SourceManager::smoothing() const {
  if (!smoothing_.enabled()) return std::nullopt;
  const WallTime now = cooked_now();
  const clock::Smoothing::State state = smoothing_.at(now);
  status::Smoothing s;
  s.active = smoothing_.active();
  s.leap_only = smoothing_.leap_only();
  s.offset = state.offset;
  s.frequency_ppm = state.frequency * kPpm;
  s.wander_ppm = state.wander * kPpm;
  if (s.active) s.last_update_ago = std::max(clock::seconds_between(smoothing_.updated_at(), now), 0.0);
  s.remaining_time = state.remaining;
  return s;
}

status::Activity SourceManager::activity() const {
  status::Activity a;
  for (const auto& s : sources_) {
    if (!s->ntp) continue;
    if (!s->ntp->resolved()) {
      ++a.unresolved;
      continue;
    }
    switch (s->ntp->association.connectivity()) {
      case ntp::Connectivity::online:
        ++a.online;
        break;
      case ntp::Connectivity::offline:
        ++a.offline;
        break;
      case ntp::Connectivity::burst_online:
        ++a.burst_online;
        break;
      case ntp::Connectivity::burst_offline:
        ++a.burst_offline;
        break;
    }
  }
  return a;
}

std::optional<status::SourceReport> SourceManager::source(std::uint32_t index) const {
  if (index >= sources_.size()) return {};
  const Source& s = *sources_[index];
  status::SourceReport r;
  r.address = address_of(s);
  r.mode = s.refclock    ? status::SourceMode::reference_clock
           : s.is_peer() ? status::SourceMode::peer
                         : status::SourceMode::client;
  r.state = s.refclock || s.ntp->resolved() ? shown_as(s.verdict.state) : status::SourceState::not_selectable;
  r.poll = s.refclock ? s.refclock->clock.config().poll
                      : s.ntp->association.schedule().effective_poll(s.status.reach != 0);
  r.reachability = s.status.reach;
  if (s.statistics.samples() == 0) return r;
  const clock::Sample& last = s.statistics.window().back();
  r.stratum = s.status.stratum;
  r.last_sample_age = age(last.time, cooked_now());
  r.last_sample_original_offset = -s.measured_offset;
  r.last_sample_offset = -last.offset;
  r.last_sample_error = last.root_dispersion + last.root_delay / 2;
  return r;
}

std::optional<status::SourceStats> SourceManager::source_stats(std::uint32_t index) const {
  if (index >= sources_.size()) return {};
  const Source& s = *sources_[index];
  status::SourceStats r;
  r.reference_id = s.refid;
  if (s.ntp) r.address = address_of(s);
  r.samples = static_cast<std::uint32_t>(s.statistics.samples());
  r.skew_ppm = kUnknownSkewPpm;
  r.standard_deviation = kUnknownDeviation;
  if (s.statistics.samples() == 0) return r;
  const WallTime now = cooked_now();
  if (const auto& line = s.statistics.line()) {
    r.samples = static_cast<std::uint32_t>(line->samples);
    r.runs = line->runs;
    r.residual_frequency_ppm = -line->frequency * kPpm;
    r.skew_ppm = line->skew * kPpm;
    r.standard_deviation = s.statistics.std_dev();
  }
  r.span = whole_seconds(s.statistics.span());
  r.estimated_offset = -s.statistics.offset_at(now);
  r.estimated_offset_error = s.statistics.offset_sd_at(now);
  return r;
}

std::optional<status::SelectData> SourceManager::select_data(std::uint32_t index) const {
  if (index >= sources_.size()) return {};
  const Source& s = *sources_[index];
  status::SelectData r;
  r.reference_id = s.refid;
  if (s.ntp) r.address = address_of(s);
  r.state_letter = static_cast<char>(s.verdict.state);
  r.authenticated = s.authenticated();
  r.leap = static_cast<std::uint8_t>(s.status.leap);
  r.configured_options = option_bits(select_options(s.select));
  r.effective_options = option_bits(s.effective);
  r.score = s.verdict.score;
  // Like chronyd, nothing of a source that took no part in the selection.
  r.last_sample_age = std::chrono::seconds{0};
  if (s.statistics.samples() == 0 || s.verdict.state == clock::SelectState::no_select) return r;
  r.last_sample_age = age(s.statistics.window().back().time, cooked_now());
  r.low_limit = -s.verdict.high;
  r.high_limit = -s.verdict.low;
  return r;
}

std::optional<std::string> SourceManager::source_name(const status::SourceAddress& address) const {
  const Source* const s = find(address);
  return s != nullptr ? std::optional{s->ntp->config.name} : std::nullopt;
}

std::optional<status::NtpData> SourceManager::ntp_data(const status::SourceAddress& address) const {
  const Source* const s = find(address);
  if (s == nullptr) return {};
  const ntp::AssociationReport& from = s->ntp->association.report();
  status::NtpData r;
  r.remote = address_of(*s);
  r.local = from.local;
  r.remote_port = s->ntp->address.port;
  r.transmitted = from.transmitted;
  r.received = from.received;
  r.leap = from.received_valid > 0 ? from.last.leap : std::uint8_t{0};
  r.version = from.last.version;
  r.mode = static_cast<std::uint8_t>(from.last.mode);
  r.stratum = from.last.stratum;
  r.poll = from.last.poll;
  r.precision = from.last.precision;
  r.root_delay = from.last.root_delay;
  r.root_dispersion = from.last.root_dispersion;
  r.reference_id = from.last.refid;
  if (from.last.reference_time.value != 0) r.reference_time = from.last.reference_time.near(cooked_now());
  r.offset = from.offset;
  r.peer_delay = from.peer_delay;
  r.peer_dispersion = from.peer_dispersion;
  r.response_time = from.response_time;
  r.jitter_asymmetry = s->statistics.asymmetry();
  r.tests = from.tests;
  r.interleaved = from.interleaved;
  r.authenticated = from.authenticated;
  r.transmit_timestamping = from.received_valid > 0 ? stamp_letter(from.transmit_stamp) : kNoStamp;
  r.receive_timestamping = from.received_valid > 0 ? stamp_letter(from.receive_stamp) : kNoStamp;
  r.received_valid = from.received_valid;
  r.received_good = from.received_good;
  r.kernel_transmit_timestamps = from.transmit_stamps[1];
  r.hardware_transmit_timestamps = from.transmit_stamps[2];
  r.kernel_receive_timestamps = from.receive_stamps[1];
  r.hardware_receive_timestamps = from.receive_stamps[2];
  return r;
}

std::optional<status::AuthData> SourceManager::auth_data(const status::SourceAddress& address) const {
  const Source* const s = find(address);
  if (s == nullptr) return {};
  status::AuthData r;
  if (s->ntp->config.key_id != 0) {
    r.mode = status::AuthMode::symmetric_key;
    r.key_id = s->ntp->config.key_id;
    if (const ntp::Key* const key = key_of(*s->ntp)) {
      r.key_type = static_cast<std::uint16_t>(key->type());
      r.key_bits = static_cast<std::uint16_t>(std::min<std::size_t>(key->secret_bits(), UINT16_MAX));
    }
  } else if (s->ntp->config.nts) {
    r.mode = status::AuthMode::nts;
  }
  return r;
}

std::vector<status::ManualSample> SourceManager::manual_samples() const {
  std::vector<status::ManualSample> list;
  for (const clock::ManualInput::Sample& s : manual_.samples())
    list.push_back({s.when, -s.offset, -s.original, -s.residual});
  return list;
}

}  // namespace wiretime::control
