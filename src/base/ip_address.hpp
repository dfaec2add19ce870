// SPDX-License-Identifier: BSD-3-Clause
// IPv4 and IPv6 addresses and prefixes as values: parse, print, compare, match. Any thread.
// Bytes are in network order; an IPv4 address uses the first four and leaves the rest zero.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace wiretime {

enum class Family : std::uint8_t { unspecified, ipv4, ipv6 };

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  Family family = Family::unspecified;

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

  [[nodiscard]] static IpAddress v4(std::uint32_t host_order) noexcept;
  [[nodiscard]] static IpAddress v4(const std::byte* four_bytes) noexcept;
  [[nodiscard]] static IpAddress v6(const std::byte* sixteen_bytes) noexcept;
  // Numeric dotted quad or RFC 4291 text; no names, no scope id, no surrounding space.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] std::uint32_t v4_host_order() const noexcept {
    return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
           (std::uint32_t{bytes[2]} << 8) | bytes[3];
  }
  [[nodiscard]] unsigned bit_length() const noexcept {
    return family == Family::ipv4 ? 32 : family == Family::ipv6 ? 128 : 0;
  }
  [[nodiscard]] bool is_unspecified() const noexcept;  // 0.0.0.0 or ::
  [[nodiscard]] bool is_loopback() const noexcept;     // 127/8 or ::1
  [[nodiscard]] bool is_multicast() const noexcept;    // 224/4 or ff00::/8
  [[nodiscard]] std::string to_string() const;         // "?" when unspecified family
};

struct IpPrefix {
  IpAddress address;    // bits beyond `length` are zero
  unsigned length = 0;  // 0..32 or 0..128

  friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) = default;

  // Clears the host bits; nullopt when length exceeds the family's.
  [[nodiscard]] static std::optional<IpPrefix> of(const IpAddress& address, unsigned length);
  [[nodiscard]] bool contains(const IpAddress& a) const noexcept;
  [[nodiscard]] std::string to_string() const;
};

// The directed broadcast address of the subnet that `address` lies in; nullopt for IPv6 and for /31 and /32
// (RFC 3021).
[[nodiscard]] std::optional<IpAddress> subnet_broadcast(const IpAddress& address,
                                                        unsigned prefix_length) noexcept;

}  // namespace wiretime
