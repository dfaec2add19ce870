// SPDX-License-Identifier: BSD-3-Clause
// The worker's part of transmit timestamps: plans when a burst leaves, launches it, flags a frame now and
// then to be stamped by the NIC, and takes what that said to the client's memory. Worker threads, but for the
// far side of the slot (dpdk/transmit_stamps.hpp).
#pragma once

#include <rte_mbuf.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/counters.hpp"
#include "base/seqlock.hpp"
#include "clock/transmit_plan.hpp"
#include "clock/transmit_status.hpp"
#include "ntp/exchanges.hpp"
#include "server/burst.hpp"

namespace wiretime::dpdk {

// One frame of a port that the NIC is to stamp: NICs keep one stamp and do not say whose. `turn` says whose
// turn it is; the other fields belong to that side.
struct alignas(64) SampleSlot {
  enum class State : std::uint8_t {
    closed,    // control thread's
    open,      // the first worker that sends takes it
    taken,     // that worker's: it is about to send
    flying,    // control thread's: the NIC has the frame
    measured,  // that worker's, until it closes the slot: `leaves` is what the NIC said
  };
  // `number`: TransmitPath's, of the queue that took it.
  [[nodiscard]] static constexpr std::uint64_t turn_of(State state, std::uint32_t number = 0) noexcept {
    return std::uint64_t{number} << 8 | static_cast<std::uint64_t>(state);
  }
  [[nodiscard]] static constexpr State state_of(std::uint64_t turn) noexcept {
    return static_cast<State>(turn & 0xFFU);
  }

  std::atomic<std::uint64_t> turn{turn_of(State::closed)};
  clock::Departure departure{};  // of its burst
  unsigned frames = 0;           // in it
  Ticks leaves{};                // when the frame was expected to leave
  Ticks done{};                  // the driver had the burst
  bool remembered = false;       // the worker wants to know
};

// The time at which the NIC is to send, in mbufs: see rte_mbuf_dyn_tx_timestamp_register.
struct LaunchField {
  int field = -1;          // offset in the mbuf
  std::uint64_t flag = 0;  // of ol_flags; 0: not offered
};

// What a queue needs of its port. Constant while workers run.
struct TransmitPath {
  const Seqlock<clock::TransmitPlan>* plan = nullptr;  // null: the plain rung, for good
  SampleSlot* slot = nullptr;                          // null: no samples. Shared by the port's queues
  Counters<clock::TransmitEvent>* events = nullptr;    // this queue's
  std::uint32_t number = 0;                            // among the port's queues
  LaunchField launch;
};

// The transmit side of one queue. Several queues of a port share its wire and do not know of each other: in
// which order the NIC takes their frames nobody knows beforehand, so that one account of the wire for all of
// them would halve their errors, not end them, and cost every burst a cache line that other CPUs write.
// Half-empty wires do not show it; of fuller ones the samples' spread tells, and the port steps down at its
// limit (tests/unit/clock/transmit_sharing_test.cpp).
class TransmitQueue {
 public:
  explicit TransmitQueue(const TransmitPath& path) : path_{path} {}

  [[nodiscard]] clock::Departure plan(Ticks now, unsigned frames) noexcept {
    if (path_.plan == nullptr) {
      clock::Departure at_once;
      at_once.written = at_once.first = at_once.leaves = now;
      return at_once;
    }
    (void)path_.plan->try_load(plan_);
    return plan_.depart(now, frames, wire_free_);
  }

  // Right before the burst is given to the driver.
  void prepare(const clock::Departure& d, std::span<rte_mbuf*> mbufs,
               std::span<const server::Frame> frames) noexcept {
    if (path_.plan == nullptr) return;
    if (d.rung == clock::TransmitRung::launch) launch(d, *mbufs.front());
    if (path_.slot != nullptr &&
        path_.slot->turn.load(std::memory_order_relaxed) == SampleSlot::turn_of(SampleSlot::State::open))
      take(d, mbufs, frames);
    bytes_ = 0;
    for (const server::Frame& frame : frames) bytes_ += clock::wire_bytes(frame.length);
  }
  // The driver took `sent` frames, and was done at `done`. True: the replies say when they leave, as well as
  // can be known. False on the plain rung, and for a burst that was interrupted while it was written.
  [[nodiscard]] bool kept(const clock::Departure& d, unsigned sent, Ticks done) noexcept {
    wire_free_ = plan_.free_after(d, done, plan_.wire_ticks(bytes_));
    if (d.rung == clock::TransmitRung::plain || sent == 0) return false;
    if (d.rung == clock::TransmitRung::launch) path_.events->add(clock::TransmitEvent::launched);
    if (static_cast<std::int64_t>(done.value - d.first.value) < 0) return true;
    path_.events->add(clock::TransmitEvent::late);
    return false;
  }
  // After the burst was sent and its replies are remembered.
  void hand_over(unsigned sent, Ticks done, const clock::TimeSnapshot& time,
                 std::span<const server::Frame> frames) noexcept {
    if (flagged_ != kNone) hand_over_flagged(sent, done, time, frames);
  }

  // Now and then: is there something to be told to a client?
  [[nodiscard]] bool waits() const noexcept { return entry_ != nullptr; }
  void settle(const clock::TimeSnapshot& time) noexcept;

 private:
  static constexpr unsigned kNone = ~0U;

  void launch(const clock::Departure& d, rte_mbuf& first) noexcept {
    const std::uint64_t at = plan_.launch_time(d.first);
    std::memcpy(reinterpret_cast<std::byte*>(&first) + path_.launch.field, &at, sizeof at);
    first.ol_flags |= path_.launch.flag;
  }
  void take(const clock::Departure& d, std::span<rte_mbuf*> mbufs,
            std::span<const server::Frame> frames) noexcept;
  void hand_over_flagged(unsigned sent, Ticks done, const clock::TimeSnapshot& time,
                         std::span<const server::Frame> frames) noexcept;

  TransmitPath path_;
  clock::TransmitPlan plan_{};
  Ticks wire_free_{};
  std::uint64_t bytes_ = 0;   // on the wire, of the burst at hand
  unsigned flagged_ = kNone;  // in the burst at hand
  // The sampled reply that a client may ask for: to be found there, if it is still the same.
  ntp::ExchangeLine::Entry* entry_ = nullptr;  // null: none
  ntp::ExchangeLine::Entry as_sent_ = 0;
  NtpTimestamp receive_{};
  std::uint8_t epoch_ = 0;
};

}  // namespace wiretime::dpdk
