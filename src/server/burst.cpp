// SPDX-License-Identifier: BSD-3-Clause
#include "server/burst.hpp"

#include <algorithm>
#include <bit>

#include "base/random.hpp"
#include "clock/transmit_plan.hpp"
#include "net/plain_frame.hpp"
#include "ntp/packet.hpp"
#include "ntp/response.hpp"
#include "server/handler.hpp"
#include "server/wide_path.hpp"

namespace wiretime::server {

namespace {

using Shape = net::PlainShape<ntp::kHeaderLength>;

// To be measured on the kernel's socket, and not answered here.
bool is_of_peer(const Message& message, const Tables& tables, const WorkerState& state) noexcept {
  return state.hands_over_peers && message.payload.size() >= ntp::kHeaderLength &&
         ntp::mode(message.payload.data()) == ntp::Mode::symmetric_active &&
         std::binary_search(tables.peers.begin(), tables.peers.end(), message.source);
}

Verdict answer_one(Frame& frame, const clock::TimeSnapshot& snapshot, const Tables& tables,
                   const LocalAddresses& ours, WorkerState& state) noexcept {
  const std::span<std::byte> bytes{frame.data, frame.length};
  if (const Verdict v = net::parse(bytes, tables.ntp_port, frame.parsed); v != net::kContinue) return v;
  if (!ours.contains(net::destination_address(bytes, frame.parsed))) return Verdict::not_our_address;
  const Message message{net::source_address(bytes, frame.parsed), net::source_port(bytes, frame.parsed),
                        bytes.subspan(frame.parsed.payload_offset, frame.parsed.payload_length),
                        frame.receive};
  if (ours.contains(message.source)) return Verdict::source_own_address;
  if (ours.is_broadcast(message.source)) return Verdict::source_multicast;
  if (is_of_peer(message, tables, state)) return Verdict::peer_packet;
  const Answer answer = handle(message, snapshot, tables, state);
  if (disposition(answer.verdict) == Disposition::reply) {
    frame.key = answer.key;
    frame.exchange = answer.exchange;
    frame.length = net::reverse(bytes, frame.parsed, answer.length, tables.dscp);
  }
  return answer.verdict;
}

// What judge_request says of 48 bytes by the first of them, where the source port does not matter. kCount:
// ask it.
constexpr std::array<Verdict, 256> plain_kinds() {
  std::array<Verdict, 256> kinds{};
  for (unsigned first = 0; first < kinds.size(); ++first) {
    const unsigned version = first >> 3 & 7U;
    const auto mode = static_cast<ntp::Mode>(first & 7U);
    const bool known_version = version >= 1 && version <= 4;
    kinds[first] = net::kContinue;
    if (known_version && mode == ntp::Mode::client) kinds[first] = Verdict::answered;
    if (known_version && mode == ntp::Mode::symmetric_active) kinds[first] = Verdict::answered_symmetric;
    const bool response =
        mode == ntp::Mode::server || mode == ntp::Mode::broadcast || mode == ntp::Mode::symmetric_passive;
    if (known_version && response) kinds[first] = Verdict::ntp_mode_response;
  }
  return kinds;
}
constexpr auto kPlainKinds = plain_kinds();

// Most frames, by far, are plain requests: they take three short passes, so that the cache misses of a whole
// burst overlap. The others are answered one by one, and both end the same.
class PlainPath {
 public:
  PlainPath(const clock::TimeSnapshot& snapshot, const Tables& tables, const LocalAddresses& ours,
            WorkerState& state, NtpTimestamp now) noexcept
      : snapshot_{snapshot},
        tables_{tables},
        ours_{ours},
        state_{state},
        clients_{state.clients.get()},
        random_{state.random.next()},
        luck_{random_ >> 48},
        burst_{Shape{tables.ntp_port, tables.dscp}},
        reply_{snapshot, now, tables.rate_limit.interval} {}

  // Pass 1: false: not plain. Otherwise judged, but for what the client's record says; it then is one of
  // `count`. That is the caller's, who keeps it in a register.
  [[nodiscard]] bool judge(Frame& frame, std::size_t& count) noexcept {
    if (frame.length < net::kShortestPlain || net::has_group_address(frame.data)) return false;
    std::uint16_t type;
    const std::size_t l3 = net::behind_tags(frame.data, type);
    if (type == net::PlainIpv4::kEtherType) return judge<net::PlainIpv4>(frame, l3, count);
    return type == net::PlainIpv6::kEtherType && judge<net::PlainIpv6>(frame, l3, count);
  }

