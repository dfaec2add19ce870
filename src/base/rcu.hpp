// SPDX-License-Identifier: BSD-3-Clause
// A pointer that one thread replaces and workers read without locks. A worker calls refresh() at its
// housekeeping tick, which is its quiescent state: it holds no older pointer after that. The control thread
// frees a replaced object once every online worker has refreshed since.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace wiretime {

template <typename T, std::size_t kMaxReaders = 128>
class RcuPointer {
 public:
  explicit RcuPointer(std::unique_ptr<const T> first) : current_(first.get()), owned_(std::move(first)) {}

  // Control thread. Returns at once; the old object lives until reclaim() finds it unread.
  void publish(std::unique_ptr<const T> next) {
    const std::uint64_t generation = generation_.load(std::memory_order_relaxed) + 1;
    // Sequentially consistent with refresh(): either the worker loads `next`, or reclaim() sees that worker.
    current_.store(next.get(), std::memory_order_seq_cst);
    generation_.store(generation, std::memory_order_seq_cst);
    retired_.emplace_back(generation, std::exchange(owned_, std::move(next)));
    reclaim();
  }

  // Control thread: frees what no worker can still hold. Called by publish and from the housekeeping timer.
  void reclaim() {
    std::uint64_t oldest = UINT64_MAX;
    for (const auto& r : readers_) {
      const auto seen = r.seen.load(std::memory_order_seq_cst);
      if (seen != kOffline && seen < oldest) oldest = seen;
    }
    std::erase_if(retired_, [&](const auto& entry) { return entry.first <= oldest; });
  }

  // Control thread's own view; valid until its next publish.
  [[nodiscard]] const T& control_view() const noexcept { return *owned_; }
  [[nodiscard]] std::size_t retired() const noexcept { return retired_.size(); }

  // Worker `reader` (0..kMaxReaders-1): the current object, valid until this worker's next refresh or
  // offline.
  [[nodiscard]] const T* refresh(std::size_t reader) noexcept {
    // Generation first: a publish between the two loads makes us read a newer object than we report, which
    // only delays freeing.
    const std::uint64_t generation = generation_.load(std::memory_order_seq_cst);
    readers_[reader].seen.store(generation, std::memory_order_seq_cst);
    return current_.load(std::memory_order_seq_cst);
  }
  void offline(std::size_t reader) noexcept {
    readers_[reader].seen.store(kOffline, std::memory_order_release);
  }

 private:
  static constexpr std::uint64_t kOffline = UINT64_MAX;
  struct alignas(64) Reader {
    std::atomic<std::uint64_t> seen{kOffline};  // writer: that worker; reader: control thread
  };

  std::atomic<const T*> current_;             // writer: control thread; readers: workers
  std::atomic<std::uint64_t> generation_{1};  // writer: control thread; readers: workers
  std::array<Reader, kMaxReaders> readers_;
  std::unique_ptr<const T> owned_;                                           // control thread
  std::vector<std::pair<std::uint64_t, std::unique_ptr<const T>>> retired_;  // control thread
};

}  // namespace wiretime
