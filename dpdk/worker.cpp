// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/worker.hpp"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>

#include "os/tsc.hpp"
#include "server/handler.hpp"

namespace wiretime::dpdk {

namespace {

constexpr unsigned kWalksPerHousekeeping = 256;

// Naps: none for the first walks, so that a burst's stragglers meet a waking worker; then they double. Where
// this program takes the receive time a nap makes it late; where the XDP program has, only the answer waits.
constexpr unsigned kWalksBeforeNap = 64;
constexpr long kShortestNapNs = 5'000;
constexpr long kLongestNapNs = 100'000;
constexpr long kLongestNapXdpNs = 200'000;

constexpr std::uint32_t kNeighborAnswersPerSecond = 1000;
constexpr std::uint32_t kNeighborBurst = 200;

// What a host that takes a CPU away takes it for, with room to spare: 5 ms.
constexpr std::uint64_t kPatiencePerSecond = 200;

void nap(unsigned turn, long longest_ns) noexcept {
  const long length = turn < 6 ? std::min(kShortestNapNs << turn, longest_ns) : longest_ns;
  const timespec time{0, length};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

// Everything behind the frame's first byte that is ours to write.
std::span<std::byte> writable(rte_mbuf* m) noexcept {
  return {rte_pktmbuf_mtod(m, std::byte*), std::size_t{rte_pktmbuf_data_len(m)} + rte_pktmbuf_tailroom(m)};
}

void set_length(rte_mbuf* m, std::uint32_t length) noexcept {
  m->data_len = static_cast<std::uint16_t>(length);
  m->pkt_len = length;
}

bool on_vlan(const server::Frame& frame, std::uint16_t vlan) noexcept {
  return frame.length >= net::ethernet::kHeaderSize + net::ethernet::kTagSize &&
         load_be16(frame.data + net::ethernet::kEtherType) == net::ethernet::kTypeVlan &&
         (load_be16(frame.data + net::ethernet::kHeaderSize) & net::ethernet::kVlanIdMask) == vlan;
}

server::TransmitTimes transmit_times(const clock::Departure& d, const clock::TimeSnapshot& time) noexcept {
  const auto rate = static_cast<unsigned __int128>(time.rate) * d.wire_rate;
  return {time.time_at(d.first), static_cast<std::uint64_t>(rate >> clock::TimeSnapshot::kRateShift)};
}

// To the kernel, where there is a way to it. False: the mbuf is still ours.
bool pass_on(const PortQueue& q, const server::Frame& frame, rte_mbuf* m, Ticks now) noexcept {
  if (q.kernel == nullptr) return false;
  const auto share = net::kernel_share({frame.data, frame.length}, frame.verdict, q.owned->neighbor);
  return q.kernel->take(m, share, now);
}

// Of the next burst's frames a few are asked for at a time, beside this burst's work: more than a core can
// wait for at once stop it.
constexpr unsigned kFirstPart = 8;
constexpr unsigned kSecondPart = 20;

// The kernel has just written these frames, on another CPU as like as not: the XDP program's metadata, which
// end where the frame begins, and the request.
[[gnu::always_inline]] inline void fetch(std::span<rte_mbuf* const> frames) noexcept {
  for (rte_mbuf* m : frames) {
    const auto* const frame = rte_pktmbuf_mtod(m, const std::byte*);
    __builtin_prefetch(frame - sizeof(steer_metadata));
    __builtin_prefetch(frame);
    __builtin_prefetch(frame + 64);
  }
}

bool may_serve(const PortQueue& q) noexcept {
  return q.serve == nullptr || q.serve->load(std::memory_order_acquire);
}

}  // namespace

void Worker::add_queue(const PortQueue& queue) {
  longest_nap_ns_ = queue.xdp_metadata && longest_nap_ns_ != kLongestNapNs ? kLongestNapXdpNs : kLongestNapNs;
  queues_.push_back(
      {queue,
       net::RateLimiter{rte_get_tsc_hz(), kNeighborAnswersPerSecond, kNeighborBurst, os::read_tsc()},
       {queue.nic_stamps, queue.xdp_metadata},
       TransmitQueue{queue.transmit}});
  patience_ = rte_get_tsc_hz() / kPatiencePerSecond;
}

void Worker::run() noexcept {
  prctl(PR_SET_TIMERSLACK, 1UL);  // naps as short as asked for
  for (const Queue& q : queues_)
    if (q.state->clients) q.state->clients->populate();
  keep_house();
  for (unsigned walks = 1; !stop_.load(std::memory_order_relaxed); ++walks) {
    if (on_hold()) continue;
    const bool napped = rest(walk());
    if (napped || walks % kWalksPerHousekeeping == 0) keep_house();
  }
  channels_.tables.offline(number_);
}

void Worker::keep_house() noexcept {
  tables_ = channels_.tables.refresh(number_);
  heartbeat_.store(heartbeat_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  for (Queue& q : queues_) {
    if (q.kernel != nullptr) q.kernel->transmit(q.port, q.queue, may_serve(q));
    if (q.announce != nullptr && q.announce->load(std::memory_order_relaxed) && may_serve(q)) announce(q);
    if (!q.out.waits()) continue;
    (void)channels_.time.try_load(snapshot_, snapshot_loaded_);
    q.out.settle(snapshot_);
  }
}

bool Worker::rest(unsigned received) noexcept {
  if (received != 0) {
    empty_walks_ = 0;
    return false;
  }
  if (idle_ == server::WorkerIdle::nap && ++empty_walks_ > kWalksBeforeNap) {
    nap(empty_walks_ - kWalksBeforeNap, longest_nap_ns_);
    return true;
  }
  rte_pause();
  return false;
}

bool Worker::on_hold() noexcept {
  const std::uint32_t epoch = hold_.load(std::memory_order_acquire);
  if ((epoch & 1U) == 0) return false;
  held_.store(epoch, std::memory_order_release);
  nap(0, kShortestNapNs);
  return true;
}

unsigned Worker::walk() noexcept {
  unsigned received = 0;
  for (Queue& q : queues_) received += serve(q);
  return received;
}

unsigned Worker::serve(Queue& q) noexcept {
  if (!may_serve(q)) return 0;
  std::array<rte_mbuf*, server::kBurstSize> received;
  const unsigned n = rte_eth_rx_burst(q.port, q.queue, received.data(), server::kBurstSize);
  if (n == 0) return 0;
  const Ticks arrival = os::read_tsc();
  if (q.xdp_metadata) fetch({received.data(), n});
  if (q.slots != nullptr) {
    q.slots->received(n);
    q.slots->fetch_incoming(0, kFirstPart);
  }
  (void)channels_.time.try_load(snapshot_, snapshot_loaded_);  // contended: the last one is good enough

  unsigned count = take_in(q, {received.data(), n}, arrival);
  if (q.slots != nullptr) q.slots->fetch_outgoing(count);
  const server::LocalAddresses& ours = q.owned != nullptr ? q.owned->serving : tables_->host_addresses;
  server::answer({frames_.data(), count}, snapshot_, *tables_, ours, *q.state);
  if (q.slots != nullptr) q.slots->fetch_incoming(kFirstPart, kSecondPart);
  count = sort_out(q, count, arrival);
  const clock::Departure departure = q.out.plan(os::read_tsc(), count);
  server::finish({frames_.data(), count}, transmit_times(departure, snapshot_), snapshot_, *q.state);
  if (q.slots != nullptr) q.slots->fetch_incoming(kSecondPart, server::kBurstSize);
  send(q, count, departure);
  if (q.kernel != nullptr) q.kernel->tell();
  return n;
}

// Mbufs become frames with a receive time; those that cannot be frames end here.
unsigned Worker::take_in(Queue& q, std::span<rte_mbuf*> received, Ticks arrival) noexcept {
  unsigned count = 0;
  for (rte_mbuf* m : received) {
    server::Frame& frame = frames_[count];
    frame.data = rte_pktmbuf_mtod(m, std::byte*);
    frame.length = m->pkt_len;
    const auto vlan = q.owned != nullptr ? q.owned->neighbor.vlan : std::nullopt;
    if (m->nb_segs != 1 || (vlan && !on_vlan(frame, *vlan))) {
      q.state->verdicts.add(m->nb_segs != 1 ? Verdict::frame_multi_segment : Verdict::not_our_address);
      rte_pktmbuf_free(m);
      continue;
    }
    mbufs_[count++] = m;
  }
  ReceiveBurst burst{q.in, arrival, snapshot_, offsets_, *q.state};
  burst.arrivals({mbufs_.data(), count}, frames_.data(), stamps_.data());
  return count;
}

// Keeps the frames that hold replies, together at the front; the others end here, or are the kernel's.
unsigned Worker::sort_out(Queue& q, unsigned count, Ticks now) noexcept {
  unsigned kept = 0;
  for (unsigned i = 0; i < count; ++i) {
    server::Frame& frame = frames_[i];
    // ARP, and what may be ICMP; anything else passed on has its reason already.
    const bool may_be_neighbor = frame.verdict == Verdict::not_ip || frame.verdict == Verdict::not_udp;
    if (q.owned != nullptr && may_be_neighbor) {
      // Only answers count against the limit: a flood of other people's ARP must not silence ours.
      std::uint32_t length = frame.length;
      frame.verdict = net::answer_neighbor(writable(mbufs_[i]), length, q.owned->neighbor);
      if (disposition(frame.verdict) == Disposition::reply && !q.neighbor_limit.allow(now))
        frame.verdict = Verdict::neighbor_rate_limited;
      frame.length = length;
    }
    if (disposition(frame.verdict) != Disposition::reply) {
      q.state->verdicts.add(frame.verdict);
      if (!pass_on(q, frame, mbufs_[i], now)) rte_pktmbuf_free(mbufs_[i]);
      continue;
    }
    set_length(mbufs_[i], frame.length);
    if (kept != i) {
      frames_[kept] = frame;
      mbufs_[kept] = mbufs_[i];
      stamps_[kept] = stamps_[i];
    }
    ++kept;
  }
  return kept;
}

// On the plain rung replies to clients in interleaved mode are remembered by a better guess than what they
// say: a driver that copies to the kernel sends one after the other during the call, others at its end.
void Worker::send(Queue& q, unsigned count, const clock::Departure& departure) noexcept {
  if (count == 0) return;
  const std::span<const server::Frame> frames{frames_.data(), count};
  q.out.prepare(departure, {mbufs_.data(), count}, frames);
  const unsigned sent = transmit(q, count);
  const Ticks done = os::read_tsc();
  if (q.slots != nullptr) q.slots->sent(sent);
  const std::uint64_t took = done.value - departure.written.value;
  const bool known = q.out.kept(departure, sent, done);
  RunCounter verdicts{q.state->verdicts};
  RunCounter stamps{q.state->stamps};
  std::uint64_t answers = 0;
  for (unsigned i = 0; i < sent; ++i) {
    verdicts.add(frames_[i].verdict);
    if (!is_ntp_answer(frames_[i].verdict)) continue;
    if (frames_[i].exchange.entry != nullptr && !known) {
      const Ticks left{departure.written.value + (q.owned == nullptr ? took * (i + 1) / (sent + 1) : took)};
      server::remember(frames_[i].exchange, frames_[i].receive, snapshot_.time_at(left), snapshot_.epoch);
    }
    stamps.add(stamps_[i]);
    ++answers;
  }
  const bool launched = known && departure.rung == clock::TransmitRung::launch;
  q.state->stamps.add(launched ? server::Stamp::transmit_hardware : server::Stamp::transmit_daemon, answers);
  q.out.hand_over(sent, done, snapshot_, frames);
  for (unsigned i = sent; i < count; ++i) {
    verdicts.add(Verdict::transmit_failed);
    rte_pktmbuf_free(mbufs_[i]);
  }
}

// How many of the first `count` mbufs the port took. A full ring to a process means that it was kept from its
// CPU for a moment: its replies wait for it, and meanwhile its requests in the other ring. But not for one
// that does not come back.
unsigned Worker::transmit(Queue& q, unsigned count) noexcept {
  const auto write = [&](unsigned from) {
    return from +
           rte_eth_tx_burst(q.port, q.queue, mbufs_.data() + from, static_cast<std::uint16_t>(count - from));
  };
  unsigned sent = write(0);
  if (__builtin_expect(sent < count && q.awaits_peer && (sent > 0 || !q.peer_away), false)) {
    const std::uint64_t began = os::read_tsc().value;
    while (sent < count && os::read_tsc().value - began < patience_) {
      rte_pause();
      sent = write(sent);
    }
  }
  q.peer_away = sent < count;
  return sent;
}

// Tells the wire where our addresses live. At start and when a link comes up; not on the hot path.
void Worker::announce(Queue& q) noexcept {
  q.announce->store(false, std::memory_order_relaxed);
  const auto say = [&](const IpAddress& address) {
    rte_mbuf* m = rte_pktmbuf_alloc(q.pool);
    if (m == nullptr) return;
    const std::uint32_t length =
        address.family == Family::ipv4
            ? net::build_gratuitous_arp(writable(m), q.owned->neighbor, address)
            : net::build_unsolicited_advertisement(writable(m), q.owned->neighbor, address);
    set_length(m, length);
    if (length == 0 || rte_eth_tx_burst(q.port, q.queue, &m, 1) != 1) rte_pktmbuf_free(m);
  };
  for (const IpAddress& address : q.owned->serving.addresses()) say(address);
}

}  // namespace wiretime::dpdk
