// SPDX-License-Identifier: BSD-3-Clause
// The buffers that a memif server shares with its client, asked for before they are needed. The client's core
// has just written the next requests and read the last replies; whoever reads or writes them next waits until
// they have come over, and net_memif copies frames without asking ahead: that was a third of what a request
// costs. The driver does not tell where it copies, but the memif protocol lays rings and buffers out in
// memory that is mapped here too, so they are looked for. What is found is only ever prefetched by workers:
// that cannot fault, and where it is wrong or outdated nothing is lost but speed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "server/burst.hpp"

namespace wiretime::dpdk {

// Those of one pair of a receive and a transmit queue.
class alignas(64) MemifSlots {
 public:
  explicit MemifSlots(unsigned queue = 0) : queue_(queue) {}

  // Worker. Prefetches are inlined always: GCC takes a function of nothing else for one without effect, and
  // its calls away.
  void received(unsigned frames) noexcept {
    requests_.position += frames;
    more_ = frames == server::kBurstSize;
  }
  void sent(unsigned frames) noexcept { replies_.position += frames; }
  // Where the next `count` replies go.
  [[gnu::always_inline]] void fetch_replies(unsigned count) const noexcept {
    if (replies_.known()) fetch<1>(replies_, 0, count);
  }
  // Of the next burst, what lies from the `from`th to before the `to`th slot, if the last burst was full:
  // where it was not, the client has yet to write them, and should not have to get them back for it.
  [[gnu::always_inline]] void fetch_requests(unsigned from, unsigned to) const noexcept {
    if (more_ && requests_.known()) fetch<0>(requests_, from, to);
  }

  // Control thread, while no worker serves these queues, which have a client, and nobody maps or unmaps
  // clients' memory: finds the slots of those that are new, and looks whether the others are still there.
  static void follow(std::span<MemifSlots* const> queues);
  // The same: the queue has no client.
  void forget() noexcept { *this = MemifSlots{queue_}; }

  // A ring's slots lie side by side. `position`: frames that have passed, one in a slot.
  struct Ring {
    std::uintptr_t first = 0;
    std::uint32_t stride = 0;
    std::uint32_t mask = 0;
    std::uint32_t position = 0;

    [[nodiscard]] bool known() const noexcept { return first != 0; }
    // The address of the slot of the `ahead`th frame from now.
    [[nodiscard]] std::uintptr_t slot(unsigned ahead) const noexcept {
      return first + std::uintptr_t{stride} * ((position + ahead) & mask);
    }
  };
  [[nodiscard]] const Ring& requests() const noexcept { return requests_; }
  [[nodiscard]] const Ring& replies() const noexcept { return replies_; }

 private:
  template <int kForWriting>
  [[gnu::always_inline]] static void fetch(const Ring& ring, unsigned from, unsigned to) noexcept {
    for (unsigned i = from; i < to; ++i) {
      const std::uintptr_t frame = ring.slot(i);
      __builtin_prefetch(reinterpret_cast<const void*>(frame), kForWriting);
      __builtin_prefetch(reinterpret_cast<const void*>(frame + 64),
                         kForWriting);  // IPv4: 90 bytes, IPv6: 110
    }
  }
  void look_again() noexcept;
  [[nodiscard]] bool worth_a_search() noexcept;

  Ring requests_, replies_;
  bool more_ = false;
  // Control thread.
  unsigned queue_;
  std::uintptr_t region_ = 0;  // begins with the rings
  std::uint64_t file_ = 0;     // its inode
  unsigned searches_ = 0;
  std::uint32_t searched_ = 0;  // position of requests then
};

}  // namespace wiretime::dpdk
