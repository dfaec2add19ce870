// SPDX-License-Identifier: BSD-3-Clause
#include "control/source_manager.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ntp/reference_id.hpp"
#include "os/resolver.hpp"

namespace wiretime::control {

namespace {

constexpr double kPpm = 1e-6;
constexpr unsigned kMostOfPool = 16;

clock::DisciplineConfig discipline_config(const Settings& s, bool restarted) {
  clock::DisciplineConfig c;
  c.correction_time_ratio = s.correction_time_ratio;
  c.max_slew_rate = s.max_slew_rate_ppm * kPpm;
  c.max_drift = s.max_drift_ppm * kPpm;
  c.max_update_skew = s.max_update_skew_ppm * kPpm;
  c.max_clock_error = s.max_clock_error_ppm * kPpm;
  c.step_threshold = s.make_step.threshold.count();
  c.step_limit = restarted && s.make_step.limit > 0 ? 0 : s.make_step.limit;
  if (s.max_change) {
    c.max_change = true;
    c.max_change_offset = s.max_change->offset.count();
    c.max_change_start = s.max_change->start;
    c.max_change_ignore = s.max_change->ignore;
  }
  return c;
}

clock::SelectionConfig selection_config(const Settings& s) {
  clock::SelectionConfig c;
  c.max_distance = s.max_distance.count();
  c.max_jitter = s.max_jitter.count();
  c.reselect_distance = s.reselect_distance.count();
  c.stratum_weight = s.stratum_weight.count();
  c.combine_limit = s.combine_limit;
  c.max_clock_error = s.max_clock_error_ppm * kPpm;
  c.min_sources = s.min_sources;
  c.orphan = s.local.enabled && s.local.orphan;
  c.orphan_stratum = static_cast<std::uint8_t>(s.local.stratum);
  return c;
}

// A drift file says by how much the clock runs fast; we by how much it is to be sped up.
double initial_frequency(const std::optional<Drift>& drift, const clock::ClockDevice& device) {
  return drift ? -drift->frequency_ppm * kPpm : device.frequency();
}

clock::LeapMode leap_mode(const Settings& s, const clock::ClockDevice& device) {
  switch (s.leap_second_mode) {
    case LeapSecondMode::step:
      return clock::LeapMode::step;
    case LeapSecondMode::slew:
      return clock::LeapMode::slew;
    case LeapSecondMode::ignore:
      return clock::LeapMode::ignore;
    case LeapSecondMode::system:
      break;
  }
  // The kernel does it for its own clock only; and the smear must know the moment.
  return device.is_real() && !s.smooth_time.linear ? clock::LeapMode::system : clock::LeapMode::step;
}

clock::SmoothingConfig smoothing_config(const SmoothTime& s) {
  using Shape = clock::SmoothingConfig::Shape;
  if (s.linear) return {Shape::linear, 0, 0, true};
  if (!s.enabled || s.max_frequency_ppm <= 0 || s.max_wander_ppm <= 0) return {};
  return {Shape::quadratic, s.max_frequency_ppm * kPpm, s.max_wander_ppm * kPpm, s.leap_only};
}

double initial_skew(const std::optional<Drift>& drift) {
  return drift ? std::max(drift->skew_ppm, 0.01) * kPpm : kUnknownSkew;
}

}  // namespace

SourceManager::SourceManager(const Settings& settings, const Options& options, clock::ClockDevice& device,
                             SourceHost& host)
    : settings_{settings},
      options_{options},
      host_{host},
      steering_{discipline_config(settings, options.restarted), device,
                initial_frequency(options.drift, device), initial_skew(options.drift)},
      selector_{selection_config(settings)},
      leap_{leap_mode(settings, device)},
      smoothing_{smoothing_config(settings.smooth_time)},
      fallback_{settings.fallback_drift.min, settings.fallback_drift.max},
      manual_on_{settings.manual} {}

SourceDefaults SourceManager::defaults() const {
  return {settings_, options_.keys, options_.clock_precision, initial_skew(options_.drift)};
}

ntp::Moment SourceManager::moment(const Source& source) {
  const Nanoseconds now = host_.monotonic();
  sends_.clear();
  for (const auto& s : sources_) {
    // Peers answer each other when they must: they are kept apart from one another only.
    if (!s->ntp || s.get() == &source || s->is_peer() != source.is_peer()) continue;
    for (const auto& at : {s->ntp->association.last_sent_at(), s->ntp->association.sends_next_at()})
      if (at && now - *at <= std::chrono::seconds{1}) sends_.push_back(*at);
  }
  std::sort(sends_.begin(), sends_.end());
  return {now, cooked_now(), host_.random(), host_.reference(), sends_};
}

Source* SourceManager::find(SourceId id) {
  for (const auto& s : sources_)
    if (s->id == id) return s.get();
  return nullptr;
}

const Source* SourceManager::find(const status::SourceAddress& address) const {
  for (const auto& s : sources_)
    if (s->ntp && address_of(*s) == address) return s.get();
  return nullptr;
}

Source* SourceManager::find(const status::SourceAddress& address) {
  for (const auto& s : sources_)
    if (s->ntp && address_of(*s) == address) return s.get();
  return nullptr;
}

status::SourceAddress SourceManager::address_of(const Source& source) {
  if (source.refclock) return {IpAddress::v4(source.refid), {}};
  if (source.ntp->resolved()) return {source.ntp->address.address, {}};
  return {{}, source.id};
}

void SourceManager::start() {
  refreshed_at_ = host_.monotonic();
  warn_about_leap_mode();
  if (options_.use == ClockUse::follow)
    if (auto ok = steering_.begin(host_.kernel_time()); !ok) report_failure(ok.error());
  if (const double ppm = -steering_.discipline().tracking().frequency / kPpm; !options_.drift && ppm != 0)
    log(os::LogLevel::info, fmt::format("Initial frequency {:.3f} ppm", ppm));
  record_tracking(before_update(host_.kernel_time()), nullptr);
  take_dumps();
  if (wants_initial_offset())
    start_initial();
  else
    start_configured();
}

void SourceManager::start_configured() {
  start_refclocks();
  for (const NtpSource& config : settings_.sources) add_line(config);
  for (const NtpSource& config : settings_.directory_sources) add_directory_line(config);
  update_selection();  // what was loaded from dumps may be enough
}

void SourceManager::end() {
  if (options_.use != ClockUse::follow) return;
  withdraw_leap();
  if (auto ok = steering_.end(host_.kernel_time()); !ok) report_failure(ok.error());
}

void SourceManager::add_directory_line(const NtpSource& config) {
  const auto numeric = os::numeric_address(config.name);
  if (numeric && address_in_use(numeric->address))
    return log(os::LogLevel::warning,
               fmt::format("Could not add source {}: there is one already", config.name));
  directory_lines_.emplace_back(config, add_line(config));
}

void SourceManager::remove_line(std::uint32_t line) {
  std::vector<SourceId> ids;
  for (const auto& s : sources_)
    if (s->line == line) ids.push_back(s->id);
  for (const SourceId id : ids) remove_source(id);
}

std::uint32_t SourceManager::add_line(const NtpSource& given) {
  const std::uint32_t line = ++last_line_;
  NtpSource config = given;
  if (config.family == Family::unspecified) config.family = options_.only;
  const bool numeric = os::numeric_address(config.name).has_value();
  // Of a pool twice as many are asked as are wanted; the first to answer stay (take_status).
  const bool pool = config.kind == NtpSource::Kind::pool && !numeric;
  const unsigned count = pool ? std::min(2 * config.max_sources, kMostOfPool) : 1;
  for (unsigned i = 0; i < count; ++i) {
    sources_.push_back(std::make_unique<Source>(++last_id_, line, config, defaults()));
    if (numeric) start_source(*sources_.back());
  }
  check_key(config);
  if (config.ext_mono_root || config.ext_net_correction)
    log(os::LogLevel::warning,
        fmt::format("{}: this version sends no extension fields (extfield)", config.name));
  if (!numeric) want_address(line);
  return line;
}

void SourceManager::start_source(Source& source) {
  source.refid = ntp::reference_id(source.ntp->address.address);
  forget_measurements(source);
  act(source, source.ntp->association.start(moment(source)));
  restore(source);
}

void SourceManager::forget_measurements(Source& source) {
  source.statistics.reset();
  if (source.filter) source.filter->reset();
  source.status = {};
  if (source.refclock) {
    source.refclock->clock.reset();
    source.refclock->reach.clear();
  } else {
    source.ntp->polls.reset();
    source.ntp->copied_refid.reset();
  }
  source.fresh = false;
  source.verdict = {};
  source.called_false = false;
  if (source.ntp) source.ntp->bad_samples = 0;
}

void SourceManager::remove_source(SourceId id) {
  host_.set_timer(id, std::nullopt);
  host_.close_socket(id);
  if (selected_ == id) selected_.reset();
  std::erase_if(sources_, [id](const auto& s) { return s->id == id; });
}

// --- events -----------------------------------------------------------------------------------------------

void SourceManager::timer(SourceId id) {
  Source* const source = find(id);
  if (source == nullptr) return;
  if (source->refclock)
    refclock_timer(*source);
  else
    act(*source, source->ntp->association.timer(moment(*source)));
}

void SourceManager::receive(SourceId id, const Packet& packet) {
  Source* const source = find(id);
  if (source == nullptr || !source->ntp) return;
  const KernelStamp kernel =
      packet.received ? *packet.received : KernelStamp{host_.kernel_time(), 0, ntp::StampSource::daemon};
  ntp::Reception reception;
  reception.bytes = packet.bytes;
  reception.stamp = {steering_.cooked(kernel.time), kernel.error, kernel.source};
  reception.local = packet.local;
  reception.authentication = authenticate(*source->ntp, packet.bytes);
  if (host_.serves_others() && packet.local.family != Family::unspecified)
    reception.own_refid = ntp::reference_id(packet.local);
  act(*source, source->ntp->association.receive(moment(*source), reception));
}

bool SourceManager::receive_symmetric(const Packet& packet) {
  for (const auto& s : sources_) {
    if (!s->is_peer() || s->ntp->address.address != packet.from.address ||
        s->ntp->address.port != packet.from.port || !s->ntp->association.wants(packet.bytes))
      continue;
    receive(s->id, packet);
    return true;
  }
  return false;
}

void SourceManager::transmit_stamp(SourceId id, std::span<const std::byte> frame, const KernelStamp& kernel) {
  if (Source* source = find(id); source != nullptr && source->ntp)
    source->ntp->association.transmit_stamp(without_mac(*source->ntp, frame),
                                            {steering_.cooked(kernel.time), kernel.error, kernel.source});
}

void SourceManager::transmit_stamp_symmetric(std::span<const std::byte> frame, const KernelStamp& kernel) {
  for (const auto& s : sources_)
    if (s->ntp && s->ntp->config.kind == NtpSource::Kind::peer) transmit_stamp(s->id, frame, kernel);
}

void SourceManager::act(Source& source, ntp::Actions actions) {
  const SourceId id = source.id;
  for (const ntp::Action& action : actions) {
    if (find(id) == nullptr) return;  // removed by what an action led to
    if (const auto* packet = std::get_if<ntp::Send>(&action)) {
      send(source, *packet);
    } else if (const auto* timer = std::get_if<ntp::SetTimer>(&action)) {
      host_.set_timer(id, timer->at);
    } else if (std::holds_alternative<ntp::CloseSocket>(action)) {
      host_.close_socket(id);
    } else if (const auto* taken = std::get_if<ntp::SampleTaken>(&action)) {
      take_sample(source, taken->sample);
    } else if (const auto* status = std::get_if<ntp::StatusUpdate>(&action)) {
      take_status(source, *status);
    } else if (const auto* gone = std::get_if<ntp::Unreachable>(&action)) {
      unreachable(source, gone->reason);
    } else if (const auto* kiss = std::get_if<ntp::KissReceived>(&action)) {
      log(os::LogLevel::warning,
          fmt::format("Received KoD {} from {}", std::string_view{kiss->code.data(), kiss->code.size()},
                      source.label()));
    } else if (const auto* packet_judged = std::get_if<ntp::PacketJudged>(&action)) {
      record(source, *packet_judged);
    } else if (std::holds_alternative<ntp::WentOffline>(action)) {
      // Told before when it was a command: this is the end of the burst that was let run.
      if (!source.ntp->config.offline)
        log(os::LogLevel::info, fmt::format("Source {} offline", source.label()));
      update_selection();
    }
  }
}

void SourceManager::send(Source& source, const ntp::Send& packet) {
  const ntp::Key* const key = key_of(*source.ntp);
  const bool may_send = key != nullptr || source.ntp->config.key_id == 0;
  Outgoing outgoing;
  const auto bytes = outgoing.write(packet.bytes, key);
  // Before it goes: sending may take longer than the way there, and no round trip may look shorter than it
  // was.
  const WallTime before = cooked_now();
  if (may_send && host_.send(source.id, source.ntp->address, bytes, packet.socket))
    source.ntp->association.transmitted({before, 0, ntp::StampSource::daemon});
  else
    act(source, source.ntp->association.send_failed(moment(source)));
}

void SourceManager::every_second() {
  retry_due();
  const Nanoseconds now = host_.monotonic();
  if (initial_until_ && now >= *initial_until_) give_up_initial();
  if (settings_.name_refresh.count() > 0 && now - refreshed_at_ >= settings_.name_refresh) refresh();
  fall_back();
  update_leap();
  tell_kernel();
}

void SourceManager::clock_was_set(double delta) {
  const WallTime after = host_.kernel_time();
  const WallTime before = clock::advanced(after, -delta);
  const WallTime time_before = steering_.cooked(before);
  constexpr double kKernelLeap = 0.1;  // s: how far a leap second may look from being one
  if (leap_.mode() == clock::LeapMode::system && leap_.is_close(time_before) && !leap_applied_ &&
      leap_.correction() != 0 && std::fabs(delta - leap_.correction()) < kKernelLeap) {
    leap_applied_ = true;
    steering_.moved(before, delta);
    log(os::LogLevel::warning, "System clock was stepped by the kernel for leap second");
    leap_passed(time_before);
    return;
  }
  log(os::LogLevel::warning,
      fmt::format("{} time jump detected! The clock was set by {:.6f} seconds by another program",
                  delta > 0 ? "Forward" : "Backward", delta));
  if (!steering_.device().is_real()) {
    // Ours is a clock of its own: it goes on as it did.
    if (auto ok = steering_.hold(before, after); !ok) report_failure(ok.error());
    return;
  }
  steering_.moved(before, delta);
  steering_.discipline().time_moved(delta);
  shift({time_before, 0, delta}, Move::stepped);
  for (const auto& s : sources_) s->fresh = s->statistics.samples() > 0;  // news for this clock
  update_selection();
  arm_clock_timer();
}

}  // namespace wiretime::control
