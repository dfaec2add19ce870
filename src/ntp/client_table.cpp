// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/client_table.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "base/random.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace wiretime::ntp {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

constexpr std::size_t kAlignment = 64;
constexpr std::uint32_t kMost32 = std::numeric_limits<std::uint32_t>::max();

// Intervals in 7 bits: none, then quarters of log2 s from half a tick (2^-5 s) on.
constexpr std::uint32_t kIntervalMask = 0x7F;
constexpr std::uint32_t kNone = 1;  // 0 is left to mean an empty slot
constexpr int kLowestInterval = -5 * 4;
constexpr std::uint32_t kCodeOfShortest = kNone + 1;
constexpr std::int8_t decode(std::uint32_t code) noexcept {
  if (code <= kNone) return ClientRecord::kNoInterval;
  return static_cast<std::int8_t>(static_cast<int>(code - kCodeOfShortest) + kLowestInterval);
}

// key: tag 22 | timeout interval 7 | dropped 1 | 0 | in use 1
constexpr unsigned kTimeoutShift = 3;
constexpr std::uint32_t kDropped = 1U << 2;
// state: drops 14 | tokens 11 | interval 7
constexpr unsigned kTokensShift = 7;
constexpr std::uint32_t kTokensMask = RateLimit::kMostTokens;
constexpr unsigned kDropsShift = 18;
constexpr std::uint32_t kMostDrops = (1U << 14) - 1;

// log2 of an interval in 1/16 s, in quarter steps of log2 seconds, as its code; 0 counts as half a tick. A
// double has it: the exponent, and the two bits after the leading one, which stand for the fraction.
std::uint32_t interval_code(std::uint32_t sixteenths) noexcept {
  constexpr double kShortest = 0.5;
  constexpr double kLongest = 1.25 * (1 << 30);
  constexpr auto kBias =
      static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(kShortest) >> 50) - kCodeOfShortest;
  const double ticks = std::min(std::max(static_cast<double>(sixteenths), kShortest), kLongest);
  const auto code = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(ticks) >> 50) - kBias;
  return code;
}

// A quarter of the way from one code to another, at least one step: no request is without effect. By the
// difference, which is small.
constexpr int kMostDifference = 128;
constexpr auto kSteps = [] {
  std::array<std::int8_t, 2 * kMostDifference> steps{};
  for (int difference = 1 - kMostDifference; difference < kMostDifference; ++difference) {
    const int step = difference / 4 != 0 ? difference / 4 : (difference > 0) - (difference < 0);
    steps[static_cast<std::size_t>(difference + kMostDifference)] = static_cast<std::int8_t>(step);
  }
  return steps;
}();
std::uint32_t average(std::uint32_t code, std::uint32_t elapsed) noexcept {
  const std::uint32_t latest = interval_code(elapsed);
  if (code <= kNone) return latest;
  const std::size_t difference = std::size_t{latest} + kMostDifference - code;
  return code + static_cast<std::uint32_t>(std::int32_t{kSteps[difference]});
}

// They make up for a secret of few bits (wyhash's).
constexpr std::array<std::uint64_t, 4> kFill{0xA076'1D64'78BD'642FU, 0xE703'7ED1'A0B4'28DBU,
                                             0x8EBC'6AF0'9C88'C6E3U, 0x5899'65CC'7537'4CC3U};

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::size_t buckets_for(std::size_t clients, std::size_t ways, std::size_t fewest) noexcept {
  constexpr std::size_t kMostBuckets = std::size_t{1} << 30;
  return std::clamp((clients + clients / 2 + ways - 1) / ways, fewest, kMostBuckets);
}

// Which of the first four words are `tag` under the mask, the first in bit 0. The owner reads its own words:
// no other thread writes them.
template <typename Words>
unsigned lanes_with(const Words& words, std::uint32_t mask, std::uint32_t tag) noexcept {
#ifdef __SSE2__
  __m128i lanes;
  static_assert(sizeof lanes <= sizeof words);
  std::memcpy(&lanes, static_cast<const void*>(&words), sizeof lanes);
  const __m128i tags = _mm_and_si128(lanes, _mm_set1_epi32(static_cast<int>(mask)));
  const __m128i equal = _mm_cmpeq_epi32(tags, _mm_set1_epi32(static_cast<int>(tag)));
  return static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(equal)));
#else
  unsigned found = 0;
  for (std::size_t lane = 0; lane < 4; ++lane)
    found |= static_cast<unsigned>((words[lane].load(kRelaxed) & mask) == tag) << lane;
  return found;
#endif
}

}  // namespace

