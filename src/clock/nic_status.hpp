// SPDX-License-Identifier: BSD-3-Clause
// What the clock of a network interface is to us, and how it is doing: plain values for configuration and
// status.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace wiretime::clock {

enum class NicRole : std::uint8_t {
  free,  // somebody else's, or nobody's: only read
  utc,   // ours: shows the time we serve
  tai,   // ours: the same in TAI, as PTP has it
};

[[nodiscard]] constexpr std::string_view name(NicRole role) {
  return role == NicRole::free ? "free" : role == NicRole::utc ? "utc" : "tai";
}

// What a set of readings of it turned out to be.
enum class NicEvent : std::uint8_t {
  taken,
  repaired,   // was 2^32 off, is taken
  nonsense,   // counter readings out of order, or none
  zero,       // the clock showed 0
  frozen,     // the clock stood still
  jumped,     // far off the map: nobody knows yet whether once or for good
  restarted,  // for good: the clock was set or re-initialised; the map begins anew
  missed,     // the device gave no reading
};
inline constexpr std::size_t kNicEvents = 8;
[[nodiscard]] constexpr std::string_view name(NicEvent event) {
  constexpr std::array<std::string_view, kNicEvents> kNames{"taken",  "repaired", "nonsense",  "zero",
                                                            "frozen", "jumped",   "restarted", "missed"};
  return kNames[static_cast<std::size_t>(event)];
}

struct NicStatus {
  NicRole role = NicRole::free;
  std::string_view method;         // NicClock::method
  bool ready = false;              // stamps can be used
  double error_bound = 0;          // s, of the map
  double nic_hertz = 0;            // its ticks in a second of the counter; 0: not known yet
  std::optional<double> offset{};  // s, ahead of the time it is kept on; nothing until known, and when free
  double correction = 0;           // s/s, what we corrected its frequency by
  bool locked = false;             // it is where it should be
  std::uint64_t steps = 0;         // we set it
  std::uint64_t failures = 0;      // it could not be set
  std::array<std::uint64_t, kNicEvents> events{};
};

}  // namespace wiretime::clock
