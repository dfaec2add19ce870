// SPDX-License-Identifier: BSD-3-Clause
// The hot path: N received frames become N verdicts, replies in place. Knows frames as bytes, not as mbufs,
// so tests and benchmarks run it without DPDK. Worker threads; noexcept, allocation free.
#pragma once

#include <cstdint>
#include <span>

#include "base/time.hpp"
#include "base/verdict.hpp"
#include "net/frame.hpp"
#include "server/tables.hpp"
#include "server/worker_state.hpp"

namespace wiretime::server {

inline constexpr std::size_t kBurstSize = 32;

struct Frame {
  std::byte* data = nullptr;  // in: the Ethernet frame, without FCS; out: the reply when disposition is reply
  std::uint32_t length = 0;   // in and out: bytes; a reply never grows
  NtpTimestamp receive{};     // in: when it arrived; after finish, of a reply that is remembered: as it says
  Verdict verdict{};          // out; the transport counts it once it knows how the frame ended
  // What answer() leaves to finish(). Of plain requests (net/plain_frame.hpp), where the UDP header begins;
  // null: not a plain one. Of those that the wide path answers, the sum under the UDP checksum but for the
  // transmit stamp that finish() writes; 0: of any other.
  std::byte* plain_udp = nullptr;
  std::uint64_t plain_sum = 0;
  bool plain_ipv6 = false;
  net::ParsedFrame parsed{};
  const ntp::Key* key = nullptr;
  ntp::Exchange exchange{};
};

// Judges every frame and writes the replies but for transmit stamps and UDP checksums. `ours`: the addresses
// we answer on this port.
void answer(std::span<Frame> frames, const clock::TimeSnapshot& snapshot, const Tables& tables,
            const LocalAddresses& ours, WorkerState& state) noexcept;

// When the frames of a burst leave: the first then, each other when the wire is done with those before it.
struct TransmitTimes {
  TransmitTimes(NtpTimestamp first_leaves, std::uint64_t wire_rate = 0) noexcept
      : first{first_leaves}, per_byte{wire_rate} {}
  NtpTimestamp first;
  std::uint64_t per_byte;  // 2^-48 s, of clock::wire_bytes; 0: all at once
};

// Stamps the NTP replies among `frames` (others are left alone) with their transmit times and completes
// checksums.
void finish(std::span<Frame> frames, TransmitTimes times, const clock::TimeSnapshot& snapshot,
            WorkerState& state) noexcept;

}  // namespace wiretime::server
