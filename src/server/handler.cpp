// SPDX-License-Identifier: BSD-3-Clause
#include "server/handler.hpp"

#include "ntp/response.hpp"

namespace wiretime::server {

Verdict handle(const Message& message, const clock::TimeSnapshot& snapshot, const Tables& tables,
               WorkerState& state) noexcept {
  if (!snapshot.valid) return Verdict::no_time;
  const Verdict kind = ntp::judge_request(message.payload, message.source_port);
  if (disposition(kind) != Disposition::reply) return kind;
  if (!tables.access.allows(message.source)) return Verdict::denied;
  if (state.clients) state.clients->record_hit(message.source, ntp::ClientService::ntp, snapshot.uptime);
  ntp::write_response(message.payload.data(), kind, snapshot, message.receive, state.random.next());
  return kind;
}

void finish_reply(std::byte* reply, NtpTimestamp transmit, const clock::TimeSnapshot& snapshot,
                  WorkerState& state) noexcept {
  ntp::write_transmit(reply, transmit, snapshot.precision, state.random.next());
}

}  // namespace wiretime::server
