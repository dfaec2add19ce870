// SPDX-License-Identifier: BSD-3-Clause
// A request becomes its reply, in place (RFC 5905 section 9.2 "server", and chronyd's rules for what a server
// answers). Three steps, because a worker reads the transmit time last: judge, write, stamp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "base/verdict.hpp"
#include "clock/snapshot.hpp"
#include "net/checksum.hpp"
#include "ntp/packet.hpp"

namespace wiretime::ntp {

// The longest message taken for a request: 48 bytes, 1024 of extension fields, a MAC of 4 + 64.
inline constexpr std::size_t kMaxRequestLength = 48 + 1024 + 68;

struct Request {
  Verdict verdict{};            // an answered* one, or why this server does not answer such a message
  std::uint16_t mac_start = 0;  // above 0: only if the MAC that begins there, to the end, is right
};

[[nodiscard]] Request judge_request(std::span<const std::byte> message, std::uint16_t source_port) noexcept;

// What all replies of one moment share: the header's first 24 bytes but for version, mode and poll.
class ReplyTemplate {
 public:
  // `least_poll`: log2 s, what clients are asked to poll at most as often as; -128: what they like.
  ReplyTemplate(const clock::TimeSnapshot& snapshot, NtpTimestamp now, std::int8_t least_poll) noexcept;

  // Overwrites a request's 48 bytes with the reply for `kind` (an answered* verdict), all but the transmit
  // stamp. `random` supplies the bits below our precision. The reply is exactly 48 bytes, before its MAC if
  // it has one: never longer than its request. Returns the sum of what was written, for a checksum.
  net::WordSum write(std::byte* message, Verdict kind, NtpTimestamp receive,
                     std::uint64_t random) const noexcept;
  // The transmit stamp, into a reply made by write(). Receive stamps are odd and transmit stamps even, so
  // they are never equal, and neither equals the origin stamp; interleaved mode depends on both. Returns it
  // as it stands in memory.
  static std::uint64_t stamp(std::byte* reply, NtpTimestamp transmit, std::uint64_t noise_mask,
                             std::uint64_t random) noexcept;
  // The bits of a 2^-32 s fraction that a clock of that precision, log2 s, cannot resolve.
  [[nodiscard]] static std::uint64_t noise_mask(std::int8_t precision) noexcept {
    const int bits = 32 + precision;
    if (bits <= 1) return 1;  // the lowest bit is ours for parity
    return (std::uint64_t{1} << (bits < 32 ? bits : 32)) - 1;
  }

 private:
  [[nodiscard]] static Mode mode_of(Verdict kind) noexcept {
    // A version 1 client gets mode 4 as well: a reply with mode 0 would be a request to the next server.
    return kind == Verdict::answered_symmetric ? Mode::symmetric_passive : Mode::server;
  }
  // Random below the precision, `parity` in the lowest bit, different from `other`.
  [[nodiscard]] static std::uint64_t blur(std::uint64_t t, std::uint64_t mask, std::uint64_t random,
                                          std::uint64_t parity, std::uint64_t other) noexcept {
    const std::uint64_t value = (t & ~mask) | (random & mask & ~std::uint64_t{1}) | parity;
    return value ^ (value == other ? 2 : 0);
  }

  // Words as they stand in memory.
  std::uint64_t head_;  // leap, stratum, precision, root delay
  std::uint64_t dispersion_and_refid_;
  std::uint64_t reference_time_;
  std::uint64_t noise_mask_;
  std::int8_t least_poll_;
};

inline net::WordSum ReplyTemplate::write(std::byte* m, Verdict kind, NtpTimestamp receive,
                                         std::uint64_t random) const noexcept {
  const auto request = load_raw<std::uint32_t>(m);
  const auto origin = load_raw<std::uint64_t>(m + offset::kTransmit);
  const auto poll = std::max(static_cast<std::int8_t>(request >> 16), least_poll_);
  const auto received = byte_swap(blur(receive.value, noise_mask_, random, 1, byte_swap(origin)));
  std::array<std::uint64_t, 5> words{head_ | (request & 0x38U) | static_cast<std::uint64_t>(mode_of(kind)) |
                                         std::uint64_t{static_cast<std::uint8_t>(poll)} << 16,
                                     dispersion_and_refid_, reference_time_, origin, received};
  if (__builtin_expect(kind == Verdict::answered_kiss, false)) {  // RFC 5905 section 7.4
    constexpr std::uint64_t kUnsynchronised = 0xC0;
    words[0] = kUnsynchronised | (words[0] & 0x00FF'003FU);
    words[1] = std::uint64_t{byte_swap(std::uint32_t{0x5241'5445})} << 32;  // RATE
    words[2] = 0;
  }
  net::WordSum sum;
  for (std::size_t i = 0; i < words.size(); ++i) {
    store_raw(m + 8 * i, words[i]);
    sum.add(words[i]);
  }
  return sum;
}

inline std::uint64_t ReplyTemplate::stamp(std::byte* m, NtpTimestamp transmit, std::uint64_t mask,
                                          std::uint64_t random) noexcept {
  const std::uint64_t origin = load_be64(m + offset::kOrigin);
  const std::uint64_t word = byte_swap(blur(transmit.value, mask, random, 0, origin));
  store_raw(m + offset::kTransmit, word);
  return word;
}

}  // namespace wiretime::ntp
