// SPDX-License-Identifier: BSD-3-Clause
// The 48-byte NTP header, RFC 5905 section 7.3 (versions 1 to 4 share it): offsets and field access on raw
// bytes. Callers have checked that 48 bytes are there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace wiretime::ntp {

inline constexpr std::size_t kHeaderLength = 48;
inline constexpr std::uint16_t kPort = 123;

enum class Mode : std::uint8_t {
  unspecified = 0,
  symmetric_active = 1,
  symmetric_passive = 2,
  client = 3,
  server = 4,
  broadcast = 5,
  control = 6,
  private_use = 7,
};

namespace offset {
inline constexpr std::size_t kFlags = 0;  // leap 2 bits, version 3 bits, mode 3 bits
inline constexpr std::size_t kStratum = 1;
inline constexpr std::size_t kPoll = 2;
inline constexpr std::size_t kPrecision = 3;
inline constexpr std::size_t kRootDelay = 4;
inline constexpr std::size_t kRootDispersion = 8;
inline constexpr std::size_t kReferenceId = 12;
inline constexpr std::size_t kReferenceTime = 16;
inline constexpr std::size_t kOrigin = 24;
inline constexpr std::size_t kReceive = 32;
inline constexpr std::size_t kTransmit = 40;
}  // namespace offset

[[nodiscard]] inline std::uint8_t leap(const std::byte* m) noexcept {
  return load_u8(m) >> 6;
}
[[nodiscard]] inline std::uint8_t version(const std::byte* m) noexcept {
  return (load_u8(m) >> 3) & 7U;
}
[[nodiscard]] inline Mode mode(const std::byte* m) noexcept {
  return static_cast<Mode>(load_u8(m) & 7U);
}

[[nodiscard]] constexpr std::uint8_t flags(std::uint8_t leap, std::uint8_t version, Mode mode) noexcept {
  return static_cast<std::uint8_t>((leap << 6) | (version << 3) | static_cast<std::uint8_t>(mode));
}

[[nodiscard]] inline NtpTimestamp timestamp(const std::byte* m, std::size_t field) noexcept {
  return {load_be64(m + field)};
}
inline void set_timestamp(std::byte* m, std::size_t field, NtpTimestamp t) noexcept {
  store_be64(m + field, t.value);
}

}  // namespace wiretime::ntp
