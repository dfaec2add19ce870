// SPDX-License-Identifier: BSD-3-Clause
// SourceManager's reference clocks: what their drivers read, which clock completes their pulses, and the one
// (`local`) that only steadies ours.
#include <fmt/format.h>

#include <algorithm>

#include "control/source_manager.hpp"
#include "ntp/poll_schedule.hpp"
#include "ntp/reference_id.hpp"

namespace wiretime::control {

void SourceManager::start_refclocks() {
  for (std::size_t i = 0; i < settings_.refclocks.size(); ++i)
    sources_.push_back(
        std::make_unique<Source>(++last_id_, ++last_line_, settings_.refclocks[i], i, defaults()));
  for (const auto& s : sources_) {
    if (!s->refclock) continue;
    const std::uint32_t lock = s->refclock->lock;
    const Source* const partner = find_refclock(lock);
    if (lock != 0 && (partner == nullptr || partner == s.get()))
      log(os::LogLevel::warning, fmt::format("Invalid lock refid {} of refclock {}: no other refclock has it",
                                             ntp::reference_name(lock), s->label()));
    host_.set_timer(s->id, host_.monotonic());
    restore(*s);
  }
}

Source* SourceManager::find_refclock(std::uint32_t refid) {
  for (const auto& s : sources_)
    if (s->refclock && s->refid == refid) return s.get();
  return nullptr;
}

Source* SourceManager::find(const status::SourceAddress& address, std::uint32_t refid) {
  return address == status::SourceAddress{} ? find_refclock(refid) : find(address);
}

void SourceManager::receive_reading(std::size_t index, const clock::ClockReading& reading) {
  for (const auto& s : sources_)
    if (s->refclock && s->refclock->index == index) return take_reading(*s, reading);
}

void SourceManager::refclock_timer(Source& source) {
  RefclockPart& r = *source.refclock;
  if (r.clock.config().polled)
    if (const auto reading = host_.read_refclock(r.index)) take_reading(source, *reading);
  host_.set_timer(source.id, host_.monotonic() + ntp::from_seconds(r.clock.interval()));
  if (r.clock.tick()) poll_refclock(source);
}

void SourceManager::take_reading(Source& source, const clock::ClockReading& reading) {
  RefclockPart& r = *source.refclock;
  const clock::Reference served = host_.reference();
  clock::Refclock::Context context;
  context.now = cooked_now();
  if (leap_.is_close(context.now)) return;
  context.correction = steering_.correction(reading.system);
  if (r.config.tai) context.tai_offset = leap_.tai_offset_at(context.now);
  context.locked = r.lock != 0;
  if (const Source* partner = context.locked ? find_refclock(r.lock) : nullptr)
    context.partner = &partner->refclock->clock;
  context.leap = served.leap;
  context.distance = served.root_delay.seconds() / 2 + served.root_dispersion.seconds();
  const auto verdict = r.clock.add(reading, context);
  if (verdict == clock::ReadingVerdict::lost_lock) {
    log(os::LogLevel::warning, "Local refclock lost lock");
    source.statistics.reset();
  }
  if (verdict != clock::ReadingVerdict::taken) return;
  const double raw = r.clock.pulses() ? r.clock.last()->offset + context.correction - r.clock.config().offset
                                      : static_cast<double>(reading.seconds) + reading.fraction;
  record(source, raw, *r.clock.last());
}

void SourceManager::poll_refclock(Source& source) {
  RefclockPart& r = *source.refclock;
  ++r.polls;
  const auto poll = r.clock.poll();
  const bool was_reachable = source.status.reach != 0;
  r.reach.record(poll.reached);
  source.status.reach = r.reach.bits();
  const bool added = poll.sample && add_refclock_sample(source, *poll.sample);
  if (added || was_reachable != (source.status.reach != 0)) update_selection();
  give_up_once();
}

bool SourceManager::add_refclock_sample(Source& source, clock::Sample sample) {
  RefclockPart& r = *source.refclock;
  if (r.clock.pulses() && r.lock == 0 && !r.config.local) sample.stratum = pulse_stratum(source);
  source.status.stratum = sample.stratum;
  source.status.leap = sample.leap;
  std::optional<clock::SourceEstimate> before;
  if (r.config.local && source.statistics.ready()) before = source.statistics.estimate();
  record(source, {}, sample);
  if (!accumulate(source, sample)) return false;
  if (before) follow_local(source, *before);
  return true;
}

// Pulses that were counted with our own time add nothing to its authority: while they, or others like them,
// or the `local` reference are what we serve, our stratum stays as it is.
std::uint8_t SourceManager::pulse_stratum(const Source& source) {
  const clock::Reference served = host_.reference();
  const Source* const followed = find_refclock(served.refid);
  const bool pulses =
      followed != nullptr && followed->refclock->clock.pulses() && followed->refclock->lock == 0;
  const bool keep = followed == &source || pulses || served.refid == clock::kLocalRefid;
  return keep && served.stratum > 0 ? static_cast<std::uint8_t>(served.stratum - 1) : std::uint8_t{0};
}

// Takes back what our clock wandered against the steadier one since `before`. The samples of other sources
// were taken against the clock as it was before it wandered, so they stay as they are.
void SourceManager::follow_local(Source& source, const clock::SourceEstimate& before) {
  if (!source.statistics.ready() || options_.use != ClockUse::follow) return;
  const clock::SourceEstimate& now = source.statistics.estimate();
  const double expected = before.offset + clock::seconds_between(before.time, now.time) * before.frequency;
  const auto change =
      steering_.adjust(host_.kernel_time(), now.frequency - before.frequency, now.offset - expected);
  if (!change) return report_failure(change.error());
  source.shift(*change);
  smooth(*change, Move::slewed);
  arm_clock_timer();
}

}  // namespace wiretime::control
