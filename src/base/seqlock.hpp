// SPDX-License-Identifier: BSD-3-Clause
// Single-writer snapshot of a trivially copyable value, held as atomic 64-bit words (so it is free of data
// races by the letter of the memory model; Boehm, "Can seqlocks get along with programming language memory
// models?", MSPC 2012). Release stores and acquire loads keep the words between the two looks at the
// sequence: free on x86, and unlike fences TSan understands them. Writer: one thread, wait free. Readers: any
// number; try_load never spins.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace wiretime {

template <typename T>
class alignas(64) Seqlock {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr std::size_t kWords = (sizeof(T) + 7) / 8;

 public:
  Seqlock() noexcept { store(T{}); }

  // Writer thread only.
  void store(const T& value) noexcept {
    std::array<std::uint64_t, kWords> words{};
    std::memcpy(words.data(), &value, sizeof value);
    const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  // True and the newest value, or false with `out` untouched when a write was under way: keep the last one.
  [[nodiscard]] bool try_load(T& out) const noexcept {
    std::uint64_t loaded = kNever;
    return try_load(out, loaded);
  }
  // Of a reader who has loaded before, and keeps `loaded`, kNever at first: false too if `out` is the newest.
  static constexpr std::uint64_t kNever = 1;
  [[nodiscard]] bool try_load(T& out, std::uint64_t& loaded) const noexcept {
    const std::uint64_t before = sequence_.load(std::memory_order_acquire);
    if ((before & 1U) != 0 || before == loaded) return false;
    std::array<std::uint64_t, kWords> words;
    for (std::size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
    if (sequence_.load(std::memory_order_relaxed) != before) return false;
    std::memcpy(static_cast<void*>(&out), words.data(), sizeof out);
    loaded = before;
    return true;
  }

 private:
  std::atomic<std::uint64_t> sequence_{0};                // writer: the publishing thread; readers: all
  std::array<std::atomic<std::uint64_t>, kWords> words_;  // the same
};

}  // namespace wiretime
