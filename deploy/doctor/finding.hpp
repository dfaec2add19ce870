// SPDX-License-Identifier: BSD-3-Clause
// What wiretime-doctor says: one line each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wiretime::doctor {

enum class Level : std::uint8_t {
  ok,
  note,     // works; something better could be had, or is worth knowing
  warning,  // works badly, or fails sooner or later
  problem,  // wiretimed does not start, or does not do what it was told
};
inline constexpr std::size_t kLevels = 4;
[[nodiscard]] constexpr std::string_view name(Level level) noexcept {
  constexpr std::array<std::string_view, kLevels> kNames{"ok", "note", "warning", "problem"};
  return kNames[static_cast<std::size_t>(level)];
}

struct Finding {
  Level level = Level::ok;
  std::string about;  // "host", "wiretimed", or a card's name
  std::string topic;  // a word or two
  std::string what;   // what is
  std::string next;   // what to do about it; empty: nothing

  friend bool operator==(const Finding&, const Finding&) = default;
};
using Findings = std::vector<Finding>;

}  // namespace wiretime::doctor
