// SPDX-License-Identifier: BSD-3-Clause
#include "server/burst.hpp"

#include "server/handler.hpp"

namespace wiretime::server {

namespace {

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

}  // namespace

void answer(std::span<Frame> frames, const clock::TimeSnapshot& snapshot, const Tables& tables,
            const LocalAddresses& ours, WorkerState& state) noexcept {
  for (Frame& frame : frames) frame.verdict = answer_one(frame, snapshot, tables, ours, state);
}

void finish(std::span<Frame> frames, NtpTimestamp transmit, const clock::TimeSnapshot& snapshot,
            WorkerState& state) noexcept {
  for (Frame& frame : frames) {
    if (!is_ntp_answer(frame.verdict)) continue;
    const std::span<std::byte> bytes{frame.data, frame.length};
    finish_reply(bytes.subspan(frame.parsed.payload_offset), frame.key, transmit, snapshot, state);
    net::finish_udp_checksum(bytes, frame.parsed);
  }
}

}  // namespace wiretime::server
