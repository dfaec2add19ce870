// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/transmit_time.hpp"

namespace wiretime::dpdk {

using State = SampleSlot::State;

// Best a reply that its client may ask for.
void TransmitQueue::take(const clock::Departure& d, std::span<rte_mbuf*> mbufs,
                         std::span<const server::Frame> frames) noexcept {
  SampleSlot& slot = *path_.slot;
  std::uint64_t open = SampleSlot::turn_of(State::open);
  if (!slot.turn.compare_exchange_strong(open, SampleSlot::turn_of(State::taken, path_.number),
                                         std::memory_order_acquire))
    return;
  flagged_ = 0;
  std::uint64_t bytes = 0, ahead = 0;
  for (unsigned i = 0; i < frames.size(); ++i) {
    if (frames[i].exchange.entry != nullptr && is_ntp_answer(frames[i].verdict)) {
      flagged_ = i;
      ahead = bytes;
      break;
    }
    bytes += clock::wire_bytes(frames[i].length);
  }
  slot.departure = d;
  slot.frames = static_cast<unsigned>(frames.size());
  slot.leaves.value = d.leaves.value + plan_.wire_ticks(ahead);
  mbufs[flagged_]->ol_flags |= RTE_MBUF_F_TX_IEEE1588_TMST;
}

void TransmitQueue::hand_over_flagged(unsigned sent, Ticks done, const clock::TimeSnapshot& time,
                                      std::span<const server::Frame> frames) noexcept {
  SampleSlot& slot = *path_.slot;
  const unsigned flagged = flagged_;
  flagged_ = kNone;
  if (flagged >= sent) return slot.turn.store(SampleSlot::turn_of(State::open), std::memory_order_release);
  slot.done = done;
  const server::Frame& frame = frames[flagged];
  entry_ = is_ntp_answer(frame.verdict) ? frame.exchange.entry : nullptr;
  if (entry_ != nullptr) {
    as_sent_ = *entry_;
    receive_ = frame.receive;
    epoch_ = time.epoch;
  }
  slot.remembered = entry_ != nullptr;
  slot.turn.store(SampleSlot::turn_of(State::flying, path_.number), std::memory_order_release);
}

void TransmitQueue::settle(const clock::TimeSnapshot& time) noexcept {
  SampleSlot& slot = *path_.slot;
  const std::uint64_t turn = slot.turn.load(std::memory_order_acquire);
  if (turn == SampleSlot::turn_of(State::flying, path_.number)) return;
  if (turn == SampleSlot::turn_of(State::measured, path_.number)) {
    // Another reply may have taken the place, and after a step of the clock times do not compare.
    if (*entry_ == as_sent_ && ntp::ExchangeLine::is_reply(as_sent_) && time.epoch == epoch_) {
      const auto measured = ntp::ExchangeLine::entry(receive_, time.time_at(slot.leaves), epoch_);
      if (ntp::ExchangeLine::is_reply(measured)) {
        ntp::ExchangeLine::put(entry_, measured);
        path_.events->add(clock::TransmitEvent::remembered);
      }
    }
    slot.turn.store(SampleSlot::turn_of(State::closed), std::memory_order_release);
  }
  entry_ = nullptr;
}

}  // namespace wiretime::dpdk