std::size_t ClientTable::memory_needed(const ClientCapacity& c) noexcept {
  return buckets_for(c.ipv4, kWays, kFewestBuckets) * 2 * sizeof(Line) +
         buckets_for(c.ipv6, kWays, kFewestBuckets) * (2 * sizeof(Line) + kWays * sizeof(Address6));
}

ClientMemory ClientTable::heap_memory(std::size_t size) {
  // calloc has large zeros from the kernel, which are no memory until they are written.
  auto* const whole = static_cast<std::byte*>(std::calloc(1, size + kAlignment));
  if (whole == nullptr) throw std::bad_alloc{};
  const auto shift = kAlignment - reinterpret_cast<std::uintptr_t>(whole) % kAlignment;  // room for it
  whole[shift - 1] = static_cast<std::byte>(shift);
  return {whole + shift, size, [](std::byte* p, std::size_t) { std::free(p - std::to_integer<int>(p[-1])); }};
}

ClientTable::~ClientTable() {
  for (const ClientMemory& m : {memory_, exchange_memory_})
    if (m.release != nullptr) m.release(m.data, m.size);
}

ClientTable::ClientTable(const ClientCapacity& capacity, std::array<std::uint64_t, 2> secret,
                         ClientMemory (*allocate)(std::size_t))
    : secret_{secret}, memory_{allocate(memory_needed(capacity))} {
  const auto region = [](std::byte* at, std::size_t buckets) {
    Region r;
    r.lines = static_cast<Line*>(static_cast<void*>(at));
    r.buckets = static_cast<std::uint32_t>(buckets);
    return r;
  };
  const std::size_t buckets4 = buckets_for(capacity.ipv4, kWays, kFewestBuckets);
  const std::size_t buckets6 = buckets_for(capacity.ipv6, kWays, kFewestBuckets);
  v4_ = region(memory_.data, buckets4);
  v6_ = region(memory_.data + buckets4 * 2 * sizeof(Line), buckets6);
  v6_.addresses = static_cast<Address6*>(static_cast<void*>(v6_.lines + 2 * buckets6));
  exchange_memory_ = allocate((buckets4 + buckets6) * 2 * sizeof(ExchangeLine));
  exchanges_ = static_cast<ExchangeLine*>(static_cast<void*>(exchange_memory_.data));
  const std::uint64_t a = mix(secret[0] ^ kFill[0], secret[1] ^ kFill[1]);
  const std::uint64_t b = mix(secret[1] ^ kFill[2], secret[0] ^ kFill[3]);
  multipliers_ = {static_cast<std::uint32_t>(a) | 1U, static_cast<std::uint32_t>(a >> 32) | 1U};
  whitener_ = static_cast<std::uint32_t>(b);
}

std::uint32_t ClientTable::unpermute(std::uint32_t number) const noexcept {
  std::uint32_t x = number ^ number >> 15 ^ number >> 30;
  x *= inverse_of_odd(multipliers_[1]);
  x ^= x >> 16;
  return (x * inverse_of_odd(multipliers_[0])) ^ whitener_;
}

std::uint32_t ClientTable::hash(const std::byte* address) const noexcept {
  std::array<std::uint64_t, 2> w;
  std::memcpy(w.data(), address, sizeof w);
  const std::uint64_t inner = mix(w[0] ^ secret_[0] ^ kFill[0], w[1] ^ secret_[1] ^ kFill[1]);
  return static_cast<std::uint32_t>(mix(inner, secret_[0] ^ kFill[2]) >> 32);
}

ClientTable::Place ClientTable::place(const IpAddress& address) const noexcept {
  return address.family == Family::ipv6 ? place_v6(reinterpret_cast<const std::byte*>(address.bytes.data()))
                                        : place_v4(address.v4_host_order());
}

// --- owner ------------------------------------------------------------------------------------------------

inline std::size_t ClientTable::lane_in(const Line& line, std::uint32_t tag) noexcept {
  const unsigned lanes = lanes_with(line.words, kTagMask | kInUse, tag);
  return lanes == 0 ? kLanes : static_cast<std::size_t>(std::countr_zero(lanes));
}

