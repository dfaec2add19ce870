// SPDX-License-Identifier: BSD-3-Clause
// What the wide path's passes (server/wide_path.hpp) are written in: the same 64-bit word of eight frames in
// one AVX-512 register, and arithmetic on such columns. Worker threads; only for wide_*.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/columns.hpp"
#include "base/random.hpp"
#include "server/wide_path.hpp"

namespace wiretime::server::wide {

using namespace columns;  // of frames
static_assert(kRows == kGroup);
using Shape = PlainBurst::Shape;
template <std::size_t kCount>
struct Columns {  // a vector type is no template argument
  Column columns[kCount];
  WIDE_INLINE Column& operator[](std::size_t i) noexcept { return columns[i]; }
  WIDE_INLINE const Column& operator[](std::size_t i) const noexcept { return columns[i]; }
};
constexpr auto kUdpSize = net::udp::kHeaderSize;

// With the bits where `a` differs from `b`, as far as they are in `mask`.
WIDE_INLINE Column with_difference(Column flaws, Column a, std::uint64_t b, std::uint64_t mask) noexcept {
  constexpr int kXorThenAnd = 0x28;
  return _mm512_or_si512(flaws, _mm512_ternarylogic_epi64(a, all(b), all(mask), kXorThenAnd));
}
// Bit by bit.
WIDE_INLINE Column select(Column mask, Column if_set, Column if_not) noexcept {
  return _mm512_ternarylogic_epi64(mask, if_set, if_not, 0xCA);
}
WIDE_INLINE Column and_or(Column a, Column b, Column c) noexcept {
  return _mm512_ternarylogic_epi64(a, b, c, 0xEA);
}
WIDE_INLINE Column low_halves(Column a) noexcept {
  return _mm512_and_si512(a, all(0xFFFF'FFFFU));
}
// For a ones-complement sum: the two 32-bit halves, added.
WIDE_INLINE Column halves(Column a) noexcept {
  return add(low_halves(a), _mm512_srli_epi64(a, 32));
}
WIDE_INLINE Column fold(Column a) noexcept {
  return add(_mm512_and_si512(a, all(0xFFFF)), _mm512_srli_epi64(a, 16));
}
// Sums of a few dozen halves, not all zero, over data that include their own right checksum.
WIDE_INLINE Mask verifies(Column sum) noexcept {
  return _mm512_cmpeq_epi64_mask(fold(fold(sum)), all(0xFFFF));
}
WIDE_INLINE Column checksum(Column sum) noexcept {
  return _mm512_xor_si512(fold(fold(fold(sum))), all(0xFFFF));
}
using net::halves;
WIDE_INLINE Column byte_swap64(Column a) noexcept {
  const auto order =
      _mm512_broadcast_i32x4(_mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return _mm512_shuffle_epi8(a, order);
}

// Numbers of which only the upper halves are random, as next_of_burst() makes them, eight at a time.
struct Noise {
  WIDE_INLINE explicit Noise(std::uint64_t random) noexcept
      : state{_mm512_mullo_epi64(
            all(random | 1U),
            _mm512_set_epi64(0x1D8E'4E27'C47D'124FLL, 0x2545'F491'4F6C'DD1DLL, 0x5851'F42D'4C95'7F2DLL,
                             0x369D'EA0F'31A5'3F85LL, 0x27BB'2EE6'87B0'B0FDLL, 0x1CE4'E5B9'BF58'476DLL,
                             0x3C79'AC49'2BA7'B653LL, 0x1C69'B3F7'4AC4'AE35LL))} {}
  WIDE_INLINE Column next() noexcept {
    state = add(_mm512_mullo_epi64(state, all(6'364'136'223'846'793'005U)), all(1'442'695'040'888'963'407U));
    return _mm512_srli_epi64(state, 32);
  }
  Column state;
};

// ReplyTemplate's blurred(): random below the precision, `parity` in the lowest bit, different from `other`.
WIDE_INLINE Column blurred(Column times, std::uint64_t noise_mask, Column noise, bool parity,
                           Column other) noexcept {
  Column value = select(all(noise_mask), noise, times);
  value = parity ? _mm512_or_si512(value, all(1)) : _mm512_andnot_si512(all(1), value);
  const Column word = byte_swap64(value);
  const Mask equal = _mm512_cmpeq_epi64_mask(word, other);
  return _mm512_mask_xor_epi64(word, equal, word, all(byte_swap(std::uint64_t{2})));
}

WIDE_INLINE __m128i load_16(const std::byte* p) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
WIDE_INLINE void store_16(std::byte* p, __m128i value) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), value);
}

// Eight rows of eight words become columns: row n is frame n's.
WIDE_INLINE void transpose(Columns<8>& r) noexcept {
  const Column even = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
  const Column odd = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
  Columns<8> t;
  for (std::size_t i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
  }
  Columns<8> m;  // of four frames each: columns 0 and 4, 1 and 5, 2 and 6, 3 and 7
  for (std::size_t i = 0; i < 8; i += 4) {
    m[i] = _mm512_permutex2var_epi64(t[i], even, t[i + 2]);
    m[i + 1] = _mm512_permutex2var_epi64(t[i + 1], even, t[i + 3]);
    m[i + 2] = _mm512_permutex2var_epi64(t[i], odd, t[i + 2]);
    m[i + 3] = _mm512_permutex2var_epi64(t[i + 1], odd, t[i + 3]);
  }
  for (std::size_t i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_i64x2(m[i], m[i + 4], 0x44);
    r[i + 4] = _mm512_shuffle_i64x2(m[i], m[i + 4], 0xEE);
  }
}

// The same of rows of four words, at `offset` in the frames.
WIDE_INLINE Columns<4> four_columns(const Frame* frames, std::size_t offset) noexcept {
  const Column even = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
  const Column odd = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
  Columns<4> r;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(frames[i].data + offset));
    const auto high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(frames[i + 4].data + offset));
    r[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  const Column t0 = _mm512_unpacklo_epi64(r[0], r[1]);
  const Column t1 = _mm512_unpackhi_epi64(r[0], r[1]);
  const Column t2 = _mm512_unpacklo_epi64(r[2], r[3]);
  const Column t3 = _mm512_unpackhi_epi64(r[2], r[3]);
  return {_mm512_permutex2var_epi64(t0, even, t2), _mm512_permutex2var_epi64(t1, even, t3),
          _mm512_permutex2var_epi64(t0, odd, t2), _mm512_permutex2var_epi64(t1, odd, t3)};
}

WIDE_INLINE Columns<8> eight_columns(const Frame* frames, std::size_t offset) noexcept {
  Columns<8> r;
  for (std::size_t i = 0; i < 8; ++i) r[i] = _mm512_loadu_si512(frames[i].data + offset);
  transpose(r);
  return r;
}

// Where things are in an untagged frame of a family.
template <typename Family>
struct Layout : Family {
  static constexpr std::size_t kIp = net::ethernet::kHeaderSize;
  static constexpr std::size_t kUdp = kIp + Family::kHeaderSize;
  static constexpr std::uint32_t kLength = kUdp + Shape::kUdpLength;
};

// What a reply takes from the first word of its request.
constexpr std::uint64_t kVersion = 0x38;
constexpr std::uint64_t kPoll = 0xFFU << 16;

}  // namespace wiretime::server::wide
