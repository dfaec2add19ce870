// SPDX-License-Identifier: BSD-3-Clause
// Interleaved mode on the wide path: what ntp/exchanges.hpp does for one reply, for eight. Worker threads.
#include "server/wide_path.hpp"

#ifdef __x86_64__

#include <algorithm>
#include <bit>

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

// Of eight replies, made of columns.
struct Group {
  WIDE_INLINE Group(const PlainBurst& burst, std::size_t at, std::uint8_t epoch) noexcept {
    const Column before = byte_swap64(_mm512_loadu_si512(&burst.origins[at]));
    const Column told = _mm512_loadu_si512(&burst.request_receives[at]);
    const Column left = _mm512_loadu_si512(&burst.request_transmits[at]);
    basic = _mm512_cmpeq_epi64_mask(told, left);
    _mm512_store_si512(origins.data(), before);
    _mm512_store_si512(wanted.data(), heads(before, epoch));
    _mm512_store_si512(differences.data(), _mm512_sub_epi64(halves(told), halves(left)));
  }

  unsigned basic;  // a bit for each of those whose request is in basic mode all the same
  alignas(64) Words origins;
  alignas(64) Words wanted;       // heads
  alignas(64) Words differences;  // of the sums, if the reply is an interleaved one: its origin is another
};

}  // namespace

WIDE void interleave(PlainBurst& burst, std::size_t count, std::uint8_t epoch, std::uint64_t luck) noexcept {
  for (std::size_t at = 0; at < count; at += kGroup) {
    const Group g{burst, at, epoch};
    const std::size_t size = std::min(count - at, kGroup);
    for (std::size_t i = 0; i < size; ++i) {
      Line* const line = burst.lines[at + i];
      if (line == nullptr || burst.batch.admissions[at + i] != ntp::Admission::answer) continue;
      Frame& frame = *burst.frames[at + i];
      frame.receive = {byte_swap(burst.receives[at + i])};
      const NtpTimestamp origin{g.origins[i]};
      Line::Entry* const entry = only_one(*line, g.wanted[i]);
      if (__builtin_expect(entry == nullptr, false)) {
        (void)line->find(origin, epoch);  // if there are several they are cleared
        frame.exchange = {line->room(luck + at + i), false};
        continue;
      }
      frame.exchange = {entry, (g.basic >> i & 1U) == 0};
      // In basic mode that changes nothing: both stamps are one, and its transmit timestamp is yet to come.
      std::byte* const message = frame.plain_udp + kUdpSize;
      store_raw(message + ntp::offset::kOrigin, burst.request_receives[at + i]);
      store_raw(message + ntp::offset::kTransmit, byte_swap(Line::told_transmit(*entry, origin)));
      frame.plain_sum += g.differences[i];
    }
  }
}

WIDE unsigned remember(std::span<const Frame, kGroup> frames,
                       std::span<const std::uint64_t, kGroup> transmits, std::uint8_t epoch) noexcept {
  const Column receives = gather([&](std::size_t i) { return frames[i].receive.value; });
  const Column stays = _mm512_sub_epi64(_mm512_loadu_si512(transmits.data()), receives);
  // From 1 to the longest.
  const Mask good = _mm512_cmplt_epu64_mask(_mm512_sub_epi64(stays, all(1)), all(Line::kLongestStay));
  alignas(64) Words entries;
  _mm512_store_si512(
      entries.data(),
      _mm512_maskz_or_epi64(good, _mm512_slli_epi64(heads(receives, epoch), Line::kStayBits), stays));
  unsigned taken = 0;
  for (std::size_t i = 0; i < kGroup; ++i) {
    Line::Entry* const entry = frames[i].exchange.entry;
    taken += *entry == Line::kTaken;
    Line::put(entry, entries[i]);
  }
  return taken;
}

}  // namespace wiretime::server::wide

#else

namespace wiretime::server::wide {

void interleave(PlainBurst&, std::size_t, std::uint8_t, std::uint64_t) noexcept {}
unsigned remember(std::span<const Frame, kGroup>, std::span<const std::uint64_t, kGroup>,
                  std::uint8_t) noexcept {
  return 0;
}

}  // namespace wiretime::server::wide

#endif