ClientTable::Slot ClientTable::replace(const Place& place, const std::byte* ipv6, std::uint32_t uptime,
                                       std::uint32_t tokens) noexcept {
  Slot victim{place.line, 0};
  std::uint32_t longest_silence = 0;
  bool empty = false;
  for (Line* line : {place.line, other_line(place)}) {
    for (std::size_t lane = 0; lane < kLanes && !empty; ++lane) {
      empty = line->key(lane).load(kRelaxed) == 0;
      const std::uint32_t silence = uptime - line->last(lane).load(kRelaxed);
      if (empty || silence > longest_silence) victim = {line, lane};
      longest_silence = std::max(longest_silence, silence);
    }
  }
  auto& counter = empty ? used_ : evicted_;
  counter.store(counter.load(kRelaxed) + 1, kRelaxed);
  auto& [line, lane] = victim;
  // Readers: whoever sees the new tag sees the empty state or all of the new record; whoever sees any of the
  // new record sees the new tag.
  line->state(lane).store(0, kRelease);
  line->key(lane).store(place.tag, kRelease);
  if (place.ipv6) {
    const auto slot = static_cast<std::size_t>(line - v6_.lines) * kLanes + lane;
    for (std::size_t half = 0; half < 2; ++half) {
      std::uint64_t word;
      std::memcpy(&word, ipv6 + 8 * half, sizeof word);
      v6_.addresses[slot][half].store(word, kRelease);
    }
  }
  line->last(lane).store(uptime, kRelease);
  line->hits(lane).store(0, kRelease);
  line->state(lane).store(tokens << kTokensShift | kNone, kRelease);
  return victim;
}

template <bool kLimited>
inline Admission ClientTable::count(const Slot& slot, std::uint32_t tag, std::uint32_t uptime,
                                    const RateLimit& limit, std::uint64_t& random) noexcept {
  const auto [line, lane] = slot;
  const std::uint32_t key = line->key(lane).load(kRelaxed);
  const std::uint32_t last = line->last(lane).load(kRelaxed);
  const std::uint32_t hits = line->hits(lane).load(kRelaxed);
  const std::uint32_t state = line->state(lane).load(kRelaxed);
  std::uint32_t interval = state & kIntervalMask;
  std::uint32_t timeout = (key >> kTimeoutShift) & kIntervalMask;
  // A first request comes from nowhere; that the two times are then the same does not make it a burst.
  if (__builtin_expect(hits != 0, true)) {
    if (__builtin_expect((key & kDropped) == 0, true))
      interval = average(interval, uptime - last);
    else
      timeout = average(timeout, uptime - last);
  }
  line->last(lane).store(uptime, kRelaxed);
  line->hits(lane).store(hits - (hits == kMost32) + 1, kRelaxed);
  if constexpr (!kLimited) {
    line->key(lane).store(tag | timeout << kTimeoutShift, kRelaxed);
    line->state(lane).store((state & ~kIntervalMask) | interval, kRelaxed);
    return Admission::answer;
  }

  std::uint32_t tokens = (state >> kTokensShift) & kTokensMask;
  std::uint32_t drops = state >> kDropsShift;
  std::uint32_t dropped = 0;
  Admission admission = Admission::answer;
  tokens =
      std::min(tokens + std::min((uptime >> limit.shift) - (last >> limit.shift), limit.full), limit.full);
  if (__builtin_expect(tokens >= limit.price, true)) {
    tokens -= limit.price;
  } else {
    random = next_of_burst(random);
    const bool leaks = (random >> 32 & ((1U << limit.leak) - 1)) == 0;
    // A client that asks twice as often when it is not answered costs less when it is.
    const bool impatient = timeout > kNone && timeout + 4 < interval;
    if (leaks != impatient) {
      tokens = 0;
    } else {
      const bool kiss = limit.kod != 0 && (random >> 48 & ((1U << limit.kod) - 1)) == 0;
      admission = kiss ? Admission::kiss : Admission::drop;
      dropped = kDropped;
      drops = std::min(drops + (kiss ? 0 : 1), kMostDrops);
    }
  }
  line->key(lane).store(tag | timeout << kTimeoutShift | dropped, kRelaxed);
  line->state(lane).store(drops << kDropsShift | tokens << kTokensShift | interval, kRelaxed);
  return admission;
}

template <bool kLimited>
inline std::size_t ClientTable::admit_known(Batch& batch, std::size_t size, std::uint32_t uptime,
                                            const RateLimit& limit, std::uint64_t& random) noexcept {
  std::size_t known = 0;
  std::array<std::uint8_t, kBatch> unknown;
  std::size_t unknown_count = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const Place& place = batch.places[i];
    const unsigned lanes = lanes_with(place.line->words, kTagMask | kInUse, place.tag);
    if (__builtin_expect(lanes != 0, true)) {
      const Slot slot{place.line, static_cast<std::size_t>(std::countr_zero(lanes))};
      batch.admissions[i] = count<kLimited>(slot, place.tag, uptime, limit, random);
      batch.order[known++] = static_cast<std::uint8_t>(i);
    } else {
      __builtin_prefetch(other_line(place), 1);
      unknown[unknown_count++] = static_cast<std::uint8_t>(i);
    }
  }
  std::copy_n(unknown.begin(), unknown_count, batch.order.begin() + known);
  return known;
}

