// SPDX-License-Identifier: BSD-3-Clause
#include "server/handler.hpp"

#include "ntp/mac.hpp"
#include "ntp/packet.hpp"
#include "ntp/response.hpp"

namespace wiretime::server {

Answer handle(const Message& message, const clock::TimeSnapshot& snapshot, const Tables& tables,
              WorkerState& state) noexcept {
  const ntp::Request request = ntp::judge_request(message.payload, message.source_port);
  if (disposition(request.verdict) != Disposition::reply) return {request.verdict};
  if (!snapshot.valid) return {Verdict::no_time};
  if (!tables.access.allows(message.source)) return {Verdict::denied};
  Answer answer{request.verdict, ntp::kHeaderLength, nullptr, {}};
  if (state.clients)
    answer.verdict = verdict_of(
        state.clients->admit(message.source, snapshot.uptime, tables.rate_limit, state.random.next()),
        request.verdict);
  if (answer.verdict == Verdict::rate_limited) return {answer.verdict};
  if (request.mac_start != 0) {
    answer.key = ntp::verify_mac(tables.keys, message.payload, request.mac_start);
    if (answer.key == nullptr) return {Verdict::ntp_mac_invalid};
    answer.length = static_cast<std::uint16_t>(
        answer.length + ntp::mac_length(*answer.key, ntp::version(message.payload.data())));
  }
  std::byte* const payload = message.payload.data();
  const bool may_interleave = state.clients && ntp::InterleavingStamps::may_interleave(payload);
  const auto stamps = ntp::InterleavingStamps::of(payload);
  ntp::ReplyTemplate{snapshot, message.receive, tables.rate_limit.interval}.write(
      payload, answer.verdict, message.receive, state.random.next());
  if (may_interleave && answer.verdict == Verdict::answered) {
    ntp::ExchangeTally tally;
    answer.exchange = ntp::interleave(state.clients->exchanges(message.source), stamps, payload,
                                      snapshot.epoch, state.random.next(), tally);
    state.count(tally);
  }
  return answer;
}

void finish_reply(std::span<std::byte> reply, const ntp::Key* key, const ntp::Exchange& exchange,
                  NtpTimestamp transmit, const clock::TimeSnapshot& snapshot, WorkerState& state) noexcept {
  if (exchange.entry != nullptr) {
    state.newest_exchange.store(exchange.entry, std::memory_order_relaxed);
    remember(exchange, ntp::timestamp(reply.data(), ntp::offset::kReceive), transmit, snapshot.epoch);
  }
  if (exchange.interleaved)
    state.features.add(Feature::interleaved);
  else
    ntp::ReplyTemplate::stamp(reply.data(), transmit, ntp::ReplyTemplate::noise_mask(snapshot.precision),
                              state.random.next());
  if (key == nullptr) return;
  ntp::write_mac(*key, reply, ntp::kHeaderLength);
  state.features.add(Feature::authenticated);
}

}  // namespace wiretime::server
