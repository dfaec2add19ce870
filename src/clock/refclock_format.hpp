// SPDX-License-Identifier: BSD-3-Clause
// What other programs write for reference clock drivers: the datagrams of SOCK (chrony's own, sent by gpsd
// and others) and the shared memory segment of SHM (ntpd's driver 28). Both are C structures of the same
// host, so in its byte order and sizes. Control thread; pure.
#pragma once

#include <cstddef>
#include <ctime>
#include <optional>
#include <span>

#include "clock/refclock.hpp"

namespace wiretime::clock {

// timeval, double offset, int pulse, leap, padding, magic: 40 octets, or 32 from a program with 32-bit times.
inline constexpr std::size_t kSockMessageMost = 40;
// nullopt: of another length, without the magic number, or with an impossible time.
[[nodiscard]] std::optional<ClockReading> parse_sock_message(std::span<const std::byte> message);

struct ShmSegment {
  static constexpr int kKey = 0x4e545030;  // "NTP0"; the unit is added

  int mode =
      0;  // 0: `valid` guards the rest; 1: `count` too, it differs before and after while it is written
  int count = 0;
  std::time_t clock_seconds = 0;
  int clock_microseconds = 0;
  std::time_t receive_seconds = 0;  // CLOCK_REALTIME at that instant
  int receive_microseconds = 0;
  int leap = 0;
  int precision = 0;
  int samples = 0;
  int valid = 0;
  unsigned clock_nanoseconds = 0;  // with the microseconds; older writers leave them alone
  unsigned receive_nanoseconds = 0;
  int reserved[8] = {};
};

// nullopt: an unknown mode, nothing new, or an impossible time. The writer's `count` was compared already.
[[nodiscard]] std::optional<ClockReading> decode_shm(const ShmSegment& segment);

}  // namespace wiretime::clock
