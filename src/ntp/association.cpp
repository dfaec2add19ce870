// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/association.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::ntp {

namespace {

constexpr double kInitialSkew = 2000e-6;           // s/s: no clock crystal is worse
constexpr unsigned kMaxUnansweredInterleaved = 4;  // then ask in basic mode: the server may have forgotten us
constexpr double kMissedPoll = 0.25;               // polls longer for each request without an answer
constexpr double kMissedPollSelected = 0.1;        // the same for the source we follow
constexpr double kPeerStretch = 1.1;               // how much one peer waits for the other

NtpTimestamp non_zero(std::uint64_t random, std::uint64_t unlike) noexcept {
  while (random == 0 || random == unlike) ++random;
  return {random};
}

void move(LocalStamp& stamp, WallTime at, double frequency_change, double offset_change) noexcept {
  const double since = clock::seconds_between(stamp.time, at);
  stamp.time = clock::advanced(stamp.time, offset_change - since * frequency_change);
}

}  // namespace

Association::Association(const SourceOptions& options, const LocalClock& clock) noexcept
    : options_(options),
      clock_(clock),
      schedule_(options),
      connectivity_(options.offline ? Connectivity::offline : Connectivity::online),
      skew_(kInitialSkew),
      remote_poll_(kHighestPoll),
      poll_before_(schedule_.poll()) {
  if (options_.version != 4) options_.xleave = false;
}

Actions Association::start(const Moment& now) {
  const bool stays_offline =
      connectivity_ == Connectivity::offline || connectivity_ == Connectivity::burst_offline;
  Actions actions;
  take_offline(actions);
  forget_exchange();
  reach_.clear();
  report_ = {};
  schedule_.reset();
  denied_ = false;
  skew_ = kInitialSkew;
  if (!stays_offline) start_sending(now);
  return finish(std::move(actions));
}

void Association::restore(std::uint8_t reach, std::uint8_t stratum, clock::Leap leap) noexcept {
  reach_.restore(reach);
  remote_stratum_ = stratum;
  remote_leap_ = leap;
}

Actions Association::timer(const Moment& now) {
  announced_.reset();  // the owner's timer is spent
  Actions actions;
  if (close_socket_at_ && *close_socket_at_ <= now.monotonic) {
    close_socket_at_.reset();
    sent_.awaits_reply = false;
    actions.emplace_back(CloseSocket{});
  }
  if (transmit_at_ && *transmit_at_ <= now.monotonic) transmit(now, actions);
  return finish(std::move(actions));
}

Actions Association::finish(Actions actions) {
  std::optional<Nanoseconds> earliest = transmit_at_;
  if (close_socket_at_ && (!earliest || *close_socket_at_ < *earliest)) earliest = close_socket_at_;
  if (earliest != announced_) {
    announced_ = earliest;
    actions.emplace_back(SetTimer{earliest});
  }
  return actions;
}

// --- sending ----------------------------------------------------------------------------------------------

void Association::transmit(const Moment& now, Actions& actions) {
  if (connectivity_ == Connectivity::burst_offline && schedule_.burst_total() == 0) {
    end_burst(now, actions);
    return;
  }
  advance_presend();
  advance_burst();
  const bool interleaved = interleave_next();
  const RequestStamps stamps = next_stamps(now, interleaved);
  actions.emplace_back(make_packet(now, stamps));
  sent_ = Sent{stamps, {now.wall, 0, StampSource::daemon}, interleaved, true, presend_left_ > 0};
  last_sent_at_ = now.monotonic;
  ++report_.transmitted;
  ++unanswered_;
  if (unanswered_ >= 2) count_missed_poll(actions);
  schedule_.burst_request_sent();
  sent_poll_ = current_poll();
  send_in(now, delay_after_sending());
  if (options_.kind == SourceKind::server) {
    // Whatever comes later would fail test A: no reason to leave the port open.
    close_socket_at_ = now.monotonic + from_seconds(std::min(options_.max_delay, 1e6) + kMaxServerInterval);
  }
}

void Association::advance_presend() noexcept {
  if (schedule_.in_burst() || !options_.presend_min_poll) {
    presend_left_ = 0;
  } else if (presend_left_ > 0) {
    --presend_left_;
  } else if (*options_.presend_min_poll <= schedule_.poll()) {
    // Interleaved mode needs a second packet: the first only makes the server keep a fresh timestamp.
    presend_left_ = options_.xleave ? 2 : 1;
  }
}

void Association::advance_burst() noexcept {
  if (connectivity_ == Connectivity::online && options_.burst && presend_left_ == 0 &&
      options_.kind == SourceKind::server && schedule_.poll_burst_total() > 1) {
    schedule_.begin_burst(1, schedule_.poll_burst_total());
    connectivity_ = Connectivity::burst_online;
  }
  if (connectivity_ == Connectivity::burst_online && schedule_.burst_total() <= 1) {
    // The burst's last request is followed by an ordinary interval.
    connectivity_ = Connectivity::online;
    schedule_.end_burst();
  }
}

