// SPDX-License-Identifier: BSD-3-Clause
// Event counters indexed by an enum with a trailing kCount. One writer thread per block, any number of
// readers: a relaxed load and store compile to a plain add, and each 64-bit value is never torn.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace wiretime {

template <typename Enum>
class alignas(64) Counters {
 public:
  static constexpr std::size_t kSize = static_cast<std::size_t>(Enum::kCount);
  using Values = std::array<std::uint64_t, kSize>;

  // Writer thread only.
  void add(Enum which, std::uint64_t n = 1) noexcept {
    auto& c = values_[static_cast<std::size_t>(which)];
    c.store(c.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t get(Enum which) const noexcept {
    return values_[static_cast<std::size_t>(which)].load(std::memory_order_relaxed);
  }

  void add_to(Values& sum) const noexcept {
    for (std::size_t i = 0; i < kSize; ++i) sum[i] += values_[i].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, kSize>
      values_{};  // writer: the owning worker; readers: control thread
};

// Adds up runs of one event in a register: a counter in memory, once an event, would be a chain of loads that
// wait for the store before. The counters have it all when this ends.
template <typename Enum>
class RunCounter {
 public:
  explicit RunCounter(Counters<Enum>& to) noexcept : to_{to} {}
  RunCounter(const RunCounter&) = delete;
  RunCounter& operator=(const RunCounter&) = delete;
  ~RunCounter() { to_.add(which_, run_); }

  void add(Enum which) noexcept {
    if (__builtin_expect(which != which_, false)) {
      to_.add(which_, run_);
      which_ = which;
      run_ = 0;
    }
    ++run_;
  }

 private:
  Counters<Enum>& to_;
  Enum which_{};
  std::uint64_t run_ = 0;
};

}  // namespace wiretime