  // The same of whole groups of frames, as far as they are what the wide path takes.
  [[nodiscard]] std::size_t judge_wide(std::span<Frame> frames, std::size_t& count) noexcept {
    random_ = next_of_burst(random_);
    return wide::judge(frames, burst_, count, reply_, tables_, ours_, clients_, random_);
  }

  // Passes 2 and 3. The wide path writes its replies while the client log's cache lines come, half of them
  // before its first lines, half before its second ones.
  void answer(std::size_t count) noexcept {
    if (count == 0) return;
    if (state_.wide) wide::write(burst_, 0, count / 2, reply_);
    std::uint64_t dice = state_.random.next();
    std::size_t known = 0;
    if (clients_ != nullptr)
      known = clients_->admit_known(burst_.batch, count, snapshot_.uptime, tables_.rate_limit, dice);
    if (state_.wide) wide::write(burst_, count / 2, count, reply_);
    if (clients_ != nullptr)
      clients_->admit_rest(burst_.batch, count, known, snapshot_.uptime, tables_.rate_limit, dice);
    else
      std::fill_n(burst_.batch.admissions.begin(), count, ntp::Admission::answer);
    settle(count);
    state_.count(tally_);
  }

 private:
  template <typename Family>
  [[nodiscard]] bool judge(Frame& frame, std::size_t l3, std::size_t& count) noexcept {
    std::byte* const ip = frame.data + l3;
    if (!net::recognise_plain<Family>(ip, frame.length - l3, burst_.shape)) return false;
    std::byte* const udp = ip + Family::kHeaderSize;
    const Verdict kind = kPlainKinds[load_u8(udp + net::udp::kHeaderSize)];
    const std::byte* const source = ip + Family::kSource;
    if (kind == net::kContinue || !is_ours<Family>(source)) return false;
    frame.verdict = kind;
    if (__builtin_expect(kind != Verdict::answered, false)) {
      if (kind == Verdict::answered_symmetric && state_.hands_over_peers) return false;  // is it a peer's?
      if (!is_ntp_answer(kind)) return true;
    }
    if (!allows<Family>(source)) {
      frame.verdict = Verdict::denied;
      return true;
    }
    if (clients_ != nullptr) {
      const ntp::ClientTable::Place place = place_of<Family>(source);
      ntp::ClientTable::prefetch(place);
      burst_.batch.places[count] = place;
      ntp::ExchangeLine* line = nullptr;
      if (__builtin_expect(ntp::InterleavingStamps::may_interleave(udp + net::udp::kHeaderSize), false)) {
        line = &clients_->exchanges(place);
        line->prefetch();
      }
      burst_.lines[count] = line;
      if constexpr (Family::kIpv6) burst_.batch.ipv6[count] = source;
    }
    frame.plain_udp = udp;
    frame.plain_ipv6 = Family::kIpv6;
    frame.key = nullptr;
    burst_.sums[count] = 0;
    burst_.all_written = false;
    burst_.frames[count++] = &frame;
    return true;
  }

  // The destination is ours, and the source is not.
  template <typename Family>
  [[nodiscard]] bool is_ours(const std::byte* source) const noexcept {
    if constexpr (Family::kIpv6)
      return ours_.has_v6(source + Family::kAddressSize) && !ours_.knows_v6(source);
    else
      return ours_.has_v4(load_raw<std::uint32_t>(source + Family::kAddressSize)) &&
             !ours_.knows_v4(load_raw<std::uint32_t>(source));
  }
  template <typename Family>
  [[nodiscard]] bool allows(const std::byte* source) const noexcept {
    if constexpr (Family::kIpv6)
      return tables_.access.allows_v6(load_be64(source), load_be64(source + 8));
    else
      return tables_.access.allows_v4(load_be32(source));
  }
  template <typename Family>
  [[nodiscard]] ntp::ClientTable::Place place_of(const std::byte* source) const noexcept {
    if constexpr (Family::kIpv6)
      return clients_->place_v6(source);
    else
      return clients_->place_v4(load_be32(source));
  }

