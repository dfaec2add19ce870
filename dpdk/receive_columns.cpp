// SPDX-License-Identifier: BSD-3-Clause
// Receive stamps of eight frames at once.
#include "clock/arrival_columns.hpp"  // first: DPDK's headers include the compiler's without what that keeps quiet
#include "dpdk/receive_time.hpp"

namespace wiretime::dpdk {

#ifdef __x86_64__

WIDE bool ReceiveBurst::group(std::span<rte_mbuf* const, kGroup> mbufs, server::Frame* frames) noexcept {
  using namespace columns;
  static_assert(kGroup == kRows);
  const auto field = static_cast<std::size_t>(path_.nic_stamps.field);
  std::uint64_t flags = path_.nic_stamps.flag;
  for (const rte_mbuf* m : mbufs) flags &= m->ol_flags;
  if (__builtin_expect(flags == 0, false)) return false;
  const Column stamps =
      gather_from([&](std::size_t i) { return reinterpret_cast<const std::byte*>(mbufs[i]) + field; });
  const auto four = [&](std::size_t i) WIDE {
    const auto length = [&](std::size_t j) { return static_cast<int>(mbufs[j]->pkt_len); };
    __m128i r = _mm_cvtsi32_si128(length(i));
    r = _mm_insert_epi32(r, length(i + 1), 1);
    r = _mm_insert_epi32(r, length(i + 2), 2);
    return _mm_insert_epi32(r, length(i + 3), 3);
  };
  const Column lengths = add(_mm512_cvtepu32_epi64(_mm256_set_m128i(four(4), four(0))), all(kChecksum));
  Column arrivals;
  if (!clock::ArrivalColumns::tell(map_, stamps, lengths, path_.last.before, arrivals)) return false;
  scatter_to([&](std::size_t i) { return &frames[i].receive.value; }, arrivals);
  path_.last.newest = mbuf_stamp(mbufs.back(), path_.nic_stamps);
  good_ += kGroup;
  return true;
}

#else

bool ReceiveBurst::group(std::span<rte_mbuf* const, kGroup>, server::Frame*) noexcept {
  return false;
}

#endif

}  // namespace wiretime::dpdk
