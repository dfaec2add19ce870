// SPDX-License-Identifier: BSD-3-Clause
#include "clock/refclock_format.hpp"

#include <cmath>
#include <cstring>

namespace wiretime::clock {

namespace {

constexpr std::int32_t kSockMagic = 0x534f434b;          // "SOCK"
constexpr std::int64_t kMostSeconds = 9'000'000'000;     // till 2255, within WallTime
constexpr std::int64_t kMostSubseconds = 1'000'000'000;  // writers may be careless about carrying

Leap leap_of(int value) {
  return value >= 0 && value <= 2 ? static_cast<Leap>(value) : Leap::unsynchronised;
}

std::optional<WallTime> time_of(std::int64_t seconds, std::int64_t subseconds, std::int64_t unit) {
  if (seconds < 0 || seconds > kMostSeconds) return std::nullopt;
  if (subseconds < -kMostSubseconds || subseconds > kMostSubseconds) return std::nullopt;
  return WallTime{std::chrono::seconds{seconds} + Nanoseconds{subseconds * unit}};
}

template <typename T>
T take(std::span<const std::byte>& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes = bytes.subspan(sizeof value);
  return value;
}

// Requires enough bytes for a message with this word.
template <typename Word>
std::optional<ClockReading> parse_sock(std::span<const std::byte> bytes) {
  const Word seconds = take<Word>(bytes);
  const Word microseconds = take<Word>(bytes);
  const double offset = take<double>(bytes);
  const auto pulse = take<std::int32_t>(bytes);
  const auto leap = take<std::int32_t>(bytes);
  take<std::int32_t>(bytes);
  if (take<std::int32_t>(bytes) != kSockMagic) return std::nullopt;
  const auto time = time_of(seconds, microseconds, 1000);
  if (!time || !(std::fabs(offset) < static_cast<double>(kMostSeconds))) return std::nullopt;
  ClockReading reading;
  reading.system = *time;
  reading.pulse = pulse != 0;
  if (reading.pulse) {
    // As chronyd takes it: here alone the offset is the system's time less the reference's.
    reading.fraction = -offset;
  } else {
    reading.seconds = std::llround(offset);
    reading.fraction = offset - static_cast<double>(reading.seconds);
    reading.leap = leap_of(leap);
  }
  return reading;
}

}  // namespace

std::optional<ClockReading> parse_sock_message(std::span<const std::byte> message) {
  if (message.size() == 40) return parse_sock<std::int64_t>(message);
  if (message.size() == 32) return parse_sock<std::int32_t>(message);
  return std::nullopt;
}

std::optional<ClockReading> decode_shm(const ShmSegment& s) {
  if ((s.mode != 0 && s.mode != 1) || s.valid == 0) return std::nullopt;
  const bool fine = s.clock_nanoseconds / 1000 == static_cast<unsigned>(s.clock_microseconds) &&
                    s.receive_nanoseconds / 1000 == static_cast<unsigned>(s.receive_microseconds);
  const auto read = [fine](std::time_t seconds, int microseconds, unsigned nanoseconds) {
    return fine ? time_of(seconds, nanoseconds, 1) : time_of(seconds, microseconds, 1000);
  };
  const auto there = read(s.clock_seconds, s.clock_microseconds, s.clock_nanoseconds);
  const auto here = read(s.receive_seconds, s.receive_microseconds, s.receive_nanoseconds);
  if (!there || !here) return std::nullopt;
  return reading_of(*here, *there, leap_of(s.leap));
}

}  // namespace wiretime::clock
