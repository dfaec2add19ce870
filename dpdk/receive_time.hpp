// SPDX-License-Identifier: BSD-3-Clause
// When a frame arrived: what the NIC stamped it with, in the mbuf or handed on by the XDP program in front of
// the frame, or when that program ran; if that is there and credible. ClockOffsets: control thread writes,
// workers read. The rest: worker threads.
#pragma once

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/seqlock.hpp"
#include "base/time.hpp"
#include "clock/arrival_map.hpp"
#include "clock/nic_snapshot.hpp"
#include "clock/snapshot.hpp"
#include "ebpf/steer.h"
#include "server/burst.hpp"
#include "server/wide_path.hpp"
#include "server/worker_state.hpp"

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

// Of a frame that has one.
[[nodiscard]] inline std::uint64_t mbuf_stamp(const rte_mbuf* frame, const NicStamps& stamps) noexcept {
  rte_mbuf_timestamp_t stamp;
  std::memcpy(&stamp, reinterpret_cast<const std::byte*>(frame) + stamps.field, sizeof stamp);
  return stamp;
}

// What the NIC said when it received the frame, by its own clock: in the mbuf, or through the XDP program.
[[nodiscard]] inline std::optional<std::uint64_t> nic_stamp(const rte_mbuf* frame, const NicStamps& stamps,
                                                            const steer_metadata* metadata) noexcept {
  if (metadata != nullptr && metadata->hardware_time != 0) return metadata->hardware_time;
  if ((frame->ol_flags & stamps.flag) == 0) return std::nullopt;
  return mbuf_stamp(frame, stamps);
}

// The receive side of one queue.
struct ReceivePath {
  NicStamps nic_stamps;
  bool xdp_metadata = false;  // frames carry the XDP program's receive time, and maybe the NIC's
  clock::NicSnapshot nic{};
  std::uint64_t nic_loaded = Seqlock<clock::NicSnapshot>::kNever;
  clock::ArrivalScale scale{};  // of that
  LastStamps last{};
};

// The frames of one burst, which was here by `seen`: when each came, by the best rung whose stamp can be
// used. The time of the burst is the last.
class ReceiveBurst {
 public:
  struct Arrived {
    NtpTimestamp time;
    server::Stamp by;
  };

  ReceiveBurst(ReceivePath& path, Ticks seen, const clock::TimeSnapshot& time, const ClockOffsets& offsets,
               server::WorkerState& state) noexcept
      : path_{path},
        seen_{seen},
        time_{time},
        offsets_{offsets},
        state_{state},
        map_{scale_of(path, time), path.nic, time, seen},
        quick_{map_.usable() && path.nic_stamps.clock != nullptr && !path.xdp_metadata} {}
  ReceiveBurst(const ReceiveBurst&) = delete;
  ReceiveBurst& operator=(const ReceiveBurst&) = delete;
  ~ReceiveBurst() {
    state_.nic_stamps.add(clock::StampVerdict::good, good_);
    path_.last.next_burst();
  }

  // Of all of them: into `receive` of frames[i] what arrival_of() says of mbufs[i], and who stamped it.
  void arrivals(std::span<rte_mbuf* const> mbufs, server::Frame* frames, server::Stamp* by) noexcept {
    for (std::size_t i = 0; i < mbufs.size();) {
      if (state_.wide && quick_ && mbufs.size() - i >= kGroup &&
          group(mbufs.subspan(i).first<kGroup>(), frames + i)) {
        std::fill_n(by + i, kGroup, server::Stamp::receive_hardware);
        i += kGroup;
        continue;
      }
      for (const std::size_t end = std::min(i + kGroup, mbufs.size()); i < end; ++i) {
        const Arrived arrived = arrival_of(mbufs[i]);
        frames[i].receive = arrived.time;
        by[i] = arrived.by;
      }
    }
  }

  [[nodiscard]] Arrived arrival_of(rte_mbuf* frame) noexcept {
    if (__builtin_expect(quick_ && (frame->ol_flags & path_.nic_stamps.flag) != 0, true)) {
      const std::uint64_t stamp = mbuf_stamp(frame, path_.nic_stamps);
      path_.last.newest = stamp;
      NtpTimestamp arrival;
      if (__builtin_expect(map_.tell(stamp, length_of(frame), path_.last.before, arrival), true)) {
        ++good_;
        return {arrival, server::Stamp::receive_hardware};
      }
    }
    return any_arrival(frame);
  }

 private:
  [[nodiscard]] static const clock::ArrivalScale& scale_of(ReceivePath& path,
                                                           const clock::TimeSnapshot& time) noexcept {
    const auto* const clock = path.nic_stamps.clock;
    const bool is_new = clock != nullptr && clock->try_load(path.nic, path.nic_loaded);
    if (__builtin_expect(is_new || path.scale.time_rate() != time.rate, false))
      path.scale = clock::ArrivalScale{path.nic, time.rate};
    return path.scale;
  }

  static constexpr std::uint32_t kChecksum = 4;  // bytes, behind the frame
  [[nodiscard]] static std::uint32_t length_of(const rte_mbuf* frame) noexcept {
    return frame->pkt_len + kChecksum;
  }
  static constexpr std::size_t kGroup = server::wide::kGroup;
  // Eight stamps that are as they should be. False: not all of them are, and nothing was done.
  [[nodiscard]] bool group(std::span<rte_mbuf* const, kGroup> mbufs, server::Frame* frames) noexcept;
  // Whatever the port and the stamp are like.
  [[gnu::noinline]] Arrived any_arrival(rte_mbuf* frame) noexcept {
    const auto metadata = path_.xdp_metadata ? claim_xdp_metadata(frame) : std::nullopt;
    if (path_.nic_stamps.clock != nullptr) {
      NtpTimestamp arrival;
      const auto verdict = nic_time(frame, metadata ? &*metadata : nullptr, arrival);
      state_.nic_stamps.add(verdict);
      if (clock::is_usable(verdict)) return {arrival, server::Stamp::receive_hardware};
    }
    if (path_.xdp_metadata) {
      const ReceiveTime stamp = metadata ? xdp_time(*metadata, offsets_, map_.now()) : ReceiveTime{};
      state_.xdp_stamps.add(stamp.verdict);
      if (stamp.verdict == clock::StampVerdict::good) return {stamp.time, server::Stamp::receive_kernel};
    }
    return {map_.now(), server::Stamp::receive_daemon};
  }
  // The time of the end of a frame that the NIC stamped. `arrival`: only of a usable one.
  [[nodiscard]] clock::StampVerdict nic_time(const rte_mbuf* frame, const steer_metadata* metadata,
                                             NtpTimestamp& arrival) noexcept {
    const auto stamp = nic_stamp(frame, path_.nic_stamps, metadata);
    if (!stamp) return clock::StampVerdict::missing;
    path_.last.newest = *stamp;
    const std::uint32_t length = length_of(frame);
    if (map_.usable() && map_.tell(*stamp, length, path_.last.before, arrival))
      return clock::StampVerdict::good;
    const auto judged = path_.nic.arrival_of(*stamp, seen_, length, path_.last.before);
    arrival = time_.time_at(judged.ticks);
    return judged.verdict;
  }

  ReceivePath& path_;
  const Ticks seen_;
  const clock::TimeSnapshot& time_;
  const ClockOffsets& offsets_;
  server::WorkerState& state_;
  const clock::ArrivalMap map_;
  const bool quick_;        // the NIC's stamps are in mbufs and can be told
  std::uint64_t good_ = 0;  // so told
};

}  // namespace wiretime::dpdk
