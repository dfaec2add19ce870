// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/generator.hpp"

#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include <algorithm>
#include <cmath>

#include "os/tsc.hpp"
#include "perf/wireload/timing.hpp"

namespace wiretime::load {

namespace {

constexpr double kQuiet = 0.02;           // s, without any reply after the last expected one
constexpr double kWindowPatience = 0.25;  // s, until a request is given up in window mode
constexpr double kAdaptEvery = 1e-3;      // s
constexpr double kPublishEvery = 0.1;     // s
constexpr std::uint64_t kWhole = std::uint64_t{1} << 32;

std::uint64_t now_ticks() noexcept {
  return os::read_tsc().value;
}

bool answers_a_request(Finding f) noexcept {
  return f != Finding::duplicate && f != Finding::unexpected && f != Finding::late;
}

}  // namespace

Generator::Generator(Wire& wire, const Path& path, const Clients& clients, const Options& options,
                     std::uint64_t seed, const std::atomic<bool>& stop)
    : wire_{wire},
      path_{path},
      clients_{clients},
      stop_{stop},
      ticks_per_second_{ticks_per_second()},
      ns_per_tick_{static_cast<std::uint64_t>(1e9 / ticks_per_second_ * static_cast<double>(kWhole))},
      seed_{seed},
      interleaved_{options.interleaved},
      mix_{options.mix},
      wait_{std::chrono::duration<double>(options.wait).count()},
      check_{options.interleaved ? std::optional{1.0} : options.check},
      order_{clients.count(), mix64(seed)},
      cookie_{mix64(seed + 1)},
      writer_{path},
      last_replies_(options.interleaved ? clients.count() : 0),
      verifier_{path_,
                clients_,
                order_,
                cookie_,
                answered_,
                options.interleaved ? &last_replies_ : nullptr,
                {options.clock_bound ? std::optional{NtpDuration::from(*options.clock_bound)} : std::nullopt,
                 ticks_per_second_, options.reflector}},
      window_{static_cast<std::uint64_t>(kWindowPatience * ticks_per_second_)} {}

void Generator::run(const StepPlan& plan, const OwnClock& clock) noexcept {
  tally_ = Tally{};
  replies_ = 0;
  automatic_ = AutomaticShare{plan.rate};
  // A window waits for each reply, so each is read.
  adapts_ = !check_ && plan.window == 0;
  sampler_.set(plan.window > 0 ? 1.0 : check_.value_or(automatic_.share()));
  verifier_.set_clock(clock);
  verifier_.begin_step(sequence_);
  adapted_replies_ = 0;
  adapted_at_ = now_ticks();
  window_.begin(sequence_, adapted_at_);
  if (path_.ipv6())
    interleaved_ ? run_as<true, true>(plan) : run_as<true, false>(plan);
  else
    interleaved_ ? run_as<false, true>(plan) : run_as<false, false>(plan);
  empty_stash();
  publish();
}

template <bool kIpv6, bool kInterleaved>
void Generator::run_as(const StepPlan& plan) noexcept {
  const std::uint64_t start = now_ticks();
  const auto end = start + static_cast<std::uint64_t>(plan.seconds * ticks_per_second_);
  const auto publish_every = static_cast<std::uint64_t>(kPublishEvery * ticks_per_second_);
  const auto quiet = static_cast<std::uint64_t>(kQuiet * ticks_per_second_);
  const auto linger = static_cast<std::uint64_t>(wait_ * ticks_per_second_);
  Pacer pacer{start, std::max(plan.rate, 1.0), ticks_per_second_, Pacer::usual_catch_up(plan.rate)};

  std::uint64_t now = start;
  while (now < end && !stop_.load(std::memory_order_relaxed)) {
    (void)receive<kIpv6>();
    now = now_ticks();
    if (plan.window > 0) {
      const std::uint64_t room = window_.room(plan.window, tally_.sent, sequence_, now, answered_);
      send<kIpv6, kInterleaved>(static_cast<unsigned>(std::min<std::uint64_t>(room, kBurst)), nullptr, now);
    } else if (plan.rate > 0) {
      const auto due = static_cast<unsigned>(std::min<std::uint64_t>(pacer.due(std::min(now, end)), kBurst));
      pacer.issued(send<kIpv6, kInterleaved>(due, &pacer, now));
    } else {
      send<kIpv6, kInterleaved>(kBurst, nullptr, now);
    }
    if (now - adapted_at_ > static_cast<std::uint64_t>(kAdaptEvery * ticks_per_second_)) {
      adapt_check_share(now, plan.rate <= 0 || pacer.given_up() > tally_.not_sent);
      tally_.not_sent = pacer.given_up();
      if (now - published_at_ > publish_every) publish();
    }
  }
  tally_.sending_ticks = std::min(now, end) - start;
  if (plan.rate > 0) {
    const std::uint64_t still_due = now < end ? 0 : pacer.due(end);  // and gives up what is too much
    tally_.not_sent = pacer.given_up() + still_due;
  }
  const std::uint64_t last = now + linger;
  // Everything answered is no reason to stop at once: duplicates come behind.
  for (std::uint64_t quiet_since = now; now < last; now = now_ticks()) {
    if (receive<kIpv6>() > 0) quiet_since = now;
    if (replies_ >= tally_.sent && now - quiet_since > quiet) break;
  }
}

// Sends up to `wanted` requests, those of the pacer or such as are due now. How many the port took.
template <bool kIpv6, bool kInterleaved>
unsigned Generator::send(unsigned wanted, const Pacer* pacer, std::uint64_t now) noexcept {
  const unsigned count = fill_stash(wanted);
  if (count == 0) return 0;
  for (unsigned i = 0; i < count; ++i) choose_client(i);
  if constexpr (kInterleaved)
    for (unsigned i = 0; i < count; ++i) rte_prefetch0(&last_replies_[asking_[i]]);
  for (unsigned i = 0; i < count; ++i)
    write<kIpv6, kInterleaved>(i, pacer != nullptr ? pacer->due_time(i) : now);

  const unsigned sent = rte_eth_tx_burst(wire_.port(), 0, stash_.data(), static_cast<std::uint16_t>(count));
  for (unsigned i = 0; i < sent; ++i) {
    const auto bad = kind_of(sequences_[i]);
    if (bad)
      ++tally_.bad_sent[static_cast<std::size_t>(*bad)];
    else
      ++tally_.sent;
  }
  // What the port did not take is written anew, with its numbers, when there is room.
  if (sent < count) sequence_ = sequences_[sent];
  stashed_ -= sent;
  std::copy_n(stash_.begin() + sent, stashed_, stash_.begin());
  return sent;
}

inline std::optional<BadPacket> Generator::kind_of(std::uint64_t sequence) const noexcept {
  return mix_.empty() ? std::nullopt : mix_.choose(sequence, seed_);
}

inline void Generator::choose_client(unsigned slot) noexcept {
  for (;;) {
    const std::uint64_t sequence = sequence_++;
    answered_.open(sequence);
    if (order_.client(static_cast<std::uint32_t>(sequence) & Cookie::kSequenceMask, asking_[slot])) {
      sequences_[slot] = sequence;
      return;
    }
    (void)answered_.take(sequence);  // nobody's: nothing to wait for
  }
}

template <bool kIpv6, bool kInterleaved>
void Generator::write(unsigned slot, std::uint64_t due) noexcept {
  rte_mbuf* const m = stash_[slot];
  auto* const frame = rte_pktmbuf_mtod(m, std::byte*);
  const auto number = static_cast<std::uint32_t>(sequences_[slot]) & Cookie::kSequenceMask;
  const std::uint32_t client = asking_[slot];
  const Endpoint from = clients_.endpoint<kIpv6>(client);
  RequestStamps stamps;
  stamps.transmit = cookie_.make({due, number, false});
  std::uint16_t length = writer_.length();
  if (const auto bad = kind_of(sequences_[slot]); __builtin_expect(bad.has_value(), false)) {
    length = write_bad(frame, *bad, writer_, path_, from, stamps.transmit);
  } else {
    if constexpr (kInterleaved) {
      stamps.origin = last_replies_[client].receive;
      if (stamps.origin != 0) stamps.receive = cookie_.make({due, number, true});
    }
    writer_.write<kIpv6, kInterleaved>(frame, from, stamps);
  }
  m->data_len = length;
  m->pkt_len = length;
}

template <bool kIpv6>
unsigned Generator::receive() noexcept {
  std::array<rte_mbuf*, kBurst> frames;
  constexpr unsigned kAhead = 4;
  const unsigned n = rte_eth_rx_burst(wire_.port(), 0, frames.data(), kBurst);
  if (n == 0) return 0;
  const std::uint64_t now = now_ticks();
  unsigned kept = 0;
  for (unsigned i = 0; i < std::min(n, kAhead); ++i) rte_prefetch0(rte_pktmbuf_mtod(frames[i], void*));
  for (unsigned i = 0; i < n; ++i) {
    if (i + kAhead < n) rte_prefetch0(rte_pktmbuf_mtod(frames[i + kAhead], void*));
    rte_mbuf* const m = frames[i];
    const auto* const frame = rte_pktmbuf_mtod(m, const std::byte*);
    if (__builtin_expect(m->nb_segs != 1 || !verifier_.is_reply<kIpv6>(frame, m->data_len), false)) {
      ++tally_.checked[static_cast<std::size_t>(Finding::other)];
      wire_.answer(m);
      continue;
    }
    take<kIpv6>(frame, m->data_len, now);
    frames[kept++] = m;
  }
  rte_pktmbuf_free_bulk(frames.data(), kept);
  return n;
}

template <bool kIpv6>
inline void Generator::take(const std::byte* frame, std::size_t length, std::uint64_t now) noexcept {
  Finding finding;
  if (sampler_.takes(verifier_.echo<kIpv6>(frame, length))) {
    Reading reading;
    finding = verifier_.check<kIpv6>(frame, length, now, sequence_, reading);
    record(finding, reading);
    if (reading.sequence != Reading::kNone) window_.replied(reading.sequence);
  } else {
    finding = verifier_.glance<kIpv6>(frame, length);
    ++tally_.glanced[static_cast<std::size_t>(finding)];
  }
  if (finding == Finding::unexpected) {
    const std::byte* const port = frame + path_.udp() + net::udp::kDestinationPort;
    const std::size_t kind = static_cast<std::size_t>(load_be16(port)) - kFirstBadPort;
    if (kind < kBadPackets) ++tally_.provoked[kind];
  }
  replies_ += answers_a_request(finding) ? 1U : 0U;
}

inline void Generator::record(Finding finding, const Reading& reading) noexcept {
  ++tally_.checked[static_cast<std::size_t>(finding)];
  if (finding != Finding::valid) return;
  tally_.response.record(nanoseconds(reading.response_ticks));
  tally_.interleaved += reading.interleaved ? 1U : 0U;
  const std::int64_t server = reading.receive_to_transmit.nanoseconds().count();
  tally_.receive_to_transmit.record(static_cast<std::uint64_t>(std::max<std::int64_t>(server, 0)));
}

unsigned Generator::fill_stash(unsigned wanted) noexcept {
  if (wanted > stashed_ &&
      rte_pktmbuf_alloc_bulk(wire_.pool(), stash_.data() + stashed_, wanted - stashed_) == 0)
    stashed_ = wanted;
  return std::min(wanted, stashed_);
}

void Generator::empty_stash() noexcept {
  rte_pktmbuf_free_bulk(stash_.data(), stashed_);
  stashed_ = 0;
}

// Checks fewer replies where checking them all keeps the core from sending.
void Generator::adapt_check_share(std::uint64_t now, bool pressed) noexcept {
  const double seconds = static_cast<double>(now - adapted_at_) / ticks_per_second_;
  const double rate = static_cast<double>(replies_ - adapted_replies_) / seconds;
  adapted_at_ = now;
  adapted_replies_ = replies_;
  if (adapts_) sampler_.set(automatic_.next(rate, pressed));
}

void Generator::publish() noexcept {
  published_at_ = now_ticks();
  const auto say = [](std::atomic<std::uint64_t>& to, std::uint64_t value) {
    to.store(value, std::memory_order_relaxed);
  };
  std::uint64_t invalid = 0;
  for (auto f = static_cast<std::size_t>(kFirstFault); f <= static_cast<std::size_t>(kLastFault); ++f)
    invalid += tally_.checked[f] + tally_.glanced[f];
  live_.p99.store(tally_.response.quantile(0.99), std::memory_order_relaxed);
  say(live_.sent, tally_.sent);
  say(live_.answered, tally_.all(Finding::valid));
  say(live_.invalid, invalid);
  say(live_.kiss, tally_.all(Finding::kiss));
}

}  // namespace wiretime::load