  // `line`: where replies to this client are remembered, if it may want to be told of one.
  void write(Frame& frame, ntp::ExchangeLine* line, std::uint64_t luck) noexcept {
    std::byte* const udp = frame.plain_udp;
    std::byte* const payload = udp + net::udp::kHeaderSize;
    random_ = next_of_burst(random_);
    frame.length = static_cast<std::uint32_t>(payload + ntp::kHeaderLength - frame.data);
    net::swap_macs(frame.data);
    if (frame.plain_ipv6)
      net::reverse_plain<net::PlainIpv6>(udp, burst_.shape);
    else
      net::reverse_plain<net::PlainIpv4>(udp, burst_.shape);
    frame.exchange = {};
    if (__builtin_expect(line == nullptr || frame.verdict != Verdict::answered, true)) {
      reply_.write(payload, frame.verdict, frame.receive, random_ >> 32);
      return;
    }
    const auto stamps = ntp::InterleavingStamps::of(payload);
    reply_.write(payload, Verdict::answered, frame.receive, random_ >> 32);
    frame.exchange = ntp::interleave(*line, stamps, payload, snapshot_.epoch, luck, tally_);
  }

  // The same of the `i`th reply, which the wide path has written.
  void interleave(Frame& frame, std::size_t i) noexcept {
    const ntp::InterleavingStamps stamps{burst_.origins[i], burst_.request_receives[i],
                                         burst_.request_transmits[i]};
    wide::interleave(frame, *burst_.lines[i], stamps, snapshot_.epoch, luck_ + i, tally_);
  }

  // What the wide path has not written, and what it has for those that are not admitted.
  void settle(std::size_t count) noexcept {
    bool all_admitted = true;
    for (std::size_t i = 0; i < count; ++i)
      all_admitted &= burst_.batch.admissions[i] == ntp::Admission::answer;
    if (__builtin_expect(burst_.all_written && !burst_.some_interleave && all_admitted, true)) return;
    const bool together = burst_.all_written && burst_.some_interleave;
    if (together) wide::interleave(burst_, count, snapshot_.epoch, luck_, tally_);
    if (together && all_admitted) return;
    for (std::size_t i = 0; i < count; ++i) {
      const ntp::Admission admission = burst_.batch.admissions[i];
      const bool written = burst_.sums[i] != 0;
      ntp::ExchangeLine* const line = clients_ != nullptr ? burst_.lines[i] : nullptr;
      const bool admitted = admission == ntp::Admission::answer;
      if (__builtin_expect(written && admitted && (line == nullptr || together), true)) continue;
      Frame& frame = *burst_.frames[i];
      if (!admitted) frame.verdict = verdict_of(admission, frame.verdict);
      if (written && admitted) {
        interleave(frame, i);
        continue;
      }
      frame.plain_sum = 0;
      if (frame.verdict == Verdict::rate_limited) continue;
      if (written)
        reply_.rewrite(frame.plain_udp + net::udp::kHeaderSize, frame.verdict);
      else
        write(frame, line, luck_ + i);
    }
  }

