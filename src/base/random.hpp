// SPDX-License-Identifier: BSD-3-Clause
// Random numbers for speed and without pattern, not for secrecy: low bits of timestamps, leaks of rate
// limits.
#pragma once

#include <array>
#include <cstdint>

namespace wiretime {

// xoroshiro128++ (Blackman and Vigna, public domain).
class Random {
 public:
  explicit Random(std::array<std::uint64_t, 2> seed) noexcept : s_{seed[0] | 1U, seed[1]} {}
  [[nodiscard]] std::uint64_t next() noexcept {
    const std::uint64_t s0 = s_[0];
    std::uint64_t s1 = s_[1];
    const std::uint64_t result = rotate(s0 + s1, 17) + s0;
    s1 ^= s0;
    s_[0] = rotate(s0, 49) ^ s1 ^ (s1 << 21);
    s_[1] = rotate(s1, 28);
    return result;
  }

 private:
  static constexpr std::uint64_t rotate(std::uint64_t x, int k) noexcept {
    return (x << k) | (x >> (64 - k));
  }
  std::array<std::uint64_t, 2> s_;
};

// The next of a burst's numbers, the first of which is Random's, in one multiplication (Knuth's MMIX
// generator). Only the upper bits are random.
[[nodiscard]] constexpr std::uint64_t next_of_burst(std::uint64_t number) noexcept {
  return number * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
}

}  // namespace wiretime
