// SPDX-License-Identifier: BSD-3-Clause
#include "server/handler.hpp"

#include "ntp/mac.hpp"
#include "ntp/packet.hpp"
#include "ntp/response.hpp"

namespace wiretime::server {

Answer handle(const Message& message, const clock::TimeSnapshot& snapshot, const Tables& tables,
              WorkerState& state) noexcept {
  if (!snapshot.valid) return {Verdict::no_time};
  const ntp::Request request = ntp::judge_request(message.payload, message.source_port);
  if (disposition(request.verdict) != Disposition::reply) return {request.verdict};
  if (!tables.access.allows(message.source)) return {Verdict::denied};
  if (state.clients) state.clients->record_hit(message.source, ntp::ClientService::ntp, snapshot.uptime);
  Answer answer{request.verdict, ntp::kHeaderLength, nullptr};
  if (request.mac_start != 0) {
    answer.key = ntp::verify_mac(tables.keys, message.payload, request.mac_start);
    if (answer.key == nullptr) return {Verdict::ntp_mac_invalid};
    answer.length = static_cast<std::uint16_t>(
        answer.length + ntp::mac_length(*answer.key, ntp::version(message.payload.data())));
  }
  ntp::write_response(message.payload.data(), request.verdict, snapshot, message.receive,
                      state.random.next());
  return answer;
}

void finish_reply(std::span<std::byte> reply, const ntp::Key* key, NtpTimestamp transmit,
                  const clock::TimeSnapshot& snapshot, WorkerState& state) noexcept {
  ntp::write_transmit(reply.data(), transmit, snapshot.precision, state.random.next());
  if (key == nullptr) return;
  ntp::write_mac(*key, reply, ntp::kHeaderLength);
  state.features.add(Feature::authenticated);
}

}  // namespace wiretime::server
