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
  std::span<std::byte> payload;  // the UDP payload; a reply is written over its first 48 bytes
  NtpTimestamp receive;
};

// An answered* verdict: payload's first 48 bytes are the reply but for the transmit stamp (finish_reply); any
// other: payload is untouched. Does not count the verdict: a transport may yet fail to send.
[[nodiscard]] Verdict handle(const Message& message, const clock::TimeSnapshot& snapshot,
                             const Tables& tables, WorkerState& state) noexcept;

// Writes the transmit stamp, the last thing before the reply leaves.
void finish_reply(std::byte* reply, NtpTimestamp transmit, const clock::TimeSnapshot& snapshot,
                  WorkerState& state) noexcept;

}  // namespace wiretime::server
