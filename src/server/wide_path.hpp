// SPDX-License-Identifier: BSD-3-Clause
// The plain path (server/burst.cpp) eight frames at a time, on processors that have AVX-512 with VBMI: Intel
// since Ice Lake, AMD since Zen 4. Eight frames become columns of 64-bit words, so that one instruction
// checks, sums or hashes a field of all of them. It takes what nearly every burst is made of: eight untagged
// client requests of one family without a flaw. Eight with anything else among them are left to the plain
// path, which says the same of these: the tests hold each to the other. Worker threads.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "net/plain_frame.hpp"
#include "ntp/client_table.hpp"
#include "ntp/packet.hpp"
#include "ntp/response.hpp"
#include "server/burst.hpp"
#include "server/tables.hpp"

namespace wiretime::server {

// What the passes over a burst's plain frames hand on to each other, of those that get an answer if the
// client log lets them.
struct PlainBurst {
  using Shape = net::PlainShape<ntp::kHeaderLength>;
  explicit PlainBurst(const Shape& s) noexcept : shape{s} {}

  Shape shape;
  std::array<Frame*, kBurstSize> frames;
  ntp::ClientTable::Batch batch;
  static_assert(ntp::ClientTable::kBatch >= kBurstSize);
  // Of the replies that the wide path writes: the sum under the UDP checksum but for the transmit stamp, not
  // folded, and 0 for all others; the receive stamp as it stands in a packet; the IPv4 checksum, or kIpv6.
  std::array<std::uint64_t, kBurstSize> sums;
  std::array<std::uint64_t, kBurstSize> receives;
  std::array<std::uint64_t, kBurstSize> checksums;
  bool all_written = true;       // by the wide path
  bool some_interleave = false;  // perhaps, of those
  // Where replies to a client are remembered that may want to be told of one; null: it does not. Only with a
  // client log. And what requests that the wide path writes over said, as it stood in them; only if
  // some_interleave.
  std::array<ntp::ExchangeLine*, kBurstSize> lines;
  std::array<std::uint64_t, kBurstSize> origins;
  std::array<std::uint64_t, kBurstSize> request_receives;
  std::array<std::uint64_t, kBurstSize> request_transmits;
  static constexpr std::uint64_t kIpv6 = std::uint64_t{1} << 16;
};

// Of the replies that are finished.
struct Remembered {
  std::uint8_t epoch;
  ntp::ExchangeLine::Entry* last = nullptr;
  std::uint64_t interleaved = 0;
};

namespace wide {

inline constexpr std::size_t kGroup = 8;  // frames

// Pass 1 of whole groups from the first frame on, until one that is not for it: returns how many frames it
// judged. Those that are denied are, the others are added to the burst. `count`: how many are in there,
// before and after. `clients`: null: there is no client log.
std::size_t judge(std::span<Frame> frames, PlainBurst& burst, std::size_t& count,
                  const ntp::ReplyTemplate& reply, const Tables& tables, const LocalAddresses& ours,
                  ntp::ClientTable* clients, std::uint64_t random) noexcept;
// Writes the replies to those that judge() added, of [from, to): as if they were admitted, and in basic mode.
void write(PlainBurst& burst, std::size_t from, std::size_t to, const ntp::ReplyTemplate& reply) noexcept;
// ntp::interleave of those that are admitted and may want it, of a burst whose replies are all written.
void interleave(PlainBurst& burst, std::size_t count, std::uint8_t epoch, std::uint64_t luck,
                ntp::ExchangeTally& tally) noexcept;
// The same of one that write() wrote.
inline void interleave(Frame& reply, ntp::ExchangeLine& line, const ntp::InterleavingStamps& request,
                       std::uint8_t epoch, std::uint64_t luck, ntp::ExchangeTally& tally) noexcept {
  std::byte* const message = reply.plain_udp + net::udp::kHeaderSize;
  reply.exchange = ntp::interleave(line, request, message, epoch, luck, tally);
  if (!reply.exchange.interleaved) return;
  reply.plain_sum += net::halves(request.receive) - net::halves(request.transmit) +
                     net::halves(load_raw<std::uint64_t>(message + ntp::offset::kTransmit));
}
// Remembers those of eight replies that have a place for it; returns a bit for each that is interleaved.
unsigned remember(std::span<Frame, kGroup> frames, std::span<const std::uint64_t, kGroup> transmits,
                  Remembered& remembered) noexcept;
// The same of whole groups from the first frame on, and their transmit stamps and UDP checksums, until one
// with a frame that write() did not write: returns how many frames it finished. `transmits`: when each
// leaves.
std::size_t finish(std::span<Frame> frames, std::span<const std::uint64_t> transmits,
                   std::uint64_t noise_mask, std::uint64_t random, Remembered& remembered) noexcept;

}  // namespace wide
}  // namespace wiretime::server
