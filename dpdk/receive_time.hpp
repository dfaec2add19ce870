// SPDX-License-Identifier: BSD-3-Clause
// When a frame arrived: what the NIC stamped it with, in the mbuf or handed on by the XDP program in front of
// the frame, or when that program ran; if that is there and credible. ClockOffsets: control thread writes,
// workers read. The rest: worker threads.
#pragma once

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/seqlock.hpp"
#include "base/time.hpp"
#include "clock/nic_snapshot.hpp"
#include "ebpf/steer.h"

namespace wiretime::dpdk {

// CLOCK_REALTIME minus the two clocks that an XDP program can read. Stale for one tick after a clock step;
// the check against the snapshot catches what that gets wrong.
struct alignas(64) ClockOffsets {
  std::atomic<std::int64_t> from_tai_ns{0};        // writer: control thread; readers: workers
  std::atomic<std::int64_t> from_monotonic_ns{0};  // the same

  void update() noexcept;  // control thread: reads the kernel's clocks
};

// How far a stamp may lie before `now`, the time of the burst: the frame waited in a queue for so long.
inline constexpr NtpDuration kOldestStamp = NtpDuration::from(std::chrono::milliseconds{50});
// And after it: nothing but the error between two ways to read one clock.
inline constexpr NtpDuration kNewestStamp = NtpDuration::from(std::chrono::microseconds{100});

// A frame's receive time as a rung tells it; meaningless unless good.
struct ReceiveTime {
  NtpTimestamp time{};
  clock::StampVerdict verdict = clock::StampVerdict::missing;
};

// Takes what the XDP program left out of the frame's headroom; a second call finds nothing.
[[nodiscard]] inline std::optional<steer_metadata> claim_xdp_metadata(rte_mbuf* frame) noexcept {
  steer_metadata metadata;
  if (rte_pktmbuf_headroom(frame) < sizeof metadata) return std::nullopt;
  std::byte* at = rte_pktmbuf_mtod(frame, std::byte*) - sizeof metadata;
  std::memcpy(&metadata, at, sizeof metadata);
  if (metadata.magic != STEER_MAGIC) return std::nullopt;
  std::memset(at + offsetof(steer_metadata, magic), 0, sizeof metadata.magic);
  return metadata;
}

// When the XDP program ran, if that is credible. Never later than `now`, so that a reply cannot seem to leave
// before its request came.
[[nodiscard]] inline ReceiveTime xdp_time(const steer_metadata& metadata, const ClockOffsets& offsets,
                                          NtpTimestamp now) noexcept {
  using clock::StampVerdict;
  std::int64_t offset = 0;
  if (metadata.clock == STEER_CLOCK_TAI)
    offset = offsets.from_tai_ns.load(std::memory_order_relaxed);
  else if (metadata.clock == STEER_CLOCK_MONOTONIC)
    offset = offsets.from_monotonic_ns.load(std::memory_order_relaxed);
  else
    return {{}, StampVerdict::no_clock};  // a newer program's
  if (metadata.time == 0) return {{}, StampVerdict::zero};
  const auto unix_ns = static_cast<std::int64_t>(metadata.time) + offset;
  const NtpTimestamp time = NtpTimestamp::from(WallTime{Nanoseconds{unix_ns}});
  const NtpDuration ahead = time - now;
  if (ahead > kNewestStamp) return {{}, StampVerdict::in_future};
  if (ahead.units < -kOldestStamp.units) return {{}, StampVerdict::too_old};
  return {ahead.units > 0 ? now : time, StampVerdict::good};
}

// Where a driver leaves the NIC's receive stamps in an mbuf (rte_mbuf_dyn.h), and the clock that they are of,
// or those that come through the XDP program.
struct NicStamps {
  const Seqlock<clock::NicSnapshot>* clock = nullptr;  // null: the NIC stamps nothing
  int field = -1;                                      // offset in the mbuf
  std::uint64_t flag = 0;                              // of ol_flags: this one was stamped; 0: none in mbufs
};

// The stamps that a queue had last: of a NIC that stands still they are those of the burst before.
struct LastStamps {
  std::uint64_t before = 0;
  std::uint64_t newest = 0;

  void next_burst() noexcept { before = newest; }
};

// What the NIC said when it received the frame, by its own clock: in the mbuf, or through the XDP program.
[[nodiscard]] inline std::optional<std::uint64_t> nic_stamp(const rte_mbuf* frame, const NicStamps& stamps,
                                                            const steer_metadata* metadata) noexcept {
  if (metadata != nullptr && metadata->hardware_time != 0) return metadata->hardware_time;
  if ((frame->ol_flags & stamps.flag) == 0) return std::nullopt;
  rte_mbuf_timestamp_t stamp;
  std::memcpy(&stamp, reinterpret_cast<const std::byte*>(frame) + stamps.field, sizeof stamp);
  return stamp;
}

// The time of the end of a frame so stamped. `map`: of the NIC's clock.
[[nodiscard]] inline clock::NicSnapshot::Arrival nic_time(const rte_mbuf* frame,
                                                          std::optional<std::uint64_t> stamp,
                                                          const clock::NicSnapshot& map, Ticks seen,
                                                          LastStamps& last) noexcept {
  constexpr std::uint32_t kChecksum = 4;  // bytes, behind the frame
  if (!stamp) return {{}, clock::StampVerdict::missing};
  last.newest = *stamp;
  return map.arrival_of(*stamp, seen, frame->pkt_len + kChecksum, last.before);
}

}  // namespace wiretime::dpdk
