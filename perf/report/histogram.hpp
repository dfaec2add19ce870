// SPDX-License-Identifier: BSD-3-Clause
// Log-linear histogram of times in nanoseconds: 64 buckets an octave, every nanosecond its own below 128.
// A quantile is off by at most kRelativeError of the true sample (half a bucket); 1 ns to 137 s, later ones
// count in the last bucket and in max(). One writer; others read once it has stopped, or from a copy. 16 KiB.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace wiretime::report {

class Histogram {
 public:
  static constexpr double kRelativeError = 1.0 / 128;
  static constexpr std::uint64_t kLast = (std::uint64_t{1} << 37) - 1;  // ns, end of the last bucket

  // Hot path: no branch that is not predicted, no allocation.
  void record(std::uint64_t ns) noexcept {
    ++buckets_[index(std::min(ns, kLast))];
    ++count_;
    max_ = std::max(max_, ns);
  }

  void merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  void clear() noexcept { *this = Histogram{}; }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }  // exact; 0 without samples

  // The time that a share q of the samples, 0 to 1, does not exceed: the middle of its bucket. 0 without
  // samples.
  [[nodiscard]] double quantile(double q) const noexcept {
    if (count_ == 0) return 0;
    const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_) - kRounding);
    const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::max(wanted, 1.0)), 1, count_);
    if (rank == count_) return static_cast<double>(max_);
    std::uint64_t seen = 0;
    std::size_t i = 0;
    while ((seen += buckets_[i]) < rank) ++i;
    return std::min(middle(i), static_cast<double>(max_));
  }

 private:
  static constexpr std::uint64_t kSubBits = 6;
  static constexpr std::uint64_t kExact = (2U << kSubBits) - 1;
  static constexpr double kRounding = 1e-6;  // 0.999 * 1000 is 999, not 999.0000000000001

  // Buckets of octave s hold 64 << s to (128 << s) - 1, each 1 << s wide; what is below 64 joins octave 0.
  [[nodiscard]] static std::size_t index(std::uint64_t ns) noexcept {
    const auto shift = static_cast<std::uint64_t>(std::bit_width(ns | kExact)) - (kSubBits + 1);
    return static_cast<std::size_t>((shift << kSubBits) + (ns >> shift));
  }

  [[nodiscard]] static double middle(std::size_t i) noexcept {
    const std::size_t shift = i <= kExact ? 0 : (i >> kSubBits) - 1;
    const std::uint64_t low = static_cast<std::uint64_t>(i - (shift << kSubBits)) << shift;
    return static_cast<double>(low) + static_cast<double>((std::uint64_t{1} << shift) - 1) / 2;
  }

  std::array<std::uint64_t, 2048> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace wiretime::report
