// SPDX-License-Identifier: BSD-3-Clause
// What a server remembers of its replies to clients in interleaved mode (RFC 9769 section 3): how long after
// its receive timestamp each left, found again by that timestamp, which the client's next request has as its
// origin. Eight replies in a cache line, which the clients of one line of the client log share: several
// clients behind one address keep apart. Hot path, one thread.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "ntp/packet.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace wiretime::ntp {

// What became of the places where replies are remembered.
struct ExchangeTally {
  std::uint64_t held = 0;     // that nobody had before
  std::uint64_t evicted = 0;  // whose reply was given up for another
};

class ExchangeLine {
 public:
  // From high to low: 32 bits that tell receive timestamps apart, 4 of the clock's epoch, 28 of the time from
  // the receive to the transmit timestamp in 2^-32 s. 0: empty. A request with an origin
  // that was never remembered finds one of the eight by chance once in 2^29 times.
  using Entry = std::uint64_t;
  static constexpr std::size_t kEntries = 8;
  static constexpr unsigned kStayBits = 28;
  static constexpr std::int64_t kLongestStay = (std::int64_t{1} << kStayBits) - 1;  // 62 ms
  static constexpr unsigned kEpochBits = 4;
  static constexpr std::uint8_t kEpochMask = (1U << kEpochBits) - 1;
  static constexpr std::uint32_t kMix = 0x9E37'79B1;  // of a receive timestamp's seconds

  // No nearer than the second cache: so many lines on their way at once, two a request, are more than the
  // first one keeps track of.
  // Always inline: GCC takes a function that does nothing else for one without effect, and its calls away.
  [[gnu::always_inline]] void prefetch() const noexcept { __builtin_prefetch(this, 1, 2); }

  // Of no reply, for none stays for no time: a place taken for one that is not complete, and one that has
  // nothing to tell.
  static constexpr Entry kTaken = Entry{1} << kStayBits;
  static constexpr Entry kCleared = Entry{2} << kStayBits;
  [[nodiscard]] static bool is_reply(Entry e) noexcept { return (e & kLongestStay) != 0; }

  // The reply with that receive timestamp, if the clock has not been set since; null: not there. Frames of a
  // burst may have one receive timestamp: of two replies with the same, to clients who share the line, nobody
  // is told, for nobody knows which is whose.
  [[nodiscard]] Entry* find(NtpTimestamp receive, std::uint8_t epoch) noexcept {
    const std::uint64_t wanted = head(receive, epoch);
    Entry* found = nullptr;
    for (unsigned like = marked(static_cast<std::uint32_t>(wanted >> kEpochBits)); like != 0;
         like &= like - 1) {
      Entry& e = entries_[static_cast<std::size_t>(std::countr_zero(like))];
      if (e >> kStayBits != wanted || !is_reply(e)) continue;
      if (__builtin_expect(found != nullptr, false)) {
        put(found, kCleared);
        put(&e, kCleared);
        return nullptr;
      }
      found = &e;
    }
    return found;
  }
  // An entry without a reply, which then is taken, or one whose reply has to go.
  [[nodiscard]] Entry* room(std::uint64_t random, ExchangeTally& tally) noexcept {
    for (Entry& e : entries_) {
      if (e != 0 && e != kCleared) continue;
      tally.held += e == 0;
      put(&e, kTaken);
      return &e;
    }
    ++tally.evicted;
    return &entries_[random % kEntries];
  }

  // The owner's threads write, and the control thread sees, entries whole.
  static void put(Entry* place, Entry entry) noexcept {
    std::atomic_ref<Entry>{*place}.store(entry, std::memory_order_relaxed);
  }
  [[nodiscard]] static Entry seen(Entry* place) noexcept {
    return std::atomic_ref<Entry>{*place}.load(std::memory_order_relaxed);
  }

