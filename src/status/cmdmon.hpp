// SPDX-License-Identifier: BSD-3-Clause
// The chrony command protocol, version 6: one request datagram in, one reply datagram or silence out. Speaks
// to clients of 4.0 to 4.8 alike: where their layouts differ, the request's length or code tells which one
// asks. Control thread. Before calling, the socket side has applied cmdallow (loopback is always allowed) and
// cmdratelimit, and counts what it refuses; a reply sent or not, it counts a request in command_hits.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "status/command.hpp"
#include "status/report.hpp"
#include "status/wire.hpp"

namespace wiretime::status {

enum class Privilege : std::uint8_t {
  monitor,  // UDP: what opencommands lists, and nothing that changes state
  full,     // unix socket: its file permissions are the authorisation
};

// The read-only requests allowed over UDP (directive opencommands).
class OpenCommands {
 public:
  // chronyd's default, whose formats never change: activity, manual, rtcdata, smoothing, sourcename, sources,
  // sourcestats, tracking.
  [[nodiscard]] static OpenCommands stable();

  // A name of the opencommands directive; false: no such name.
  bool add(std::string_view name);

  [[nodiscard]] bool contains(RequestCode code) const noexcept {
    const auto index = static_cast<std::size_t>(code);
    return index < kRequestCodes && codes_[index];
  }

 private:
  std::bitset<kRequestCodes> codes_;
};

class Reply {
 public:
  // Empty: send nothing.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return std::span<const std::byte>{buffer_}.first(size_);
  }

 private:
  friend class ReplyBuilder;
  std::array<std::byte, kMaxReply> buffer_{};
  std::size_t size_ = 0;
};

// Never throws, never answers with more bytes than it was asked with. `executor` is called at most once.
[[nodiscard]] Reply handle(std::span<const std::byte> request, Privilege privilege, const OpenCommands& open,
                           Report& report, Executor& executor);

}  // namespace wiretime::status
