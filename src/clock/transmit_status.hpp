// SPDX-License-Identifier: BSD-3-Clause
// How a port's transmit timestamps are doing: plain values for status.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "clock/transmit_plan.hpp"

namespace wiretime::clock {

enum class TransmitEvent : std::uint8_t {
  launched,    // bursts: scheduled for a time
  late,        // bursts: written, or by the NIC's account sent, after they were to leave
  sampled,     // frames: the NIC said when they left
  lost,        // frames: it was asked and did not say
  refused,     // frames: it said what cannot be
  remembered,  // sampled replies that a client in interleaved mode will be told of
  kCount,
};
inline constexpr std::size_t kTransmitEvents = static_cast<std::size_t>(TransmitEvent::kCount);
[[nodiscard]] constexpr std::string_view name(TransmitEvent event) {
  constexpr std::array<std::string_view, kTransmitEvents> kNames{"launched", "late",    "sampled",
                                                                 "lost",     "refused", "remembered"};
  return kNames[static_cast<std::size_t>(event)];
}

struct TransmitStatus {
  TransmitRung rung = TransmitRung::plain;
  bool launch_offered = false;  // by the driver
  bool stamps_offered = false;
  std::optional<double> latency{};  // s, from the write of a reply that is alone to its first bit on the wire
  std::optional<double> spread{};   // s, three in four are closer to what was predicted
  std::array<std::uint64_t, kTransmitEvents> events{};
};

}  // namespace wiretime::clock
