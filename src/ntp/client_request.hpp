// SPDX-License-Identifier: BSD-3-Clause
// Writes the packets an association sends and reads those it gets (RFC 5905 section 7.3). A client's request
// says nothing about its sender: everything zero but version, mode, poll and a random transmit timestamp
// (draft-ietf-ntp-data-minimization), in interleaved mode also the origin and a random receive timestamp
// (RFC 9769 section 2). A peer needs our state, so symmetric packets carry it. Control thread; pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/time.hpp"
#include "clock/snapshot.hpp"
#include "ntp/packet.hpp"

namespace wiretime::ntp {

using Header = std::array<std::byte, kHeaderLength>;

// What identifies an exchange, basic or interleaved.
struct RequestStamps {
  NtpTimestamp origin{};
  NtpTimestamp receive{};
  NtpTimestamp transmit{};
};

[[nodiscard]] Header client_request(std::uint8_t version, int poll, const RequestStamps& stamps) noexcept;

// `precision`: log2 seconds of our clock.
[[nodiscard]] Header symmetric_packet(std::uint8_t version, int poll, std::int8_t precision,
                                      const clock::Reference& reference,
                                      const RequestStamps& stamps) noexcept;

// `t` with random bits below our precision; the lowest bit is 1 for receive and 0 for transmit stamps, so
// that the two never coincide (as in response.hpp). Never zero.
[[nodiscard]] NtpTimestamp receive_on_wire(WallTime t, std::int8_t precision, std::uint64_t random) noexcept;
[[nodiscard]] NtpTimestamp transmit_on_wire(WallTime t, std::int8_t precision, std::uint64_t random) noexcept;

struct Reply {
  std::uint8_t leap = 3;
  std::uint8_t version = 0;
  Mode mode = Mode::unspecified;
  std::uint8_t stratum = 0;  // as on the wire: 0 is unsynchronised or a kiss
  std::int8_t poll = 0;
  std::int8_t precision = 0;
  double root_delay = 0;       // s
  double root_dispersion = 0;  // s
  std::uint32_t refid = 0;
  NtpTimestamp reference_time{};
  NtpTimestamp origin{};
  NtpTimestamp receive{};
  NtpTimestamp transmit{};
};

// `message` has at least 48 bytes.
[[nodiscard]] Reply read_reply(std::span<const std::byte> message) noexcept;

}  // namespace wiretime::ntp
