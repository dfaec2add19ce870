// SPDX-License-Identifier: BSD-3-Clause
// The same 64-bit word of eight things in one AVX-512 register, and the plainest arithmetic on such columns.
// Only for .cpp files whose functions run where server/wide_path.hpp does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#ifdef __x86_64__

// GCC 12 warns of what its own header leaves undefined on purpose (GCC bug 105593).
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#ifndef __clang__
#pragma GCC diagnostic pop
#endif

// Only these functions are compiled for such a processor: inline ones of other headers must not be, or the
// linker could give them to all.
#define WIDE __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")))
#define WIDE_INLINE WIDE __attribute__((always_inline)) inline

namespace wiretime::columns {

using Column = __m512i;  // a 64-bit word of each of eight, as it stands in memory
using Mask = __mmask8;   // a bit for each of them
constexpr std::size_t kRows = 8;
constexpr Mask kAll = 0xFF;

WIDE_INLINE Column all(std::uint64_t value) noexcept {
  return _mm512_set1_epi64(static_cast<long long>(value));
}
WIDE_INLINE Column add(Column a, Column b) noexcept {
  return _mm512_add_epi64(a, b);
}

// A column of `word(0)` to `word(7)`. Eight stores and one load are faster than eight insertions.
template <typename Word>
WIDE_INLINE Column gather(Word word) noexcept {
  alignas(64) std::array<std::uint64_t, kRows> words;
  for (std::size_t i = 0; i < kRows; ++i) words[i] = word(i);
  return _mm512_load_si512(words.data());
}

// The same of the words at `at(0)` to `at(7)`.
template <typename At>
WIDE_INLINE Column gather_from(At at) noexcept {
  const auto pair = [&](std::size_t i) WIDE {
    const __m128d low = _mm_load_sd(static_cast<const double*>(static_cast<const void*>(at(i))));
    return _mm_loadh_pd(low, static_cast<const double*>(static_cast<const void*>(at(i + 1))));
  };
  const __m256d low = _mm256_insertf128_pd(_mm256_castpd128_pd256(pair(0)), pair(2), 1);
  const __m256d high = _mm256_insertf128_pd(_mm256_castpd128_pd256(pair(4)), pair(6), 1);
  return _mm512_castpd_si512(_mm512_insertf64x4(_mm512_castpd256_pd512(low), high, 1));
}
// The other way round.
template <typename At>
WIDE_INLINE void scatter_to(At at, Column words) noexcept {
  const auto quarter = [&](std::size_t i, __m128i two) WIDE {
    const __m128d pair = _mm_castsi128_pd(two);
    _mm_storel_pd(static_cast<double*>(static_cast<void*>(at(i))), pair);
    _mm_storeh_pd(static_cast<double*>(static_cast<void*>(at(i + 1))), pair);
  };
  quarter(0, _mm512_castsi512_si128(words));
  quarter(2, _mm512_extracti64x2_epi64(words, 1));
  quarter(4, _mm512_extracti64x2_epi64(words, 2));
  quarter(6, _mm512_extracti64x2_epi64(words, 3));
}

}  // namespace wiretime::columns

#endif
