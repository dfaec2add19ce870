// SPDX-License-Identifier: BSD-3-Clause
// From one thread to one other without locks or waiting: a ring of values, and how the producer learns that
// the consumer sleeps and somebody has to wake it. Together they lose nobody: a producer that pushes and then
// asks must_wake(), and a consumer that says fall_asleep() and then looks whether the ring is empty(), are
// ordered by sequentially consistent operations, so that at least one of them sees the other.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace wiretime {

template <typename T>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // Room for `capacity` values, or the next power of two.
  explicit SpscRing(std::size_t capacity) : slots_(std::bit_ceil(capacity)), mask_{slots_.size() - 1} {}
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  // Producer. False: full.
  [[nodiscard]] bool push(T value) noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - known_head_ == slots_.size()) {
      known_head_ = head_.load(std::memory_order_acquire);
      if (tail - known_head_ == slots_.size()) return false;
    }
    slots_[tail & mask_] = value;
    tail_.store(tail + 1, std::memory_order_seq_cst);
    return true;
  }

  // Consumer. How many of `into` now hold what was pushed first.
  [[nodiscard]] std::size_t pop(std::span<T> into) noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    const std::size_t waiting = tail_.load(std::memory_order_acquire) - head;
    const std::size_t count = waiting < into.size() ? waiting : into.size();
    if (count == 0) return 0;
    for (std::size_t i = 0; i < count; ++i) into[i] = slots_[(head + i) & mask_];
    head_.store(head + count, std::memory_order_release);
    return count;
  }

  // Consumer.
  [[nodiscard]] bool empty() const noexcept {
    return tail_.load(std::memory_order_seq_cst) == head_.load(std::memory_order_relaxed);
  }

 private:
  std::vector<T> slots_;
  const std::size_t mask_;
  alignas(64) std::atomic<std::size_t> tail_{0};  // writer: producer; reader: consumer
  std::size_t known_head_ = 0;                    // producer: head_ as last seen
  alignas(64) std::atomic<std::size_t> head_{0};  // writer: consumer; reader: producer
};

// One consumer of any number of rings, and their producers. It begins asleep.
class Sleeper {
 public:
  // Producer, after its pushes. True for one producer in each sleep: it wakes the consumer.
  [[nodiscard]] bool must_wake() noexcept {
    return asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false);
  }
  // Consumer.
  [[nodiscard]] bool asleep() const noexcept { return asleep_.load(std::memory_order_relaxed); }
  // Consumer; then it looks at its rings once more.
  void fall_asleep() noexcept { asleep_.store(true, std::memory_order_seq_cst); }

 private:
  alignas(64) std::atomic<bool> asleep_{true};  // writers: consumer sets, a producer clears
};

}  // namespace wiretime