bool Association::interleave_next() const noexcept {
  if (!options_.xleave || !previous_.known) return false;
  if (options_.kind == SourceKind::server) return unanswered_ < kMaxUnansweredInterleaved;
  // RFC 9769 section 3: only while packets of both peers alternate.
  return unanswered_ == 0 && unanswered_before_ == 1;
}

RequestStamps Association::next_stamps(const Moment& now, bool interleaved) const noexcept {
  const auto& random = now.random;
  if (options_.kind == SourceKind::server) {
    const NtpTimestamp cookie = non_zero(random[0], 0);
    if (!interleaved) return {{}, {}, cookie};
    return {previous_.remote_receive, non_zero(random[1], cookie.value), cookie};
  }
  const auto precision = clock_.log2_precision;
  const WallTime transmit_time = interleaved ? sent_.stamp.time : now.wall;
  RequestStamps stamps;
  stamps.transmit = transmit_on_wire(transmit_time, precision, random[0]);
  if (previous_.known) {
    stamps.origin = interleaved ? previous_.remote_receive : previous_.remote_transmit;
    stamps.receive = receive_on_wire(previous_.local_receive.time, precision, random[1]);
  }
  return stamps;
}

Send Association::make_packet(const Moment& now, const RequestStamps& stamps) const noexcept {
  const int poll = schedule_.effective_poll(reach_.bits() != 0);
  if (options_.kind == SourceKind::server)
    return {client_request(options_.version, poll, stamps), SocketUse::fresh};
  return {symmetric_packet(options_.version, poll, clock_.log2_precision, now.reference, stamps),
          SocketUse::server};
}

void Association::count_missed_poll(Actions& actions) {
  note_reach(false, actions);
  schedule_.adjust(selected_ ? kMissedPollSelected : kMissedPoll);
  StatusUpdate status;
  status.stratum = remote_stratum_;
  status.leap = remote_leap_;
  status.reach = reach_.bits();
  actions.emplace_back(status);
}

void Association::note_reach(bool answered, Actions& actions) {
  reach_.record(answered);
  if (reach_.needs_help()) actions.emplace_back(Unreachable{Unreachable::Reason::no_answer});
}

int Association::current_poll() const noexcept {
  const int poll = schedule_.effective_poll(reach_.bits() != 0);
  // A peer that asks more often than we do gets its way, down to our minpoll.
  return std::min(poll, std::max(remote_poll_, schedule_.min_poll()));
}

double Association::delay_after_sending() const noexcept {
  if (bursting()) return std::min(kBurstInterval, kBurstPollRatio * poll_seconds(current_poll()));
  if (presend_left_ > 0) return kPresendInterval;
  return poll_seconds(current_poll());
}

// Symmetric mode: of two peers the one nearer to the root waits for the other's packet and answers it soon
// after, which keeps the measurement short for the one that needs it; equals spread evenly.
double Association::delay_after_reply(const Moment& now) const noexcept {
  double delay = poll_seconds(current_poll());
  const double since_sent =
      last_sent_at_ ? std::chrono::duration<double>(now.monotonic - *last_sent_at_).count() : delay;
  const int ours = now.reference.stratum == 0 ? kMaxStratum : now.reference.stratum;
  const bool peer_follows = remote_stratum_ > ours && since_sent * kPeerStretch < delay;
  const bool uneven = remote_stratum_ == ours && since_sent > (kPeerStretch - 0.5) * delay;
  if (peer_follows || uneven) delay *= kPeerStretch;
  return std::max(delay - since_sent, 0.0);
}

void Association::send_in(const Moment& now, double seconds) {
  transmit_at_ = apart_from_others(now, now.monotonic + randomised(seconds, now.random[2]));
}

Nanoseconds Association::apart_from_others(const Moment& now, Nanoseconds wanted) const {
  return first_free(now.sends, wanted, randomised(separation(schedule_.poll()), now.random[2]));
}

// The poll became shorter while we wait out the longer one, as when a source turns out to be near.
void Association::send_sooner(const Moment& now) {
  if (!transmit_at_ || !last_sent_at_ || bursting() || current_poll() >= sent_poll_) return;
  sent_poll_ = current_poll();
  const Nanoseconds due = *last_sent_at_ + randomised(poll_seconds(sent_poll_), now.random[2]);
  transmit_at_ = std::min(*transmit_at_, apart_from_others(now, std::max(due, now.monotonic)));
}

void Association::transmitted(const LocalStamp& stamp) noexcept {
  if (sent_.stamp.source == StampSource::daemon) sent_.stamp = stamp;
}

