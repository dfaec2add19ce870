// SPDX-License-Identifier: BSD-3-Clause
// The buffers that a memif server shares with its client, asked for before they are needed. The client's core
// has just written the next requests, and read the last replies; whoever reads or writes them next waits
// until they have come over, and net_memif copies frames without asking ahead: that was half of what a
// request costs. The driver does not tell where it copies, but the memif protocol lays rings and buffers out
// in memory that is mapped here too, so they are looked for. Buffers that are found are prefetched, no more:
// where they are the wrong ones nothing is lost but speed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace wiretime::dpdk {

// Those of one pair of a receive and a transmit queue.
class alignas(64) MemifSlots {
 public:
  explicit MemifSlots(unsigned queue = 0) : queue_(queue) {}

  // Worker. Prefetches are inlined always: GCC takes a function of nothing else for one without effect, and
  // its calls away.
  void received(unsigned frames) noexcept { incoming_.position += frames; }
  void sent(unsigned frames) noexcept { outgoing_.position += frames; }
  // Where the next `count` frames go.
  [[gnu::always_inline]] void fetch_outgoing(unsigned count) const noexcept {
    if (outgoing_.known()) fetch<1>(outgoing_, 0, count, outgoing_.ready());
  }
  // Of what has come and is still to be received, from the `from`th to before the `to`th frame.
  [[gnu::always_inline]] void fetch_incoming(unsigned from, unsigned to) const noexcept {
    if (incoming_.known()) fetch<0>(incoming_, from, to, incoming_.ready());
  }

  // Control thread, while no worker serves these queues, which are connected, and nobody maps or unmaps what
  // they share: finds the slots of those that are new, and looks whether the others are still there.
  static void follow(std::span<MemifSlots* const> queues);
  // The same: the queue is not connected.
  void forget() noexcept { *this = MemifSlots{queue_}; }

  // A ring's slots lie side by side. `position`: frames that have passed, one in a slot.
  struct Ring {
    std::uintptr_t first = 0;
    std::uint32_t stride = 0;
    std::uint32_t mask = 0;
    std::uint32_t position = 0;
    const std::uint16_t* head = nullptr;  // how far we may go, as the client says

    [[nodiscard]] bool known() const noexcept { return first != 0; }
    // The address of the slot of the `ahead`th frame from now.
    [[nodiscard]] std::uintptr_t slot(unsigned ahead) const noexcept {
      return first + std::uintptr_t{stride} * ((position + ahead) & mask);
    }
    // Frames that are there, or may be put there: the slots behind are still the client's to use, who should
    // not have to get them back for it. Reads what is shared, as the driver does: only if known.
    [[nodiscard]] unsigned ready() const noexcept {
      const auto frames = static_cast<std::uint16_t>(__atomic_load_n(head, __ATOMIC_RELAXED) - position);
      return frames <= mask + 1 ? frames : 0;
    }
  };
  [[nodiscard]] const Ring& incoming() const noexcept { return incoming_; }
  [[nodiscard]] const Ring& outgoing() const noexcept { return outgoing_; }

 private:
  template <int kForWriting>
  [[gnu::always_inline]] static void fetch(const Ring& ring, unsigned from, unsigned to,
                                           unsigned ready) noexcept {
    const unsigned end = to < ready ? to : ready;
    for (unsigned i = from; i < end; ++i) {
      const std::uintptr_t frame = ring.slot(i);
      __builtin_prefetch(reinterpret_cast<const void*>(frame), kForWriting);
      __builtin_prefetch(reinterpret_cast<const void*>(frame + 64), kForWriting);  // 90 bytes, IPv6: 110
    }
  }
  void look_again() noexcept;
  [[nodiscard]] bool worth_a_search() noexcept;

  Ring incoming_, outgoing_;
  // Control thread.
  unsigned queue_;
  std::uintptr_t region_ = 0;  // begins with the rings
  std::uint64_t file_ = 0;     // its inode
  unsigned searches_ = 0;
  std::uint32_t searched_ = 0;  // position of incoming_ then
};

}  // namespace wiretime::dpdk
