// SPDX-License-Identifier: BSD-3-Clause
#include "clock/refclock.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr int kShortestPoll = -10;
constexpr int kLongestPoll = 24;
constexpr double kMostOffset = 4'294'967'296.0;  // s, an NTP era
// Of a pulse interval: what partner and pulse may differ by, with their errors, for a pulse to be the
// partner's.
constexpr double kLockLimit = 0.4;
constexpr double kServedLimit = 0.5;        // the same for the time we serve
constexpr unsigned kLeastLocalLockAge = 3;  // pulse intervals

RefclockConfig checked(RefclockConfig c) {
  c.poll = std::clamp(c.poll, kShortestPoll, kLongestPoll);
  c.driver_poll = std::clamp(c.driver_poll, kShortestPoll, c.poll);
  c.rate = std::max(c.rate, 1U);
  if (c.local) {
    c.pps = true;
    c.max_lock_age = std::max(c.max_lock_age, kLeastLocalLockAge);
  }
  return c;
}

}  // namespace

ClockReading reading_of(WallTime system, WallTime reference, Leap leap) {
  const Nanoseconds offset = reference - system;
  const auto whole = std::chrono::round<std::chrono::seconds>(offset);
  ClockReading reading;
  reading.system = system;
  reading.seconds = whole.count();
  reading.fraction = std::chrono::duration<double>(offset - whole).count();
  reading.leap = leap;
  return reading;
}

Refclock::Refclock(const RefclockConfig& config)
    : config_{checked(config)}, filter_{FilterKind::median, config.filter_length, config.max_dispersion} {}

ReadingVerdict Refclock::add(const ClockReading& reading, const Context& context) {
  reached_ = true;
  const double offset = static_cast<double>(reading.seconds) + reading.fraction;
  if (!(std::fabs(offset) < kMostOffset)) return ReadingVerdict::nonsense;
  const WallTime time = advanced(reading.system, context.correction);
  const double age = seconds_between(time, context.now);
  if (age < 0 || age > std::ldexp(1, config_.poll + 1)) return ReadingVerdict::wrong_age;
  if (filter_.last() && time <= filter_.last()->time) return ReadingVerdict::out_of_order;
  if (reading.leap == Leap::unsynchronised) return ReadingVerdict::not_synchronised;

  Sample sample;
  sample.time = time;
  sample.peer_delay = sample.root_delay = config_.delay;
  sample.peer_dispersion = sample.root_dispersion = reading.error + config_.precision;
  sample.stratum = config_.stratum;
  sample.leap = reading.leap;
  const bool pulse = reading.pulse || config_.pps;
  const double change = config_.offset - context.correction;
  if (pulse) {
    sample.offset = std::remainder(reading.fraction + change, 1.0 / config_.rate);
    if (const auto verdict = complete(sample, context); verdict != ReadingVerdict::taken) return verdict;
  } else {
    if (config_.tai && context.tai_offset == 0) return ReadingVerdict::no_tai_offset;
    sample.offset = offset + change - (config_.tai ? context.tai_offset : 0);
  }
  pulses_ = pulse;
  leap_ = sample.leap;
  filter_.add(sample);
  if (!config_.polled) ++ticks_;
  return ReadingVerdict::taken;
}

// Finds out which pulse it was.
ReadingVerdict Refclock::complete(Sample& sample, const Context& context) {
  if (config_.local) return lock_to(*this, sample);
  if (context.locked)
    return context.partner != nullptr ? lock_to(*context.partner, sample) : ReadingVerdict::no_partner;
  if (context.leap == Leap::unsynchronised || context.distance >= kServedLimit / config_.rate) {
    filter_.reset();
    return ReadingVerdict::we_are_lost;
  }
  if (!is_edge(sample.offset, context.distance)) return ReadingVerdict::wrong_edge;
  sample.leap = context.leap;
  return ReadingVerdict::taken;
}

ReadingVerdict Refclock::lock_to(const Refclock& partner, Sample& sample) {
  if (!partner.last()) {
    if (!config_.local) return ReadingVerdict::no_partner;
    sample.leap = Leap::none;
    return ReadingVerdict::taken;  // the first one defines its time
  }
  const double interval = 1.0 / config_.rate;
  const Sample& other = *partner.last();
  if (std::fabs(seconds_between(other.time, sample.time)) >= config_.max_lock_age * interval) {
    if (!config_.local) return ReadingVerdict::old_partner;
    filter_.reset();
    return ReadingVerdict::lost_lock;
  }
  const double difference = std::remainder(other.offset - sample.offset, interval);
  const double uncertain = other.root_dispersion + partner.filter_.spread() + sample.root_dispersion;
  if (std::fabs(difference) + uncertain > kLockLimit * interval) return ReadingVerdict::ambiguous;
  if (!is_edge(difference, 0)) return ReadingVerdict::wrong_edge;
  sample.offset = other.offset - difference;
  sample.leap = partner.leap();
  return ReadingVerdict::taken;
}

// The other edge is `width` away on one side and the rest of the interval on the other: nearer to this one
// than half of that it can only be the right one.
bool Refclock::is_edge(double offset, double distance) const {
  if (config_.width <= 0) return true;
  const double most = std::min(config_.width, 1.0 / config_.rate - config_.width) / 2;
  return std::fabs(offset) <= most && distance <= most;
}

double Refclock::interval() const {
  return std::ldexp(1, config_.polled ? config_.driver_poll : config_.poll);
}

bool Refclock::tick() {
  return !config_.polled || ++ticks_ >= (std::uint64_t{1} << (config_.poll - config_.driver_poll));
}

Refclock::Poll Refclock::poll() {
  Poll result;
  result.reached = reached_;
  reached_ = false;
  ticks_ = 0;
  result.sample = filter_.take();
  // Kept out of the selection, and out of the clock's leap status.
  if (result.sample && config_.local) result.sample->leap = Leap::unsynchronised;
  return result;
}

}  // namespace wiretime::clock