void Association::transmit_stamp(std::span<const std::byte> frame, const LocalStamp& stamp) noexcept {
  if (frame.size() < kHeaderLength) return;
  const NtpTimestamp cookie = timestamp(frame.last(kHeaderLength).data(), offset::kTransmit);
  if (cookie.value == 0) return;
  // A stamp far from our own reading belongs to another clock or another packet.
  const auto take = [&](LocalStamp& kept) {
    if (std::chrono::abs(stamp.time - kept.time) > std::chrono::seconds{1}) return false;
    if (stamp.source < kept.source) return false;  // the better one came first
    kept = stamp;
    return true;
  };
  bool used = cookie == sent_.wire.transmit && take(sent_.stamp);
  if (cookie == previous_.request) used = take(previous_.local_transmit) || used;
  if (used) ++report_.transmit_stamps[static_cast<std::size_t>(stamp.source)];
}

Actions Association::send_failed(const Moment& now) {
  Actions actions;
  if (sent_.awaits_reply && report_.transmitted > 0) --report_.transmitted;
  sent_.awaits_reply = false;
  // As chronyd: a burst that began before the network was there goes on when it is.
  if (connectivity_ == Connectivity::burst_online && reach_.bits() == 0) schedule_.burst_request_failed();
  if (close_socket_at_) actions.emplace_back(CloseSocket{});
  close_socket_at_.reset();
  if (options_.auto_offline && connectivity_ != Connectivity::offline) {
    take_offline(actions);
    actions.emplace_back(WentOffline{});
  } else if (!transmit_at_ && connectivity_ != Connectivity::offline && !denied_) {
    send_in(now, delay_after_sending());
  }
  return finish(std::move(actions));
}

// --- commands ---------------------------------------------------------------------------------------------

void Association::start_sending(const Moment& now) {
  connectivity_ = Connectivity::online;
  if (options_.iburst && options_.kind == SourceKind::server) {
    schedule_.begin_burst(kInitialBurstGood, kInitialBurstTotal);
    connectivity_ = Connectivity::burst_online;
  }
  send_in(now, kInitialDelay);
}

void Association::take_offline(Actions& actions) {
  connectivity_ = Connectivity::offline;
  schedule_.end_burst();
  transmit_at_.reset();
  if (close_socket_at_) actions.emplace_back(CloseSocket{});
  close_socket_at_.reset();
  sent_.awaits_reply = false;
}

void Association::forget_exchange() noexcept {
  sent_ = {};
  previous_ = {};
  unanswered_ = 0;
  unanswered_before_ = 0;
  presend_left_ = 0;
  remote_poll_ = kHighestPoll;
  remote_stratum_ = kMaxStratum;
  remote_leap_ = clock::Leap::unsynchronised;
  last_sent_at_.reset();
}

void Association::end_burst(const Moment& now, Actions& actions) {
  schedule_.end_burst();
  if (connectivity_ == Connectivity::burst_offline) {
    take_offline(actions);
    actions.emplace_back(WentOffline{});
  } else {
    connectivity_ = Connectivity::online;
    send_in(now, poll_seconds(current_poll()));
  }
}

Actions Association::go_online(const Moment& now) {
  Actions actions;
  if (connectivity_ == Connectivity::burst_offline) {
    connectivity_ = Connectivity::burst_online;
  } else if (connectivity_ == Connectivity::offline || denied_) {
    denied_ = false;
    forget_exchange();
    start_sending(now);
  }
  return finish(std::move(actions));
}

Actions Association::go_offline() {
  Actions actions;
  if (connectivity_ == Connectivity::burst_online) {
    connectivity_ = Connectivity::burst_offline;
  } else if (connectivity_ == Connectivity::online) {
    take_offline(actions);
  }
  return finish(std::move(actions));
}

Actions Association::burst(const Moment& now, unsigned good, unsigned total) {
  // A burst would upset a peer's own schedule, and a server that denied us is not asked.
  if (options_.kind == SourceKind::server && !bursting() && !denied_ && good > 0 && total > 0) {
    connectivity_ =
        connectivity_ == Connectivity::online ? Connectivity::burst_online : Connectivity::burst_offline;
    schedule_.begin_burst(good, total);
    send_in(now, kInitialDelay);
  }
  return finish({});
}

Actions Association::reset_poll(const Moment& now) {
  schedule_.reset();
  const double interval = poll_seconds(current_poll());
  if (transmit_at_ && *transmit_at_ > now.monotonic + from_seconds(interval)) send_in(now, interval);
  return finish({});
}

// --- the clock --------------------------------------------------------------------------------------------

void Association::shift(WallTime at, double frequency_change, double offset_change) noexcept {
  for (LocalStamp* stamp : {&sent_.stamp, &previous_.local_transmit, &previous_.local_receive})
    move(*stamp, at, frequency_change, offset_change);
}

void Association::clock_lost() noexcept {
  previous_ = {};
  sent_.awaits_reply = false;
}

}  // namespace wiretime::ntp
