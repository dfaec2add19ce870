// SPDX-License-Identifier: BSD-3-Clause
// The reference id of a server at an address (RFC 5905 section 7.3): the IPv4 address itself, or the first
// four octets of the MD5 of an IPv6 address. Pure.
#pragma once

#include <cstdint>

#include "base/ip_address.hpp"

namespace wiretime::ntp {

// Host order; 0 without a family.
[[nodiscard]] std::uint32_t reference_id(const IpAddress& address) noexcept;

}  // namespace wiretime::ntp
