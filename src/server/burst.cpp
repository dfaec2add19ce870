// SPDX-License-Identifier: BSD-3-Clause
#include "server/burst.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "clock/transmit_plan.hpp"
#include "net/plain_frame.hpp"
#include "ntp/packet.hpp"
#include "ntp/response.hpp"
#include "server/handler.hpp"

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
            WorkerState& state) noexcept
      : snapshot_{snapshot},
        tables_{tables},
        ours_{ours},
        state_{state},
        clients_{state.clients.get()},
        shape_{tables.ntp_port, tables.dscp} {}

  // Pass 1: false: not plain. Otherwise judged, but for what the client's record says; it then is one of
  // `count`. That is the caller's, who keeps it in a register.
  [[nodiscard]] bool judge(Frame& frame, std::size_t& count) noexcept {
    if (frame.length < net::kShortestPlain || net::has_group_address(frame.data)) return false;
    std::uint16_t type;
    const std::size_t l3 = net::behind_tags(frame.data, type);
    if (type == net::PlainIpv4::kEtherType) return judge<net::PlainIpv4>(frame, l3, count);
    return type == net::PlainIpv6::kEtherType && judge<net::PlainIpv6>(frame, l3, count);
  }

  // Passes 2 and 3.
  void answer(std::size_t count) noexcept {
    if (count == 0) return;
    const ntp::ReplyTemplate reply{snapshot_, frames_[0]->receive, tables_.rate_limit.interval};
    std::uint64_t random = state_.random.next();
    if (clients_ == nullptr) {
      for (std::size_t i = 0; i < count; ++i) write(*frames_[i], nullptr, reply, random);
      return;
    }
    std::uint64_t dice = state_.random.next();
    const std::size_t known =
        clients_->admit_known(batch_, count, snapshot_.uptime, tables_.rate_limit, dice);
    write_admitted(0, known, reply, random);
    if (known == count) return;
    clients_->admit_rest(batch_, count, known, snapshot_.uptime, tables_.rate_limit, dice);
    write_admitted(known, count, reply, random);
  }

 private:
  template <typename Family>
  [[nodiscard]] bool judge(Frame& frame, std::size_t l3, std::size_t& count) noexcept {
    std::byte* const ip = frame.data + l3;
    if (!net::recognise_plain<Family>(ip, frame.length - l3, shape_)) return false;
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
      batch_.places[count] = place;
      ntp::ExchangeLine* line = nullptr;
      if (__builtin_expect(ntp::InterleavingStamps::may_interleave(udp + net::udp::kHeaderSize), false)) {
        line = &clients_->exchanges(place);
        line->prefetch();
      }
      lines_[count] = line;
      if constexpr (Family::kIpv6) batch_.ipv6[count] = source;
    }
    frame.plain_udp = udp;
    frame.plain_ipv6 = Family::kIpv6;
    frame.key = nullptr;
    frames_[count++] = &frame;
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
  void write(Frame& frame, ntp::ExchangeLine* line, const ntp::ReplyTemplate& reply,
             std::uint64_t& random) noexcept {
    std::byte* const udp = frame.plain_udp;
    std::byte* const payload = udp + net::udp::kHeaderSize;
    random = next_of_burst(random);
    frame.length = static_cast<std::uint32_t>(payload + ntp::kHeaderLength - frame.data);
    net::swap_macs(frame.data);
    if (frame.plain_ipv6)
      net::reverse_plain<net::PlainIpv6>(udp, shape_);
    else
      net::reverse_plain<net::PlainIpv4>(udp, shape_);
    frame.exchange = {};
    if (__builtin_expect(line == nullptr || frame.verdict != Verdict::answered, true)) {
      reply.write(payload, frame.verdict, frame.receive, random >> 32);
      return;
    }
    const auto stamps = ntp::InterleavingStamps::of(payload);
    reply.write(payload, Verdict::answered, frame.receive, random >> 32);
    frame.exchange = ntp::interleave(*line, stamps, payload, snapshot_.epoch, random >> 48);
  }

  void write_admitted(std::size_t from, std::size_t to, const ntp::ReplyTemplate& reply,
                      std::uint64_t& random) noexcept {
    for (std::size_t n = from; n < to; ++n) {
      const std::size_t i = batch_.order[n];
      Frame& frame = *frames_[i];
      const ntp::Admission admission = batch_.admissions[i];
      if (__builtin_expect(admission != ntp::Admission::answer, false)) {
        frame.verdict = verdict_of(admission, frame.verdict);
        if (frame.verdict == Verdict::rate_limited) continue;
      }
      write(frame, lines_[i], reply, random);
    }
  }

  const clock::TimeSnapshot& snapshot_;
  const Tables& tables_;
  const LocalAddresses& ours_;
  WorkerState& state_;
  ntp::ClientTable* clients_;
  Shape shape_;
  std::array<Frame*, kBurstSize> frames_;
  std::array<ntp::ExchangeLine*, kBurstSize> lines_;
  ntp::ClientTable::Batch batch_;
  static_assert(ntp::ClientTable::kBatch >= kBurstSize);
};

