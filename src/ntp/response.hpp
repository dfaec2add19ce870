// SPDX-License-Identifier: BSD-3-Clause
// A request becomes its reply, in place (RFC 5905 section 9.2 "server", and chronyd's rules for what a server
// answers). Three steps, because a worker reads the transmit time last: judge, write, stamp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/time.hpp"
#include "base/verdict.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::ntp {

// The longest message taken for a request: 48 bytes, 1024 of extension fields, a MAC of 4 + 64.
inline constexpr std::size_t kMaxRequestLength = 48 + 1024 + 68;

struct Request {
  Verdict verdict{};            // an answered* one, or why this server does not answer such a message
  std::uint16_t mac_start = 0;  // above 0: only if the MAC that begins there, to the end, is right
};

[[nodiscard]] Request judge_request(std::span<const std::byte> message, std::uint16_t source_port) noexcept;

// Overwrites the first 48 bytes with the reply for `kind` (an answered* verdict), all but the transmit stamp.
// `random` supplies the bits below our precision. The reply is exactly 48 bytes, before
// its MAC if it has one: never longer than its request.
void write_response(std::byte* message, Verdict kind, const clock::TimeSnapshot& snapshot,
                    NtpTimestamp receive, std::uint64_t random) noexcept;

// Writes the transmit stamp into a reply made by write_response. Receive stamps are odd and transmit stamps
// even, so they are never equal, and neither equals the origin stamp; interleaved mode depends on both.
void write_transmit(std::byte* reply, NtpTimestamp transmit, std::int8_t precision,
                    std::uint64_t random) noexcept;

}  // namespace wiretime::ntp
