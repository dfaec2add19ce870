// SPDX-License-Identifier: BSD-3-Clause
#include "server/burst.hpp"

#include "net/plain_frame.hpp"
#include "ntp/packet.hpp"
#include "ntp/response.hpp"
#include "server/handler.hpp"

namespace wiretime::server {

namespace {

using Shape = net::PlainShape<ntp::kHeaderLength>;

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
  const Answer answer = handle(message, snapshot, tables, state);
  if (disposition(answer.verdict) == Disposition::reply) {
    frame.key = answer.key;
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
        shape_{tables.ntp_port, tables.dscp} {}

  // Pass 1: false: not plain. Otherwise judged, but for what the client's record says.
  [[nodiscard]] bool judge(Frame& frame) noexcept {
    Plain& p = plain_[count_];
    const std::span<const std::byte> bytes{frame.data, frame.length};
    if (!net::recognise_plain(bytes, shape_, p.where)) return false;
    const Verdict kind = kPlainKinds[load_u8(frame.data + p.where.payload_offset())];
    if (kind == net::kContinue) return false;
    const std::byte* source = frame.data + p.where.source_offset();
    bool allowed;
    if (p.where.ipv6) {
      if (!is_ours_v6(source)) return false;
      allowed = tables_.access.allows_v6(load_be64(source), load_be64(source + 8));
    } else {
      if (!is_ours_v4(source)) return false;
      allowed = tables_.access.allows_v4(load_be32(source));
    }
    frame.verdict = disposition(kind) != Disposition::reply ? kind : allowed ? kind : Verdict::denied;
    if (disposition(frame.verdict) != Disposition::reply) return true;
    p.frame = &frame;
    if (state_.clients) {
      places_[count_] =
          p.where.ipv6 ? state_.clients->place_v6(source) : state_.clients->place_v4(load_be32(source));
      ntp::ClientTable::prefetch(places_[count_]);
    }
    ++count_;
    return true;
  }

  // Passes 2 and 3.
  void answer() noexcept {
    if (count_ == 0) return;
    std::array<ntp::Admission, kBurstSize> admissions{};
    if (state_.clients)
      state_.clients->admit({places_.data(), count_}, snapshot_.uptime, tables_.rate_limit,
                            state_.random.next(), admissions);
    const ntp::ReplyTemplate reply{snapshot_, plain_[0].frame->receive, tables_.rate_limit.interval};
    for (std::size_t i = 0; i < count_; ++i) {
      const Plain& p = plain_[i];
      Frame& frame = *p.frame;
      frame.verdict = verdict_of(admissions[i], frame.verdict);
      if (frame.verdict == Verdict::rate_limited) continue;
      frame.length = net::reverse_plain(frame.data, p.where, shape_);
      net::WordSum sum = reply.write(frame.data + p.where.payload_offset(), frame.verdict, frame.receive,
                                     state_.random.next());
      sum.add(p.where.flow_sum);
      frame.sum = sum.value();
      frame.parsed.l3_offset = p.where.l3_offset;
      frame.parsed.udp_offset = static_cast<std::uint16_t>(p.where.udp_offset());
      frame.parsed.payload_offset = static_cast<std::uint16_t>(p.where.payload_offset());
      frame.parsed.payload_length = ntp::kHeaderLength;
      frame.parsed.ipv6 = p.where.ipv6;
    }
    count_ = 0;
  }

 private:
  struct Plain {
    Frame* frame;
    net::PlainFrame where;
  };

  // The destination is ours, and the source surely not.
  [[nodiscard]] bool is_ours_v4(const std::byte* source) const noexcept {
    return ours_.has_v4(load_raw<std::uint32_t>(source + net::ipv4::kAddressSize)) &&
           !ours_.may_know(load_raw<std::uint32_t>(source));
  }
  [[nodiscard]] bool is_ours_v6(const std::byte* source) const noexcept {
    return ours_.has_v6(source + net::ipv6::kAddressSize) &&
           !ours_.may_know(load_raw<std::uint32_t>(source + 12));
  }

  const clock::TimeSnapshot& snapshot_;
  const Tables& tables_;
  const LocalAddresses& ours_;
  WorkerState& state_;
  Shape shape_;
  std::size_t count_ = 0;
  std::array<Plain, kBurstSize> plain_;
  std::array<ntp::ClientTable::Place, kBurstSize> places_;
};

void finish_plain(Frame& frame, NtpTimestamp transmit, const clock::TimeSnapshot& snapshot,
                  WorkerState& state) noexcept {
  net::WordSum sum{frame.sum};
  sum.add(ntp::ReplyTemplate::stamp(frame.data + frame.parsed.payload_offset, transmit, snapshot.precision,
                                    state.random.next()));
  const auto checksum = static_cast<std::uint16_t>(~sum.folded());
  store_raw(frame.data + frame.parsed.udp_offset + net::udp::kChecksum,
            checksum == 0 ? std::uint16_t{0xFFFF} : checksum);  // 0 would mean "none"
}

}  // namespace

void answer(std::span<Frame> frames, const clock::TimeSnapshot& snapshot, const Tables& tables,
            const LocalAddresses& ours, WorkerState& state) noexcept {
  for (; frames.size() > kBurstSize; frames = frames.subspan(kBurstSize))
    answer(frames.first(kBurstSize), snapshot, tables, ours, state);
  PlainPath plain{snapshot, tables, ours, state};
  for (Frame& frame : frames) {
    frame.sum = 0;
    if (!snapshot.valid || !plain.judge(frame))
      frame.verdict = answer_one(frame, snapshot, tables, ours, state);
  }
  plain.answer();
}

void finish(std::span<Frame> frames, NtpTimestamp transmit, const clock::TimeSnapshot& snapshot,
            WorkerState& state) noexcept {
  for (Frame& frame : frames) {
    if (!is_ntp_answer(frame.verdict)) continue;
    if (frame.sum != 0) {
      finish_plain(frame, transmit, snapshot, state);
      continue;
    }
    const std::span<std::byte> bytes{frame.data, frame.length};
    finish_reply(bytes.subspan(frame.parsed.payload_offset), frame.key, transmit, snapshot, state);
    net::finish_udp_checksum(bytes, frame.parsed);
  }
}

}  // namespace wiretime::server