// A plain reply that is remembered. True: it is an interleaved one, which has its transmit stamp.
inline bool finish_exchange(Frame& frame, const std::byte* reply, NtpTimestamp transmit, std::uint8_t epoch,
                            WorkerState& state) noexcept {
  frame.receive = ntp::timestamp(reply, ntp::offset::kReceive);
  if (__builtin_expect(*frame.exchange.entry == ntp::ExchangeLine::kTaken, false))
    state.features.add(Feature::exchange_held);
  remember(frame.exchange, frame.receive, transmit, epoch);
  return frame.exchange.interleaved;
}

// By the general path.
void finish_one(Frame& frame, std::span<std::byte> reply, NtpTimestamp transmit,
                const clock::TimeSnapshot& snapshot, WorkerState& state) noexcept {
  frame.receive = ntp::timestamp(reply.data(), ntp::offset::kReceive);
  finish_reply(reply, frame.key, frame.exchange, transmit, snapshot, state);
}

// `kPaced`: not all at once.
template <bool kPaced>
void finish_each(std::span<Frame> frames, const TransmitTimes& times, const clock::TimeSnapshot& snapshot,
                 WorkerState& state) noexcept {
  const std::uint64_t noise_mask = ntp::ReplyTemplate::noise_mask(snapshot.precision);
  std::uint64_t random = state.random.next();
  std::uint64_t ahead = 0;  // 2^-48 s
  std::uint64_t interleaved = 0;
  ntp::ExchangeLine::Entry* remembered = nullptr;
  for (Frame& frame : frames) {
    const NtpTimestamp transmit{times.first.value + (ahead >> 16)};
    if constexpr (kPaced) ahead += clock::wire_bytes(frame.length) * times.per_byte;
    if (!is_ntp_answer(frame.verdict)) continue;
    if (__builtin_expect(frame.plain_udp != nullptr, true)) {
      random = next_of_burst(random);
      std::byte* const payload = frame.plain_udp + net::udp::kHeaderSize;
      bool stamped = false;
      if (__builtin_expect(frame.exchange.entry != nullptr, false)) {
        remembered = frame.exchange.entry;
        stamped = finish_exchange(frame, payload, transmit, snapshot.epoch, state);
        interleaved += stamped;
      }
      if (!stamped) ntp::ReplyTemplate::stamp(payload, transmit, noise_mask, random >> 32);
      if (frame.plain_ipv6)
        net::finish_plain_checksum<net::PlainIpv6, ntp::kHeaderLength>(frame.plain_udp);
      else
        net::finish_plain_checksum<net::PlainIpv4, ntp::kHeaderLength>(frame.plain_udp);
      continue;
    }
    const std::span<std::byte> bytes{frame.data, frame.length};
    finish_one(frame, bytes.subspan(frame.parsed.payload_offset), transmit, snapshot, state);
    net::finish_udp_checksum(bytes, frame.parsed);
  }
  if (__builtin_expect(remembered == nullptr, true)) return;
  state.features.add(Feature::interleaved, interleaved);
  state.newest_exchange.store(remembered, std::memory_order_relaxed);
}

}  // namespace

void answer(std::span<Frame> frames, const clock::TimeSnapshot& snapshot, const Tables& tables,
            const LocalAddresses& ours, WorkerState& state) noexcept {
  for (; frames.size() > kBurstSize; frames = frames.subspan(kBurstSize))
    answer(frames.first(kBurstSize), snapshot, tables, ours, state);
  PlainPath plain{snapshot, tables, ours, state};
  std::size_t count = 0;
  for (Frame& frame : frames) {
    if (snapshot.valid && plain.judge(frame, count)) continue;
    frame.plain_udp = nullptr;
    frame.verdict = answer_one(frame, snapshot, tables, ours, state);
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
