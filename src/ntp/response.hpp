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
  // it has one: never longer than its request.
  void write(std::byte* message, Verdict kind, NtpTimestamp receive, std::uint64_t random) const noexcept;
  // Makes a reply of write() the one for `kind`.
  void rewrite(std::byte* reply, Verdict kind) const noexcept {
    constexpr std::uint64_t kVersionAndPoll = 0x00FF'0038U;
    const Head& head = heads_[static_cast<std::size_t>(kind)];
    store_raw(reply, head[0] | (load_raw<std::uint64_t>(reply) & kVersionAndPoll));
    store_raw(reply + offset::kRootDispersion, head[1]);
    store_raw(reply + offset::kReferenceTime, head[2]);
  }
  // The transmit stamp, into a reply made by write(). Receive stamps are odd and transmit stamps even, so
  // they are never equal, and neither equals the origin stamp; interleaved mode depends on both.
  static void stamp(std::byte* reply, NtpTimestamp transmit, std::uint64_t noise_mask,
                    std::uint64_t random) noexcept;
  // The bits of a 2^-32 s fraction that a clock of that precision, log2 s, cannot resolve.
  [[nodiscard]] static std::uint64_t noise_mask(std::int8_t precision) noexcept {
    const int bits = 32 + precision;
    if (bits <= 1) return 1;  // the lowest bit is ours for parity
    return (std::uint64_t{1} << (bits < 32 ? bits : 32)) - 1;
  }

  using Head = std::array<std::uint64_t, 3>;
  [[nodiscard]] const Head& head(Verdict kind) const noexcept {
    return heads_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] std::uint64_t noise_mask() const noexcept { return noise_mask_; }
  [[nodiscard]] std::int8_t least_poll() const noexcept { return least_poll_; }

 private:
  // Random below the precision, `parity` in the lowest bit, as it stands in a packet, and different from
  // `other` there.
  [[nodiscard]] static std::uint64_t blurred(std::uint64_t t, std::uint64_t mask, std::uint64_t random,
                                             std::uint64_t parity, std::uint64_t other) noexcept {
    const std::uint64_t value = (t & ~mask) | (random & mask & ~std::uint64_t{1}) | parity;
    const std::uint64_t word = byte_swap(value);
    return __builtin_expect(word == other, false) ? byte_swap(value ^ 2U) : word;
  }

  // Words as they stand in memory: leap, mode, stratum, precision, root delay; root dispersion and refid;
  // reference time.
  static constexpr std::size_t kKinds = static_cast<std::size_t>(Verdict::answered_kiss) + 1;
  std::array<Head, kKinds> heads_;  // by verdict
  std::uint64_t noise_mask_;
  std::int8_t least_poll_;
};

inline void ReplyTemplate::write(std::byte* m, Verdict kind, NtpTimestamp receive,
                                 std::uint64_t random) const noexcept {
  constexpr std::uint32_t kVersion = 0x38;
  const auto request = load_raw<std::uint32_t>(m);
  const auto origin = load_raw<std::uint64_t>(m + offset::kTransmit);
  const auto poll = static_cast<std::uint8_t>(std::max(static_cast<std::int8_t>(request >> 16), least_poll_));
  const Head& head = heads_[static_cast<std::size_t>(kind)];
  store_raw(m, head[0] | (request & kVersion) | std::uint64_t{poll} << 16);
  store_raw(m + offset::kRootDispersion, head[1]);
  store_raw(m + offset::kReferenceTime, head[2]);
  store_raw(m + offset::kOrigin, origin);
  store_raw(m + offset::kReceive, blurred(receive.value, noise_mask_, random, 1, origin));
}

inline void ReplyTemplate::stamp(std::byte* m, NtpTimestamp transmit, std::uint64_t mask,
                                 std::uint64_t random) noexcept {
  const auto origin = load_raw<std::uint64_t>(m + offset::kOrigin);
  store_raw(m + offset::kTransmit, blurred(transmit.value, mask, random, 0, origin));
}

}  // namespace wiretime::ntp
