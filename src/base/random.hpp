// SPDX-License-Identifier: BSD-3-Clause
// Random numbers for speed and without pattern, not for secrecy: low bits of timestamps, leaks of rate
// limits; and what keyed permutations of numbers need.
#pragma once

#include <array>
#include <cstddef>
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

// splitmix64 (Vigna, public domain): unrelated numbers from 1, 2, 3, ...
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x += 0x9E37'79B9'7F4A'7C15U;
  x = (x ^ (x >> 30)) * 0xBF58'476D'1CE4'E5B9U;
  x = (x ^ (x >> 27)) * 0x94D0'49BB'1331'11EBU;
  return x ^ (x >> 31);
}

// What undoes a multiplication by an odd number, modulo a power of two. Newton's iteration: each step doubles
// the right bits, of which there are 3 at first.
template <typename U>
[[nodiscard]] constexpr U inverse_of_odd(U odd) noexcept {
  U x = odd;
  for (std::size_t right = 3; right < sizeof(U) * 8; right *= 2) x *= 2 - odd * x;
  return x;
}

}  // namespace wiretime
