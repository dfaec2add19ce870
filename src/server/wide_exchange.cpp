// SPDX-License-Identifier: BSD-3-Clause
// Interleaved mode on the wide path: what ntp/exchanges.hpp does for one reply, for eight. Worker threads.
#include "server/wide_path.hpp"

#ifdef __x86_64__

#include <algorithm>
#include <bit>
#include <cstring>

#include "server/wide_columns.hpp"

namespace wiretime::server::wide {

namespace {

using Line = ntp::ExchangeLine;

// ExchangeLine's heads.
WIDE_INLINE Column heads(Column receives, std::uint8_t epoch) noexcept {
  const Column mixed = _mm512_mul_epu32(_mm512_srli_epi64(receives, 32), all(Line::kMix));
  const Column mark = low_halves(_mm512_xor_si512(receives, mixed));
  return _mm512_or_si512(_mm512_slli_epi64(mark, Line::kEpochBits), all(epoch & Line::kEpochMask));
}

// ExchangeLine::find, of the entries with that head: the only one, or null and nothing is done: none, or
// more.
WIDE_INLINE Line::Entry* only_one(Line& line, std::uint64_t head) noexcept {
  const Column entries = _mm512_load_si512(line.entries());
  const Mask alike = _mm512_cmpeq_epi64_mask(_mm512_srli_epi64(entries, Line::kStayBits), all(head));
  const unsigned found = _mm512_mask_test_epi64_mask(alike, entries, all(Line::kLongestStay));
  if (__builtin_expect(!std::has_single_bit(found), false)) return nullptr;
  return line.entries() + std::countr_zero(found);
}

using Words = std::array<std::uint64_t, kGroup>;

// Eight whose replies before are all remembered, as nearly all are of clients that ask often. False: some may
// not be, or not want to be told, and nothing was done.
WIDE_INLINE bool tell_all(PlainBurst& burst, std::size_t at, std::uint8_t epoch) noexcept {
  static_assert(sizeof(ntp::Admission) == 1 && static_cast<unsigned>(ntp::Admission::answer) == 0);
  std::uint64_t refused;
  std::memcpy(&refused, &burst.batch.admissions[at], sizeof refused);
  const Column lines = _mm512_loadu_si512(&burst.lines[at]);
  const Column told = _mm512_loadu_si512(&burst.request_receives[at]);
  const Column left = _mm512_loadu_si512(&burst.request_transmits[at]);
  const unsigned asks = _mm512_mask_cmpneq_epi64_mask(_mm512_test_epi64_mask(lines, lines), told, left);
  if (asks != kAll || refused != 0) return false;

  const Column before = byte_swap64(_mm512_loadu_si512(&burst.origins[at]));
  alignas(64) Words wanted;
  _mm512_store_si512(wanted.data(), heads(before, epoch));
  std::array<Line::Entry*, kGroup> entries;
  bool one_each = true;
  for (std::size_t i = 0; i < kGroup; ++i) {
    entries[i] = only_one(*burst.lines[at + i], wanted[i]);
    one_each &= entries[i] != nullptr;
  }
  if (!one_each) return false;

  const auto frame = [&](std::size_t i) { return burst.frames[at + i]; };
  const auto message = [&](std::size_t i) { return frame(i)->plain_udp + kUdpSize; };
  const Column stays =
      _mm512_and_si512(gather_from([&](std::size_t i) { return entries[i]; }), all(Line::kLongestStay));
  // ExchangeLine::told_transmit.
  const Column transmits = byte_swap64(_mm512_andnot_si512(all(1), add(before, stays)));
  const Column more = add(_mm512_sub_epi64(halves(told), halves(left)), halves(transmits));
  scatter_to([&](std::size_t i) { return message(i) + ntp::offset::kOrigin; }, told);
  scatter_to([&](std::size_t i) { return message(i) + ntp::offset::kTransmit; }, transmits);
  scatter_to([&](std::size_t i) { return &frame(i)->plain_sum; },
             add(_mm512_loadu_si512(&burst.sums[at]), more));
  for (std::size_t i = 0; i < kGroup; ++i) frame(i)->exchange = {entries[i], true};
  return true;
}

}  // namespace

WIDE void interleave(PlainBurst& burst, std::size_t count, std::uint8_t epoch, std::uint64_t luck,
                     ntp::ExchangeTally& tally) noexcept {
  for (std::size_t at = 0; at < count; at += kGroup) {
    const std::size_t size = std::min(count - at, kGroup);
    if (__builtin_expect(size == kGroup && tell_all(burst, at, epoch), true)) continue;
    for (std::size_t i = at; i < at + size; ++i) {
      if (burst.lines[i] == nullptr || burst.batch.admissions[i] != ntp::Admission::answer) continue;
      const ntp::InterleavingStamps stamps{burst.origins[i], burst.request_receives[i],
                                           burst.request_transmits[i]};
      interleave(*burst.frames[i], *burst.lines[i], stamps, epoch, luck + i, tally);
    }
  }
}

WIDE unsigned remember(std::span<Frame, kGroup> frames, std::span<const std::uint64_t, kGroup> transmits,
                       Remembered& remembered) noexcept {
  const Column receives = byte_swap64(
      gather_from([&](std::size_t i) { return frames[i].plain_udp + kUdpSize + ntp::offset::kReceive; }));
  scatter_to([&](std::size_t i) { return &frames[i].receive.value; }, receives);
  const Column stays = _mm512_sub_epi64(_mm512_loadu_si512(transmits.data()), receives);
  // From 1 to the longest.
  const Mask good = _mm512_cmplt_epu64_mask(_mm512_sub_epi64(stays, all(1)), all(Line::kLongestStay));
  const Column known =
      _mm512_or_si512(_mm512_slli_epi64(heads(receives, remembered.epoch), Line::kStayBits), stays);
  alignas(64) Words entries;
  _mm512_store_si512(entries.data(), _mm512_mask_mov_epi64(all(Line::kCleared), good, known));
  unsigned interleaved = 0;
  for (std::size_t i = 0; i < kGroup; ++i) {
    Line::Entry* const entry = frames[i].exchange.entry;
    if (__builtin_expect(entry == nullptr, false)) continue;
    remembered.last = entry;
    Line::put(entry, entries[i]);
    interleaved |= static_cast<unsigned>(frames[i].exchange.interleaved) << i;
  }
  remembered.interleaved += static_cast<unsigned>(__builtin_popcount(interleaved));
  return interleaved;
}

}  // namespace wiretime::server::wide

#else

namespace wiretime::server::wide {

void interleave(PlainBurst&, std::size_t, std::uint8_t, std::uint64_t, ntp::ExchangeTally&) noexcept {}
unsigned remember(std::span<Frame, kGroup>, std::span<const std::uint64_t, kGroup>, Remembered&) noexcept {
  return 0;
}

}  // namespace wiretime::server::wide

#endif
