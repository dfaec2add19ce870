// SPDX-License-Identifier: BSD-3-Clause
// Which of the latest requests have been answered, a bit each, so that a second answer is seen to be one.
// Sequence numbers count up; the window moves with them. Generator's core.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace wiretime::load {

class Answered {
 public:
  static constexpr std::uint64_t kWindow = std::uint64_t{1} << 24;

  Answered() : words_(kWindow / 64) {}

  // Opens the window for `sequence`; call it for every number in turn.
  void open(std::uint64_t sequence) noexcept {
    if (sequence % 64 == 0) words_[sequence / 64 % words_.size()] = 0;
  }
  // False: has been taken before.
  [[nodiscard]] bool take(std::uint64_t sequence) noexcept {
    std::uint64_t& word = words_[sequence / 64 % (kWindow / 64)];
    const std::uint64_t bit = std::uint64_t{1} << sequence % 64;
    const bool fresh = (word & bit) == 0;
    word |= bit;
    return fresh;
  }

  // How many of [first, last) have not been taken.
  [[nodiscard]] std::uint64_t missing(std::uint64_t first, std::uint64_t last) const noexcept {
    std::uint64_t count = 0;
    while (first < last) {
      const std::uint64_t end = std::min(last, (first / 64 + 1) * 64);
      const std::uint64_t from_first = ~words_[first / 64 % (kWindow / 64)] >> first % 64;
      const std::uint64_t width = end - first;
      count += static_cast<std::uint64_t>(
          std::popcount(width == 64 ? from_first : from_first & ((std::uint64_t{1} << width) - 1)));
      first = end;
    }
    return count;
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace wiretime::load
