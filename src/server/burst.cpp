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
    if (!net::recognise_plain({frame.data, frame.length}, shape_, frame.parsed, frame.sum)) return false;
    const Verdict kind = kPlainKinds[load_u8(frame.data + frame.parsed.payload_offset)];
    if (kind == net::kContinue) return false;
    const bool ipv6 = frame.parsed.ipv6;
    const std::byte* source =
        frame.data + frame.parsed.l3_offset + (ipv6 ? net::ipv6::kSource : net::ipv4::kSource);
    if (ipv6 ? !is_ours_v6(source) : !is_ours_v4(source)) return false;
    frame.verdict = kind;
    if (!is_ntp_answer(kind)) return true;
    const bool allowed = ipv6 ? tables_.access.allows_v6(load_be64(source), load_be64(source + 8))
                              : tables_.access.allows_v4(load_be32(source));
    if (!allowed) {
      frame.verdict = Verdict::denied;
      return true;
    }
    if (state_.clients) {
      places_[count_] = ipv6 ? state_.clients->place_v6(source) : state_.clients->place_v4(load_be32(source));
      ntp::ClientTable::prefetch(places_[count_]);
    }
    frames_[count_++] = &frame;
    return true;
  }

  // Passes 2 and 3.
  void answer() noexcept {
    if (count_ == 0) return;
    std::array<ntp::Admission, kBurstSize> admissions{};
    if (state_.clients)
      state_.clients->admit({places_.data(), count_}, snapshot_.uptime, tables_.rate_limit,
                            state_.random.next(), admissions);
    const ntp::ReplyTemplate reply{snapshot_, frames_[0]->receive, tables_.rate_limit.interval};
    std::uint64_t random = state_.random.next();
    for (std::size_t i = 0; i < count_; ++i) {
      Frame& frame = *frames_[i];
      if (admissions[i] != ntp::Admission::answer) {
        frame.verdict = verdict_of(admissions[i], frame.verdict);
        if (frame.verdict == Verdict::rate_limited) continue;
      }
      random = random * 6'364'136'223'846'793'005U +
               1'442'695'040'888'963'407U;  // Knuth's MMIX: upper bits are good
      frame.length = net::reverse_plain(frame.data, frame.parsed, shape_);
      net::WordSum sum =
          reply.write(frame.data + frame.parsed.payload_offset, frame.verdict, frame.receive, random >> 32);
      sum.add(frame.sum);
      frame.sum = sum.value();
      frame.noise = static_cast<std::uint32_t>(random >> 42);
    }
    count_ = 0;
  }

 private:
  // The destination is ours, and the source is not.
  [[nodiscard]] bool is_ours_v4(const std::byte* source) const noexcept {
    return ours_.has_v4(load_raw<std::uint32_t>(source + net::ipv4::kAddressSize)) &&
           !ours_.knows_v4(load_raw<std::uint32_t>(source));
  }
  [[nodiscard]] bool is_ours_v6(const std::byte* source) const noexcept {
    return ours_.has_v6(source + net::ipv6::kAddressSize) && !ours_.knows_v6(source);
  }

  const clock::TimeSnapshot& snapshot_;
  const Tables& tables_;
  const LocalAddresses& ours_;
  WorkerState& state_;
  Shape shape_;
  std::size_t count_ = 0;
  std::array<Frame*, kBurstSize> frames_;
  std::array<ntp::ClientTable::Place, kBurstSize> places_;
};

void finish_plain(Frame& frame, NtpTimestamp transmit, std::uint64_t noise_mask) noexcept {
  net::WordSum sum{frame.sum};
  sum.add(
      ntp::ReplyTemplate::stamp(frame.data + frame.parsed.payload_offset, transmit, noise_mask, frame.noise));
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
    if (snapshot.valid && plain.judge(frame)) continue;
    frame.sum = 0;
    frame.verdict = answer_one(frame, snapshot, tables, ours, state);
  }
  plain.answer();
}

void finish(std::span<Frame> frames, NtpTimestamp transmit, const clock::TimeSnapshot& snapshot,
            WorkerState& state) noexcept {
  const std::uint64_t noise_mask = ntp::ReplyTemplate::noise_mask(snapshot.precision);
  for (Frame& frame : frames) {
    if (!is_ntp_answer(frame.verdict)) continue;
    if (frame.sum != 0) {
      finish_plain(frame, transmit, noise_mask);
      continue;
    }
    const std::span<std::byte> bytes{frame.data, frame.length};
    finish_reply(bytes.subspan(frame.parsed.payload_offset), frame.key, transmit, snapshot, state);
    net::finish_udp_checksum(bytes, frame.parsed);
  }
}

}  // namespace wiretime::server
