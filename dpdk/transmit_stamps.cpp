// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/transmit_stamps.hpp"

#include <fmt/format.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

namespace wiretime::dpdk {

namespace {

using State = SampleSlot::State;
using clock::TransmitRung;

constexpr double kLead = 10e-6;           // s, that a burst is launched ahead: longer than writing it takes
constexpr double kLongestBacklog = 1e-3;  // s; more than the frames a transmit queue holds take to send
constexpr double kTimeout = 5e-3;         // s, that a stamp may take
constexpr double kMapError = 1e-6;        // s, that a right stamp may seem to lie outside of its flight
constexpr double kOffSchedule = 1e-6;     // s; launched frames leave closer than that to when they should
// Samples lost in a row, from which on the NIC is asked seldom only: it may come back.
constexpr unsigned kHopeless = 200;
constexpr unsigned kHopelessWait = 2000;  // calls of sample

std::uint32_t wire_rate(double ticks_per_second, std::uint32_t link_speed) {
  return link_speed == 0 ? 0 : static_cast<std::uint32_t>(ticks_per_second * 8 / (link_speed * 1e6) * 65536);
}

double difference(Ticks a, Ticks b) {
  return static_cast<double>(static_cast<std::int64_t>(a.value - b.value));
}

}  // namespace

// Of mlx5, the only driver in DPDK 22.11 that launches: a frame that came too late or too early for the
// schedule is sent at once.
TransmitCalls ethdev_transmit_calls(std::uint16_t port) {
  std::vector<std::uint64_t> ids;
  for (const char* name : {"tx_pp_timestamp_past_errors", "tx_pp_timestamp_future_errors",
                           "tx_pp_timestamp_order_errors", "tx_pp_sync_lost"}) {
    std::uint64_t id = 0;
    if (rte_eth_xstats_get_id_by_name(port, name, &id) == 0) ids.push_back(id);
  }
  TransmitCalls calls;
  calls.read_stamp = [port](timespec& t) { return rte_eth_timesync_read_tx_timestamp(port, &t); };
  calls.late = [port, ids] {
    std::vector<std::uint64_t> values(ids.size());
    const auto wanted = static_cast<unsigned>(ids.size());
    if (ids.empty() || rte_eth_xstats_get_by_id(port, ids.data(), values.data(), wanted) < 0)
      return std::uint64_t{0};
    std::uint64_t sum = 0;
    for (const std::uint64_t v : values) sum += v;
    return sum;
  };
  return calls;
}

TransmitStamps::TransmitStamps(std::string port, const LaunchField& launch, double ticks_per_second,
                               const Options& options)
    : port_{std::move(port)},
      launch_{launch},
      ticks_per_second_{ticks_per_second},
      options_{options},
      ladder_{{}} {
  publish({}, 0);
}

TransmitPath TransmitStamps::path() {
  TransmitPath path;
  path.plan = &plan_;
  path.slot = &slot_;
  path.number = static_cast<std::uint32_t>(queue_events_.size());
  path.events = &queue_events_.emplace_back();
  path.launch = launch_;
  return path;
}

void TransmitStamps::start(TransmitCalls calls, bool stamped, os::Log& log) {
  calls_ = std::move(calls);
  clock::TransmitLadder::Offer offer;
  offer.launch = launch_.flag != 0;
  timespec none{};
  offer.stamps = stamped && calls_.read_stamp(none) != -ENOTSUP;
  ladder_ = clock::TransmitLadder{offer};
  late_before_ = calls_.late();
  log.info("{}", os::fields("transmit timestamps", "port", port_, "rung", name(ladder_.rung()), "launch",
                            offer.launch ? "offered" : "no", "stamps", offer.stamps ? "offered" : "no"));
}

std::uint64_t TransmitStamps::count(Event event) const {
  std::uint64_t sum = own_events_.get(event);
  for (const auto& events : queue_events_) sum += events.get(event);
  return sum;
}

void TransmitStamps::sample(const clock::NicSnapshot& nic, Ticks now) {
  const std::uint64_t turn = slot_.turn.load(std::memory_order_acquire);
  if (SampleSlot::state_of(turn) == State::flying) read(nic, now, static_cast<std::uint32_t>(turn >> 8));
  if (slot_.turn.load(std::memory_order_relaxed) == SampleSlot::turn_of(State::closed)) open_slot();
}

// A stamp that came too late for its frame must not be taken for the next one's.
void TransmitStamps::open_slot() {
  if (wait_ > 0) {
    --wait_;
    return;
  }
  timespec stale{};
  (void)calls_.read_stamp(stale);
  slot_.turn.store(SampleSlot::turn_of(State::open), std::memory_order_release);
}

void TransmitStamps::close(std::uint32_t lost) {
  lost_in_a_row_ = lost;
  if (lost_in_a_row_ >= kHopeless) wait_ = kHopelessWait;
  slot_.turn.store(SampleSlot::turn_of(State::closed), std::memory_order_release);
}

void TransmitStamps::read(const clock::NicSnapshot& nic, Ticks now, std::uint32_t number) {
  timespec stamp{};
  if (calls_.read_stamp(stamp) != 0) {
    if (difference(now, slot_.departure.written) < kTimeout * ticks_per_second_) return;
    own_events_.add(Event::lost);
    return close(lost_in_a_row_ + 1);
  }
  // Nobody can tell what it means; says nothing against the NIC's stamps.
  if (nic.rate == 0 || static_cast<std::int64_t>(now.value - nic.expires.value) >= 0)
    return close(lost_in_a_row_);
  const auto shown =
      static_cast<std::uint64_t>(stamp.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(stamp.tv_nsec);
  take(nic, nic.ticks_at(shown), now, number);
}

void TransmitStamps::take(const clock::NicSnapshot& nic, Ticks left, Ticks now, std::uint32_t number) {
  const clock::Departure& d = slot_.departure;
  const double tolerance = (kMapError + nic.error_bound_ns * 1e-9) * ticks_per_second_;
  if (difference(left, d.written) < -tolerance || difference(left, now) > tolerance) {
    own_events_.add(Event::refused);
    return close(lost_in_a_row_ + 1);
  }
  own_events_.add(Event::sampled);
  left.value += static_cast<std::uint64_t>(std::llround(options_.compensation * ticks_per_second_));
  const double deviation = difference(left, slot_.leaves);
  if (d.rung == TransmitRung::launch)
    off_schedule_ = std::fabs(deviation) > kOffSchedule * ticks_per_second_ ? off_schedule_ + 1 : 0;
  else if (d.follows)
    calibration_.add_deviation(deviation);
  else
    calibration_.add(slot_.frames, deviation + static_cast<double>(d.latency),
                     deviation + difference(d.leaves, slot_.done));
  if (!slot_.remembered) return close(0);
  lost_in_a_row_ = 0;
  slot_.leaves = left;
  slot_.turn.store(SampleSlot::turn_of(State::measured, number), std::memory_order_release);
}

void TransmitStamps::refresh(const clock::NicSnapshot& nic, std::uint32_t link_speed, Ticks now,
                             os::Log& log) {
  if (const std::uint64_t late = calls_.late ? calls_.late() : 0; late > late_before_)
    own_events_.add(Event::late, late - std::exchange(late_before_, late));
  clock::TransmitLadder::Evidence e;
  e.now = static_cast<double>(now.value) / ticks_per_second_;
  e.clock_usable =
      nic.rate != 0 && !nic.wraps_at_32 && static_cast<std::int64_t>(now.value - nic.expires.value) < 0;
  e.calibrated = calibration_.ready();
  e.spread = calibration_.spread() / ticks_per_second_;
  e.lost = lost_in_a_row_;
  e.off_schedule = off_schedule_;
  e.launched = count(Event::launched);
  e.late = count(Event::late);
  if (lost_in_a_row_ >= kHopeless && own_events_.get(Event::sampled) == 0 &&
      !std::exchange(told_hopeless_, true))
    log.info("{}", os::fields("transmit timestamps", "port", port_, "rung", name(ladder_.rung()), "stamps",
                              "never came", "lost", count(Event::lost)));
  const auto change = ladder_.judge(e);
  if (change) {
    tell(*change, log);
    off_schedule_ = 0;
  }
  publish(nic, link_speed);
}

void TransmitStamps::publish(const clock::NicSnapshot& nic, std::uint32_t link_speed) {
  clock::TransmitPlan plan;
  plan.rung = ladder_.rung();
  plan.wire_rate = wire_rate(ticks_per_second_, link_speed);
  plan.latency = std::llround(calibration_.line().latency);
  plan.per_frame = std::llround(calibration_.line().per_frame * 65536);
  plan.reach = std::llround(calibration_.reach());
  plan.plain_latency = std::llround(options_.plain_latency * ticks_per_second_);
  plan.launch_compensation = std::llround(options_.compensation * ticks_per_second_);
  plan.lead = static_cast<std::uint64_t>(kLead * ticks_per_second_);
  plan.longest_backlog = static_cast<std::uint64_t>(kLongestBacklog * ticks_per_second_);
  plan.anchor_nic = nic.anchor_nic;
  plan.anchor_ticks = nic.anchor_ticks;
  plan.expires = nic.expires;
  if (nic.rate != 0)
    plan.nic_rate = static_cast<std::uint64_t>(
        std::ldexp(1.0 / static_cast<double>(nic.rate),
                   static_cast<int>(clock::TransmitPlan::kRateShift + clock::NicSnapshot::kRateShift)));
  else if (plan.rung == TransmitRung::launch)
    plan.rung = TransmitRung::plain;
  plan_.store(plan);
}

void TransmitStamps::tell(const clock::TransmitLadder::Change& change, os::Log& log) const {
  const auto ns = [&](double ticks) { return fmt::format("{:.0f}", ticks / ticks_per_second_ * 1e9); };
  const bool known = calibration_.ready();
  const auto level = change.to > change.from ? os::LogLevel::warning : os::LogLevel::info;
  log.write(level, os::fields("transmit timestamps", "port", port_, "rung", name(change.to), "was",
                              name(change.from), "why", change.why, "latency_ns",
                              known ? ns(calibration_.line().at(1)) : "-", "spread_ns",
                              known ? ns(calibration_.spread()) : "-", "late", count(Event::late), "lost",
                              count(Event::lost), "refused", count(Event::refused)));
}

clock::TransmitStatus TransmitStamps::status() const {
  clock::TransmitStatus s;
  s.rung = ladder_.rung();
  s.launch_offered = ladder_.offer().launch;
  s.stamps_offered = ladder_.offer().stamps;
  if (calibration_.ready()) {
    s.latency = calibration_.line().at(1) / ticks_per_second_;
    s.spread = calibration_.spread() / ticks_per_second_;
  }
  for (std::size_t i = 0; i < s.events.size(); ++i) s.events[i] = count(static_cast<Event>(i));
  return s;
}

}  // namespace wiretime::dpdk
