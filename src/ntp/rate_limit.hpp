// SPDX-License-Identifier: BSD-3-Clause
// chrony's `ratelimit interval burst leak kod` as the numbers of a token bucket that fills by one token each
// 2^shift sixteenths of a second. Pure; computed once, read by every answering thread.
#pragma once

#include <cstdint>

namespace wiretime::ntp {

struct RateLimit {
  // As the operator writes it.
  struct Rule {
    int interval = 3;    // log2 s between answers to one address, -19..12
    unsigned burst = 8;  // answers that may come at once, 1..255
    unsigned leak = 2;   // of what is over the limit, one in 2^leak is answered all the same, 1..4
    unsigned kod = 0;    // of the rest, one in 2^kod gets a kiss of death; 0: none; to 4
  };
  // Shares of 1/16 s are finer than the client log's clock: limits below interval -4 are limits of -4.
  [[nodiscard]] static RateLimit of(const Rule& rule) noexcept;

  static constexpr std::uint32_t kMostTokens = 2047;  // what a client record has room for

  bool enabled = false;
  std::uint8_t shift = 0;
  std::uint8_t leak = 0;
  std::uint8_t kod = 0;
  std::int8_t interval = -128;  // log2 s, what replies ask for in their poll field; -128: nothing
  std::uint32_t full = 0;       // tokens: what a bucket holds
  std::uint32_t price = 0;      // tokens: of one answer
};

enum class Admission : std::uint8_t { answer, kiss, drop };

}  // namespace wiretime::ntp
