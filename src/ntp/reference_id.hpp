// SPDX-License-Identifier: BSD-3-Clause
// The reference id of a server at an address (RFC 5905 section 7.3): the IPv4 address itself, or the first
// four octets of the MD5 of an IPv6 address. A reference clock has up to four characters instead. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"

namespace wiretime::ntp {

// Host order; 0 without a family.
[[nodiscard]] std::uint32_t reference_id(const IpAddress& address) noexcept;

// Of a reference clock: 1 to 4 characters, such as "GPS", and back (the printable ones).
[[nodiscard]] std::uint32_t named_reference_id(std::string_view name) noexcept;
[[nodiscard]] std::string reference_name(std::uint32_t refid);

}  // namespace wiretime::ntp
