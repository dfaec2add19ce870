// SPDX-License-Identifier: BSD-3-Clause
// The only place that decides what a request gets. Every transport calls it: server::burst for frames, the
// control thread for kernel sockets. Pure, noexcept, allocation free.
#pragma once

#include <cstdint>
#include <span>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "base/verdict.hpp"
#include "server/tables.hpp"
#include "server/worker_state.hpp"

namespace wiretime::server {

struct Message {
  IpAddress source;
  std::uint16_t source_port = 0;
  std::span<std::byte> payload;  // the UDP payload; a reply is written over its beginning
  NtpTimestamp receive;
};

struct Answer {
  Verdict verdict{};
  std::uint16_t length = 0;       // of the reply; never above the request's
  const ntp::Key* key = nullptr;  // the reply is to be authenticated with it, as its request was
  ntp::Exchange exchange{};       // where it is to be remembered
};

// An answered* verdict: payload's first 48 bytes are the reply but for the transmit stamp (finish_reply); any
// other: payload is untouched. Does not count the verdict: a transport may yet fail to send.
[[nodiscard]] Answer handle(const Message& message, const clock::TimeSnapshot& snapshot, const Tables& tables,
                            WorkerState& state) noexcept;

// What a client's rate limit makes of the answer it would get.
[[nodiscard]] inline Verdict verdict_of(ntp::Admission admission, Verdict answer) noexcept {
  if (admission == ntp::Admission::answer) return answer;
  return admission == ntp::Admission::kiss ? Verdict::answered_kiss : Verdict::rate_limited;
}

// Writes the transmit stamp, and behind the 48 bytes the MAC of a request that had one: the last thing before
// the reply leaves. `reply`: as long as Answer says.
void finish_reply(std::span<std::byte> reply, const ntp::Key* key, const ntp::Exchange& exchange,
                  NtpTimestamp transmit, const clock::TimeSnapshot& snapshot, WorkerState& state) noexcept;

// Remembers when a reply leaves, at first and once more when that becomes known better. `receive`: what the
// reply says.
inline void remember(const ntp::Exchange& exchange, NtpTimestamp receive, NtpTimestamp transmit,
                     std::uint8_t epoch) noexcept {
  ntp::ExchangeLine::put(exchange.entry, ntp::ExchangeLine::entry(receive, transmit, epoch));
}

}  // namespace wiretime::server
