// SPDX-License-Identifier: BSD-3-Clause
// Packets that no server may answer, sent among the requests in given shares. Each kind has a source port of
// its own, so that an answer tells what provoked it. Generator's core; the mix is constant once made.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "perf/wireload/request.hpp"

namespace wiretime::load {

// name, what it is for --help
#define WIRELOAD_BAD_PACKETS(X)                                       \
  X(malformed, "an extension field longer than the packet")           \
  X(short, "an NTP message of 40 bytes")                              \
  X(version, "NTP version 7")                                         \
  X(mode6, "an ntpq control message, READVAR")                        \
  X(mode7, "an ntpdc private message, MON_GETLIST")                   \
  X(response, "a server's answer, mode 4, which would start a loop")  \
  X(checksum, "a wrong UDP checksum")                                 \
  X(fragment, "the first fragment of an IPv4 packet, or an IPv6 one") \
  X(source, "a source address that cannot be: loopback")

enum class BadPacket : std::uint8_t {
#define X(name, text) name##_,
  WIRELOAD_BAD_PACKETS(X)
#undef X
      kCount
};
inline constexpr std::size_t kBadPackets = static_cast<std::size_t>(BadPacket::kCount);

[[nodiscard]] std::string_view name(BadPacket kind) noexcept;
[[nodiscard]] std::string_view describe(BadPacket kind) noexcept;

class Mix {
 public:
  // "malformed=5%,short=1%": shares of all packets, below 100 % together.
  [[nodiscard]] static Result<Mix> parse(std::string_view text);

  [[nodiscard]] bool empty() const noexcept { return limits_.back() == 0; }
  // What the packet of that number is to be; nullopt: a request. Random, but the same each time.
  [[nodiscard]] std::optional<BadPacket> choose(std::uint64_t sequence, std::uint64_t key) const noexcept {
    const auto draw = static_cast<std::uint32_t>(mix64(sequence ^ key) >> 32);
    if (draw >= limits_.back()) return std::nullopt;
    std::size_t kind = 0;
    while (draw >= limits_[kind]) ++kind;
    return static_cast<BadPacket>(kind);
  }

 private:
  // A draw of 32 bits below limits_[k], and not below the one before, is kind k.
  std::array<std::uint32_t, kBadPackets> limits_{};
};

// Writes one of that kind, kBadRoom bytes at most, and returns its length. `from`: where its client lives;
// the port is replaced by the kind's.
inline constexpr std::size_t kBadRoom = 256;
[[nodiscard]] std::uint16_t write_bad(std::byte* to, BadPacket kind, const RequestWriter& writer,
                                      const Path& path, Endpoint from, std::uint64_t cookie) noexcept;

}  // namespace wiretime::load
