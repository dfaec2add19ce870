// SPDX-License-Identifier: BSD-3-Clause
// Time types. NtpTimestamp is RFC 5905 section 6's 64-bit format: seconds since 1900 modulo 2^32 and a binary
// fraction. It carries no era, so values are only ever subtracted (mod 2^64, read as signed), which is right
// as long as both lie within 68 years; WallTime (Unix nanoseconds) is what logs, files and the kernel use.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace wiretime {

using Nanoseconds = std::chrono::nanoseconds;

// Nanoseconds since 1970-01-01 UTC as CLOCK_REALTIME counts them (leap seconds not counted); till 2262.
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;

// Raw counter reading: TSC or a NIC's free-running clock. Only meaningful beside the snapshot that maps it.
struct Ticks {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(Ticks, Ticks) = default;
};

// Signed span in units of 2^-32 s (about 0.23 ns); +- 68 years.
struct NtpDuration {
  std::int64_t units = 0;
  friend constexpr auto operator<=>(NtpDuration, NtpDuration) = default;

  [[nodiscard]] static constexpr NtpDuration from(Nanoseconds ns) noexcept {
    const auto scaled = static_cast<__int128>(ns.count()) * (static_cast<__int128>(1) << 32);
    return {static_cast<std::int64_t>(scaled / 1'000'000'000)};
  }
  [[nodiscard]] constexpr Nanoseconds nanoseconds() const noexcept {
    const auto scaled = static_cast<__int128>(units) * 1'000'000'000;
    return Nanoseconds{static_cast<std::int64_t>(scaled >> 32)};
  }
  [[nodiscard]] constexpr double seconds() const noexcept {
    return static_cast<double>(units) / 4294967296.0;
  }
};

struct NtpTimestamp {
  std::uint64_t value = 0;  // 0 means "unknown" on the wire (RFC 5905 section 7.3)
  friend constexpr bool operator==(NtpTimestamp, NtpTimestamp) = default;

  static constexpr std::int64_t kUnixEpoch = 2'208'988'800;  // 1970-01-01 in seconds since 1900-01-01

  [[nodiscard]] static constexpr NtpTimestamp from(WallTime t) noexcept {
    const std::int64_t ns = t.time_since_epoch().count();
    std::int64_t seconds = ns / 1'000'000'000;
    std::int64_t rest = ns % 1'000'000'000;
    if (rest < 0) {
      rest += 1'000'000'000;
      --seconds;
    }
    const auto fraction = (static_cast<std::uint64_t>(rest) << 32) / 1'000'000'000U;
    return {(static_cast<std::uint64_t>(seconds + kUnixEpoch) << 32) + fraction};
  }

  // The WallTime nearest to `pivot` that this timestamp can stand for: pivot says which era is meant.
  [[nodiscard]] constexpr WallTime near(WallTime pivot) const noexcept {
    return pivot + (*this - from(pivot)).nanoseconds();
  }

  [[nodiscard]] constexpr std::uint32_t seconds() const noexcept {
    return static_cast<std::uint32_t>(value >> 32);
  }

  friend constexpr NtpDuration operator-(NtpTimestamp a, NtpTimestamp b) noexcept {
    return {static_cast<std::int64_t>(a.value - b.value)};
  }
  friend constexpr NtpTimestamp operator+(NtpTimestamp a, NtpDuration d) noexcept {
    return {a.value + static_cast<std::uint64_t>(d.units)};
  }
};

// RFC 5905 NTP short format, 16.16 seconds unsigned: root delay and root dispersion on the wire.
struct NtpShort {
  std::uint32_t value = 0;
  friend constexpr auto operator<=>(NtpShort, NtpShort) = default;

  // Rounds up, because both fields are error bounds; saturates at both ends.
  [[nodiscard]] static constexpr NtpShort from(Nanoseconds ns) noexcept {
    if (ns.count() <= 0) return {0};
    if (ns >= std::chrono::seconds{65535}) return {0xFFFF'FFFFU};
    const auto n = static_cast<std::uint64_t>(ns.count());
    return {static_cast<std::uint32_t>(((n << 16) + 999'999'999U) / 1'000'000'000U)};
  }
  [[nodiscard]] constexpr double seconds() const noexcept { return value / 65536.0; }
};

}  // namespace wiretime
