// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum (RFC 1071) over bytes in any number of pieces, and its incremental update (RFC 1624).
// Words are added in memory order, eight bytes at a time as two 32-bit halves: the ones-complement sum does
// not care about word size or byte order until the end, and 64 bits hold 2^32 halves. Hot path: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/bytes.hpp"

// Not under the address sanitizer, which does not see what assembly reads.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WIRETIME_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WIRETIME_ADDRESS_SANITIZER
#endif
#if defined(__x86_64__) && !defined(WIRETIME_ADDRESS_SANITIZER)
#define WIRETIME_CARRY_CHAIN
#endif

namespace wiretime::net {

class InternetSum {
 public:
  // Every piece but the last must have an even length.
  void add(std::span<const std::byte> bytes) noexcept {
    const std::byte* p = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, p += 8) add_word<std::uint64_t>(p);
    if ((left & 4U) != 0) {
      add_word<std::uint32_t>(p);
      p += 4;
    }
    if ((left & 2U) != 0) {
      add_word<std::uint16_t>(p);
      p += 2;
    }
    if ((left & 1U) != 0) add_word<std::uint8_t>(p);
  }
  void add_be16(std::uint16_t value) noexcept { sum_ += byte_swap(value); }

  // The 16-bit ones-complement sum, as a number to store with store_be16. 0xFFFF over data that includes its
  // own right checksum.
  [[nodiscard]] std::uint16_t folded() const noexcept {
    std::uint64_t s = (sum_ & 0xFFFF'FFFFU) + (sum_ >> 32);
    s = (s & 0xFFFFU) + ((s >> 16) & 0xFFFFU) + (s >> 32);
    s = (s & 0xFFFFU) + (s >> 16);
    s = (s & 0xFFFFU) + (s >> 16);
    return byte_swap(static_cast<std::uint16_t>(s));
  }
  // What belongs into a checksum field that was zero, or left out, while adding.
  [[nodiscard]] std::uint16_t checksum() const noexcept { return static_cast<std::uint16_t>(~folded()); }

 private:
  template <typename Word>
  void add_word(const std::byte* p) noexcept {
    Word word;
    std::memcpy(&word, p, sizeof word);
    if constexpr (sizeof word == 8)
      sum_ += (word & 0xFFFF'FFFFU) + (word >> 32);
    else
      sum_ += word;
  }

  std::uint64_t sum_ = 0;
};

// The same sum over words that are in registers anyway, as loaded from memory: an end-around carry each.
class WordSum {
 public:
  constexpr WordSum() = default;
  constexpr explicit WordSum(std::uint64_t sum) noexcept : sum_{sum} {}
  // A word of 2, 4 or 8 bytes that stands at an even offset, not byte swapped.
  constexpr void add(std::uint64_t word) noexcept {
    sum_ += word;
    sum_ += sum_ < word ? 1 : 0;
  }
  // kBytes, a multiple of 8, that stand at an even offset: one chain of carries, which compilers do not find.
  template <std::size_t kBytes>
  void add_bytes(const std::byte* p) noexcept {
    static_assert(kBytes % 8 == 0 && kBytes > 0);
#ifdef WIRETIME_CARRY_CHAIN
    asm("addq (%[p]), %[sum]\n\t"
        ".set wiretime_at, 8\n\t"
        ".rept %c[more]\n\t"
        "adcq wiretime_at(%[p]), %[sum]\n\t"
        ".set wiretime_at, wiretime_at + 8\n\t"
        ".endr\n\t"
        "adcq $0, %[sum]"
        : [sum] "+r"(sum_)
        : [p] "r"(p), [more] "i"(kBytes / 8 - 1), "m"(*reinterpret_cast<const std::byte(*)[kBytes]>(p))
        : "cc");
#else
    for (std::size_t at = 0; at < kBytes; at += 8) add(load_raw<std::uint64_t>(p + at));
#endif
  }
  [[nodiscard]] constexpr std::uint64_t value() const noexcept {
    return sum_;
  }
  // Data, not all zero, that include their own right checksum.
  [[nodiscard]] constexpr bool verifies() const noexcept {
    return sum_ % 0xFFFF == 0;
  }
  // As it is stored in memory, not byte swapped. 0xFFFF over data that include their own right checksum.
  [[nodiscard]] constexpr std::uint16_t folded() const noexcept {
    const auto half = static_cast<std::uint32_t>((sum_ + (sum_ << 32 | sum_ >> 32)) >> 32);
    return static_cast<std::uint16_t>((half + (half << 16 | half >> 16)) >> 16);
  }

 private:
  std::uint64_t sum_ = 0;
};

// A word as a sum that others can be added to and taken from without a carry: its two halves.
[[nodiscard]] constexpr std::uint64_t halves(std::uint64_t word) noexcept {
  return (word & 0xFFFF'FFFFU) + (word >> 32);
}

[[nodiscard]] inline std::uint16_t internet_checksum(std::span<const std::byte> bytes) noexcept {
  InternetSum sum;
  sum.add(bytes);
  return sum.checksum();
}

// In a UDP header, where 0 would mean that there is none (RFC 768).
[[nodiscard]] constexpr std::uint16_t udp_checksum(std::uint16_t checksum) noexcept {
  return checksum == 0 ? 0xFFFF : checksum;
}

// The checksum after one 16-bit word under it changed (RFC 1624, equation 3). Right as long as the data are
// not all zero afterwards, which a pseudo-header or an IP version number rules out.
[[nodiscard]] constexpr std::uint16_t update_checksum(std::uint16_t checksum, std::uint16_t old_word,
                                                      std::uint16_t new_word) noexcept {
  std::uint32_t s = std::uint32_t{0xFFFF} - checksum + (std::uint32_t{0xFFFF} - old_word) + new_word;
  s = (s & 0xFFFFU) + (s >> 16);
  s = (s & 0xFFFFU) + (s >> 16);
  return static_cast<std::uint16_t>(~s);
}

[[nodiscard]] constexpr std::uint16_t update_checksum32(std::uint16_t checksum, std::uint32_t old_value,
                                                        std::uint32_t new_value) noexcept {
  const auto high = update_checksum(checksum, static_cast<std::uint16_t>(old_value >> 16),
                                    static_cast<std::uint16_t>(new_value >> 16));
  return update_checksum(high, static_cast<std::uint16_t>(old_value), static_cast<std::uint16_t>(new_value));
}

}  // namespace wiretime::net
