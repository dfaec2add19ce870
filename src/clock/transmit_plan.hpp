// SPDX-License-Identifier: BSD-3-Clause
// When a burst of replies leaves: what the control thread knows of a port's transmit path, and what a worker
// makes of it for one burst. TransmitPlan is written by the control thread into a Seqlock about 10 times a
// second, read by workers once a burst; all arithmetic is in TSC ticks. RFC 5905 section 8: the transmit
// timestamp is of the frame's beginning, which is what NICs stamp and launch.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "base/time.hpp"

namespace wiretime::clock {

// Best first.
enum class TransmitRung : std::uint8_t {
  launch,     // the NIC sends at the instant that the reply says
  predicted,  // as long after the write as sampled hardware stamps say that it takes
  plain,      // at the write, or a fixed time later
};
inline constexpr std::array<TransmitRung, 3> kTransmitRungs{TransmitRung::launch, TransmitRung::predicted,
                                                            TransmitRung::plain};
[[nodiscard]] constexpr std::string_view name(TransmitRung rung) {
  return rung == TransmitRung::launch ? "launch" : rung == TransmitRung::predicted ? "predicted" : "plain";
}

// Bytes that a frame of `length` (without FCS) keeps the wire busy for: padding, FCS, preamble, gap.
[[nodiscard]] constexpr std::uint64_t wire_bytes(std::uint32_t length) noexcept {
  constexpr std::uint32_t kShortest = 60;
  constexpr std::uint64_t kAround = 4 + 8 + 12;
  return std::max(length, kShortest) + kAround;
}

// One burst, as planned. Frame i leaves at first plus the wire time of the frames before it.
struct Departure {
  Ticks written{};              // when that was decided
  Ticks first{};                // what the first reply says
  Ticks leaves{};               // when the first frame is expected to leave: the same, but on the plain rung
  std::int64_t latency = 0;     // ticks, from `written` on, that the plan had for this burst
  std::uint32_t wire_rate = 0;  // TSC ticks that a byte takes on the wire, times 2^16, from reply to reply
  TransmitRung rung = TransmitRung::plain;
  bool follows = false;  // the wire is still busy with the burst before
};

struct TransmitPlan {
  static constexpr unsigned kRateShift = 48;

  TransmitRung rung = TransmitRung::plain;
  std::uint32_t wire_rate = 0;     // as in Departure; 0: unknown
  std::int64_t latency = 0;        // ticks from the write of a burst to its first frame's start, and
  std::int64_t per_frame = 0;      // per frame in the burst, times 2^16: the doorbell rings after the last
  std::int64_t plain_latency = 0;  // the same on the plain rung
  std::int64_t reach = 0;  // ticks from when the driver is done with a burst to its first frame's start
  std::int64_t launch_compensation = 0;  // ticks, that a launched frame is later than the NIC says
  std::uint64_t lead = 0;                // ticks; launch: how far ahead
  std::uint64_t longest_backlog = 0;     // ticks; the wire is not believed to be busy for longer
  // Launch: what the NIC's clock shows at a TSC reading, and until when that is to be believed.
  std::uint64_t anchor_nic = 0;
  Ticks anchor_ticks{};
  std::uint64_t nic_rate = 0;  // NIC ticks per TSC tick, times 2^kRateShift
  Ticks expires{};

  [[nodiscard]] std::int64_t latency_of(unsigned frames) const noexcept {
    return latency + ((per_frame * static_cast<std::int64_t>(frames)) >> 16);
  }

  // A burst of `frames` written at `now`. `wire_free`: when the one before will have left.
  [[nodiscard]] Departure depart(Ticks now, unsigned frames, Ticks wire_free) const noexcept {
    Departure d;
    d.written = now;
    d.rung = rung;
    if (rung == TransmitRung::launch && static_cast<std::int64_t>(now.value - expires.value) >= 0)
      d.rung = TransmitRung::plain;
    d.latency = latency_of(frames);
    const Ticks start{now.value +
                      (d.rung == TransmitRung::launch ? lead : static_cast<std::uint64_t>(d.latency))};
    d.follows = wire_free.value - start.value - 1 < longest_backlog;
    d.leaves = d.follows ? wire_free : start;
    if (d.rung == TransmitRung::launch) d.leaves.value += static_cast<std::uint64_t>(launch_compensation);
    d.first = d.leaves;
    d.wire_rate = wire_rate;
    if (d.rung == TransmitRung::plain) {
      d.first.value = now.value + static_cast<std::uint64_t>(plain_latency);
      d.wire_rate = 0;
    }
    return d;
  }

  // When the wire is free again after a burst that keeps it busy for `busy` ticks and that the driver was
  // done with at `done`: an interrupt before that delays all that follows until the wire has been idle.
  [[nodiscard]] Ticks free_after(const Departure& d, Ticks done, std::uint64_t busy) const noexcept {
    const bool launched = d.rung == TransmitRung::launch;
    Ticks first{done.value + static_cast<std::uint64_t>(reach)};
    if ((launched || d.follows) && static_cast<std::int64_t>(d.leaves.value - first.value) > 0)
      first = d.leaves;
    // By the NIC's account, which the next launch is planned in too.
    if (launched) first.value -= static_cast<std::uint64_t>(launch_compensation);
    return {first.value + busy};
  }

  // What to tell the NIC for a frame that is to leave then.
  [[nodiscard]] std::uint64_t launch_time(Ticks t) const noexcept {
    return nic_at({t.value - static_cast<std::uint64_t>(launch_compensation)});
  }
  // What the NIC's clock will show then.
  [[nodiscard]] std::uint64_t nic_at(Ticks t) const noexcept {
    const auto delta = static_cast<std::int64_t>(t.value - anchor_ticks.value);
    return anchor_nic + static_cast<std::uint64_t>(
                            (static_cast<__int128>(delta) * static_cast<__int128>(nic_rate)) >> kRateShift);
  }
  // TSC ticks that the wire is busy for.
  [[nodiscard]] std::uint64_t wire_ticks(std::uint64_t bytes) const noexcept {
    return (bytes * wire_rate) >> 16;
  }
};

}  // namespace wiretime::clock
