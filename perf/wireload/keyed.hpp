// SPDX-License-Identifier: BSD-3-Clause
// Keyed permutations, for looks rather than secrecy: the order in which clients ask, and the cookie that a
// request carries as its transmit timestamp, from which the echo in the reply gives back when the request was
// due and which one it was, with no table to look it up in. Generator's core; constant once made.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "base/random.hpp"

namespace wiretime::load {

// Sequence numbers to clients: each client once in every 2^bits numbers, every round in an order of its own.
class ClientOrder {
 public:
  // `clients`: 1..2^28.
  ClientOrder(std::uint32_t clients, std::uint64_t key) noexcept
      : clients_{clients},
        bits_{std::max(1U, static_cast<unsigned>(std::bit_width(clients - 1)))},
        shift_{(bits_ + 1) / 2},
        mask_{(1U << bits_) - 1},
        add_{static_cast<std::uint32_t>(mix64(key))},
        first_{static_cast<std::uint32_t>(mix64(key + 1)) | 1U},
        second_{static_cast<std::uint32_t>(mix64(key + 2)) | 1U} {}

  // False: this number is nobody's, take the next. At most every second one is.
  [[nodiscard]] bool client(std::uint32_t sequence, std::uint32_t& client) const noexcept {
    std::uint32_t x = (sequence + (sequence >> bits_) * 0x9E37'79B9U + add_) & mask_;
    x ^= x >> shift_;
    x = x * first_ & mask_;
    x ^= x >> shift_;
    x = x * second_ & mask_;
    x ^= x >> shift_;
    client = x;
    return x < clients_;
  }

 private:
  std::uint32_t clients_;
  unsigned bits_;
  unsigned shift_;
  std::uint32_t mask_;
  std::uint32_t add_;
  std::uint32_t first_;
  std::uint32_t second_;
};

struct Exchange {
  std::uint64_t due = 0;       // ticks, when the request should have been sent
  std::uint32_t sequence = 0;  // below 2^Cookie::kSequenceBits
  bool interleaved = false;    // the cookie of a request's receive timestamp, which interleaved replies echo
};

class Cookie {
 public:
  static constexpr unsigned kSequenceBits = 28;
  static constexpr std::uint32_t kSequenceMask = (1U << kSequenceBits) - 1;
  static constexpr unsigned kTickShift = 3;  // about a nanosecond
  static constexpr unsigned kTickBits = 63 - kSequenceBits;
  static constexpr std::uint64_t kTickMask = (std::uint64_t{1} << kTickBits) - 1;

  explicit Cookie(std::uint64_t key) noexcept
      : xor_{mix64(key)},
        first_{mix64(key + 1) | 1U},
        second_{mix64(key + 2) | 1U},
        first_inverse_{inverse_of_odd(first_)},
        second_inverse_{inverse_of_odd(second_)} {}

  [[nodiscard]] std::uint64_t make(const Exchange& e) const noexcept {
    std::uint64_t x =
        std::uint64_t{e.interleaved} << 63 | (e.due >> kTickShift & kTickMask) << kSequenceBits | e.sequence;
    x = (x ^ xor_) * first_;
    x = (x ^ x >> 32) * second_;
    return x ^ x >> 32;
  }

  // Whatever is read is an exchange; one not made here lies, in all likelihood, far in the past. `now` is
  // later than any due time by less than 2^38 ticks (half a minute and more).
  [[nodiscard]] Exchange read(std::uint64_t cookie, std::uint64_t now) const noexcept {
    std::uint64_t x = (cookie ^ cookie >> 32) * second_inverse_;
    x = (x ^ x >> 32) * first_inverse_ ^ xor_;
    const std::uint64_t age = ((now >> kTickShift) - (x >> kSequenceBits)) & kTickMask;
    return {((now >> kTickShift) - age) << kTickShift, static_cast<std::uint32_t>(x) & kSequenceMask,
            (x >> 63) != 0};
  }

 private:
  std::uint64_t xor_;
  std::uint64_t first_;
  std::uint64_t second_;
  std::uint64_t first_inverse_;
  std::uint64_t second_inverse_;
};

}  // namespace wiretime::load