  const clock::TimeSnapshot& snapshot_;
  const Tables& tables_;
  const LocalAddresses& ours_;
  WorkerState& state_;
  ntp::ClientTable* clients_;
  std::uint64_t random_;  // the burst's
  std::uint64_t luck_;    // with a reply's number: whose place it takes to be remembered
  ntp::ExchangeTally tally_;
  PlainBurst burst_;
  ntp::ReplyTemplate reply_;
};

void finish_plain(Frame& frame, NtpTimestamp transmit, std::uint64_t noise_mask, std::uint64_t random,
                  Remembered& remembered) noexcept {
  if (frame.exchange.entry != nullptr) {
    remembered.last = frame.exchange.entry;
    remembered.interleaved += frame.exchange.interleaved;
    frame.receive = ntp::timestamp(frame.plain_udp + net::udp::kHeaderSize, ntp::offset::kReceive);
    remember(frame.exchange, frame.receive, transmit, remembered.epoch);
  }
  if (!frame.exchange.interleaved)  // otherwise it has its transmit stamp
    ntp::ReplyTemplate::stamp(frame.plain_udp + net::udp::kHeaderSize, transmit, noise_mask, random);
  if (frame.plain_ipv6)
    net::finish_plain_checksum<net::PlainIpv6, ntp::kHeaderLength>(frame.plain_udp);
  else
    net::finish_plain_checksum<net::PlainIpv4, ntp::kHeaderLength>(frame.plain_udp);
}

void finish_general(Frame& frame, NtpTimestamp transmit, const clock::TimeSnapshot& snapshot,
                    WorkerState& state) noexcept {
  const std::span<std::byte> bytes{frame.data, frame.length};
  const auto reply = bytes.subspan(frame.parsed.payload_offset);
  frame.receive = ntp::timestamp(reply.data(), ntp::offset::kReceive);
  finish_reply(reply, frame.key, frame.exchange, transmit, snapshot, state);
  net::finish_udp_checksum(bytes, frame.parsed);
}

// `kPaced`: not all at once.
template <bool kPaced>
void finish_each(std::span<Frame> frames, const TransmitTimes& times, const clock::TimeSnapshot& snapshot,
                 WorkerState& state) noexcept {
  const std::uint64_t noise_mask = ntp::ReplyTemplate::noise_mask(snapshot.precision);
  std::uint64_t random = state.random.next();
  std::uint64_t ahead = 0;  // 2^-48 s
  Remembered remembered{snapshot.epoch};
  while (!frames.empty()) {
    const auto burst = frames.first(std::min(frames.size(), kBurstSize));
    frames = frames.subspan(burst.size());
    std::array<std::uint64_t, kBurstSize> transmits;
    for (std::size_t i = 0; i < burst.size(); ++i) {
      transmits[i] = times.first.value + (ahead >> 16);
      if constexpr (kPaced) ahead += clock::wire_bytes(burst[i].length) * times.per_byte;
    }
    for (std::size_t i = 0; i < burst.size();) {
      if (state.wide) {
        random = next_of_burst(random);
        i += wide::finish(burst.subspan(i), std::span{transmits}.subspan(i), noise_mask, random, remembered);
      }
      for (const std::size_t end = std::min(i + wide::kGroup, burst.size()); i < end; ++i) {
        Frame& frame = burst[i];
        if (!is_ntp_answer(frame.verdict)) continue;
        random = next_of_burst(random);
        if (frame.plain_udp != nullptr)
          finish_plain(frame, NtpTimestamp{transmits[i]}, noise_mask, random >> 32, remembered);
        else
          finish_general(frame, NtpTimestamp{transmits[i]}, snapshot, state);
      }
    }
  }
  if (__builtin_expect(remembered.last == nullptr, true)) return;
  state.features.add(Feature::interleaved, remembered.interleaved);
  state.newest_exchange.store(remembered.last, std::memory_order_relaxed);
}

}  // namespace

void answer(std::span<Frame> frames, const clock::TimeSnapshot& snapshot, const Tables& tables,
            const LocalAddresses& ours, WorkerState& state) noexcept {
  for (; frames.size() > kBurstSize; frames = frames.subspan(kBurstSize))
    answer(frames.first(kBurstSize), snapshot, tables, ours, state);
  if (frames.empty()) return;
  PlainPath plain{snapshot, tables, ours, state, frames.front().receive};
  bool together = state.wide && snapshot.valid;
  std::size_t count = 0;
  for (std::size_t i = 0; i < frames.size();) {
    if (together) i += plain.judge_wide(frames.subspan(i), count);
    const std::size_t end = together ? std::min(i + wide::kGroup, frames.size()) : frames.size();
    const std::size_t before = count;
    for (; i < end; ++i) {
      Frame& frame = frames[i];
      frame.plain_sum = 0;
      if (snapshot.valid && plain.judge(frame, count)) continue;
      frame.plain_udp = nullptr;
      frame.verdict = answer_one(frame, snapshot, tables, ours, state);
    }
    together &= count - before > wide::kGroup / 2;  // few odd ones among them: the next may all be plain
  }
  plain.answer(count);
}

void finish(std::span<Frame> frames, TransmitTimes times, const clock::TimeSnapshot& snapshot,
            WorkerState& state) noexcept {
  if (times.per_byte == 0)
    finish_each<false>(frames, times, snapshot, state);
  else
    finish_each<true>(frames, times, snapshot, state);
}

}  // namespace wiretime::server