  // kCleared for a reply that left before its request came, or too late.
  [[nodiscard]] static Entry entry(NtpTimestamp receive, NtpTimestamp transmit, std::uint8_t epoch) noexcept {
    const std::int64_t stay = (transmit - receive).units;
    if (stay <= 0 || stay > kLongestStay) return kCleared;
    return head(receive, epoch) << kStayBits | static_cast<std::uint64_t>(stay);
  }
  [[nodiscard]] Entry* entries() noexcept { return entries_.data(); }
  // The transmit timestamp to tell, even as all of ours are.
  [[nodiscard]] static std::uint64_t told_transmit(Entry e, NtpTimestamp receive) noexcept {
    return transmit(e, receive).value & ~std::uint64_t{1};
  }
  [[nodiscard]] static NtpTimestamp transmit(Entry e, NtpTimestamp receive) noexcept {
    return receive + NtpDuration{static_cast<std::int64_t>(e & kLongestStay)};
  }

 private:
  [[nodiscard]] static std::uint64_t head(NtpTimestamp receive, std::uint8_t epoch) noexcept {
    const auto mark =
        static_cast<std::uint32_t>(receive.value) ^ static_cast<std::uint32_t>(receive.value >> 32) * kMix;
    return std::uint64_t{mark} << kEpochBits | (epoch & kEpochMask);
  }

  // Which entries' upper halves are `mark`, the first in bit 0. All at once: which of them it is nobody can
  // predict, and a wrong guess would cost more than all eight.
  [[nodiscard]] unsigned marked(std::uint32_t mark) const noexcept {
#ifdef __SSE2__
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(mark));
    const auto pair = [&](std::size_t i) {
      return _mm_castsi128_ps(
          _mm_load_si128(static_cast<const __m128i*>(static_cast<const void*>(&entries_[i]))));
    };
    const auto upper = [&](std::size_t i) {
      return _mm_castps_si128(_mm_shuffle_ps(pair(i), pair(i + 2), _MM_SHUFFLE(3, 1, 3, 1)));
    };
    const __m128i equal =
        _mm_packs_epi32(_mm_cmpeq_epi32(upper(0), wanted), _mm_cmpeq_epi32(upper(4), wanted));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())));
#else
    unsigned found = 0;
    for (std::size_t i = 0; i < kEntries; ++i) found |= static_cast<unsigned>(entries_[i] >> 32 == mark) << i;
    return found;
#endif
  }

  alignas(64) std::array<Entry, kEntries> entries_{};
};
static_assert(sizeof(ExchangeLine) == 64);

// The stamps of a request that tell interleaved from basic mode, before the reply is written over them.
struct InterleavingStamps {
  std::uint64_t origin;  // as they stand in memory
  std::uint64_t receive;
  std::uint64_t transmit;

  // Whether the origin may be a receive timestamp of ours. They are odd, our transmit timestamps, which a
  // client in basic mode may have for an origin, are even.
  [[nodiscard]] static bool may_interleave(const std::byte* request) noexcept {
    return (load_u8(request + offset::kOrigin + 7) & 1U) != 0;
  }
  [[nodiscard]] static InterleavingStamps of(const std::byte* request) noexcept {
    return {load_raw<std::uint64_t>(request + offset::kOrigin),
            load_raw<std::uint64_t>(request + offset::kReceive),
            load_raw<std::uint64_t>(request + offset::kTransmit)};
  }
};

// Where a reply is to be remembered, and whether it is an interleaved one.
struct Exchange {
  ExchangeLine::Entry* entry = nullptr;  // null: nowhere
  bool interleaved = false;
};

// Makes a basic reply, complete but for its transmit timestamp, an interleaved one where the request asks for
// that and the reply before is remembered: that one's transmit timestamp is filled in.
[[nodiscard]] inline Exchange interleave(ExchangeLine& line, const InterleavingStamps& request,
                                         std::byte* reply, std::uint8_t epoch, std::uint64_t random,
                                         ExchangeTally& tally) noexcept {
  const NtpTimestamp before{byte_swap(request.origin)};
  ExchangeLine::Entry* const entry = line.find(before, epoch);
  if (entry == nullptr) return {line.room(random, tally), false};
  if (request.receive == request.transmit) return {entry, false};
  store_raw(reply + offset::kOrigin, request.receive);
  store_raw(reply + offset::kTransmit, byte_swap(ExchangeLine::told_transmit(*entry, before)));
  return {entry, true};
}

}  // namespace wiretime::ntp