std::size_t ClientTable::admit_known(Batch& batch, std::size_t size, std::uint32_t uptime,
                                     const RateLimit& limit, std::uint64_t& random) noexcept {
  return limit.enabled ? admit_known<true>(batch, size, uptime, limit, random)
                       : admit_known<false>(batch, size, uptime, limit, random);
}

void ClientTable::admit_rest(Batch& batch, std::size_t size, std::size_t known, std::uint32_t uptime,
                             const RateLimit& limit, std::uint64_t& random) noexcept {
  for (std::size_t n = known; n < size; ++n) {
    const std::size_t i = batch.order[n];
    const Place& place = batch.places[i];
    Slot slot{place.line, lane_in(*place.line, place.tag)};  // an earlier request may have come in
    if (slot.lane == kLanes) slot = {other_line(place), lane_in(*other_line(place), place.tag)};
    if (slot.lane == kLanes) slot = replace(place, batch.ipv6[i], uptime, limit.full);
    batch.admissions[i] = limit.enabled ? count<true>(slot, place.tag, uptime, limit, random)
                                        : count<false>(slot, place.tag, uptime, limit, random);
  }
}

Admission ClientTable::admit(const IpAddress& client, std::uint32_t uptime, const RateLimit& limit,
                             std::uint64_t random) noexcept {
  Batch one;
  one.places[0] = place(client);
  one.ipv6[0] = reinterpret_cast<const std::byte*>(client.bytes.data());
  admit_rest(one, 1, admit_known(one, 1, uptime, limit, random), uptime, limit, random);
  return one.admissions[0];
}

// --- control thread ---------------------------------------------------------------------------------------

std::optional<ClientRecord> ClientTable::at(std::size_t slot) const noexcept {
  const std::size_t slots4 = v4_.buckets * kWays;
  const bool ipv6 = slot >= slots4;
  const Region& region = ipv6 ? v6_ : v4_;
  if (ipv6) slot -= slots4;
  const Line& line = region.lines[slot / kLanes];
  const std::size_t lane = slot % kLanes;

  const std::uint32_t tag = line.key(lane).load(kAcquire) & kTagMask;
  const std::uint32_t state = line.state(lane).load(kAcquire);
  if ((state & kIntervalMask) == 0) return std::nullopt;
  ClientRecord r;
  r.hits = line.hits(lane).load(kAcquire);
  r.last_hit = line.last(lane).load(kAcquire);
  r.drops = state >> kDropsShift;
  r.interval = decode(state & kIntervalMask);
  if (ipv6) {
    r.address.family = Family::ipv6;
    for (std::size_t half = 0; half < 2; ++half) {
      const std::uint64_t word = region.addresses[slot][half].load(kAcquire);
      std::memcpy(r.address.bytes.data() + 8 * half, &word, sizeof word);
    }
  } else {
    // The one number whose product with the buckets begins like that.
    const std::uint64_t product = std::uint64_t{slot / kWays} << 32 | tag;
    r.address =
        IpAddress::v4(unpermute(static_cast<std::uint32_t>((product + v4_.buckets - 1) / v4_.buckets)));
  }
  const std::uint32_t key = line.key(lane).load(kAcquire);
  if ((key & kTagMask) != tag) return std::nullopt;
  r.timeout_interval = decode((key >> kTimeoutShift) & kIntervalMask);
  return r;
}

// Both regions are one row of lines.
std::size_t ClientTable::next_with_hits(std::size_t slot, std::size_t end,
                                        std::uint32_t hits) const noexcept {
  const auto has = [&](const Line& line, std::size_t lane) {
    return line.hits(lane).load(std::memory_order_relaxed) >= hits;
  };
  for (; slot < end && slot % kLanes != 0; ++slot)
    if (has(v4_.lines[slot / kLanes], slot % kLanes)) return slot;
  for (; slot + kLanes <= end; slot += kLanes) {
    const Line& line = v4_.lines[slot / kLanes];
    if (__builtin_expect(has(line, 0) || has(line, 1) || has(line, 2) || has(line, 3), false)) break;
  }
  for (; slot < end; ++slot)
    if (has(v4_.lines[slot / kLanes], slot % kLanes)) return slot;
  return end;
}

std::optional<std::size_t> ClientTable::slot_of(const IpAddress& address) const noexcept {
  if (address.family == Family::unspecified) return std::nullopt;
  const bool ipv6 = address.family == Family::ipv6;
  const Place p = place(address);
  const Region& region = ipv6 ? v6_ : v4_;
  const auto bucket = static_cast<std::size_t>(p.line - region.lines) / 2;
  const std::size_t first = bucket * kWays + (ipv6 ? v4_.buckets * kWays : 0);
  for (std::size_t slot = first; slot < first + kWays; ++slot)
    if (const auto r = at(slot); r && r->address == address) return slot;
  return std::nullopt;
}

}  // namespace wiretime::ntp
