// SPDX-License-Identifier: BSD-3-Clause
// What follows the 48-byte header: extension fields (RFC 7822) and a MAC (RFC 5905 section 7.3), told apart
// by RFC 7822's lengths as chronyd does. Workers and control thread; pure, noexcept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace wiretime::ntp {

enum class Trailer : std::uint8_t {
  none,
  extension_fields,  // only fields that change nothing about a plain answer
  mac,               // a message digest, possibly after extension fields
  crypto_nak,        // a lone key identifier
  nts,               // RFC 8915 fields
  invalid,
};

namespace extension_type {
inline constexpr std::uint16_t kNtsUniqueIdentifier = 0x0104;
inline constexpr std::uint16_t kNtsCookie = 0x0204;
inline constexpr std::uint16_t kNtsCookiePlaceholder = 0x0304;
inline constexpr std::uint16_t kNtsAuthenticator = 0x0404;
}  // namespace extension_type

struct FoundTrailer {
  Trailer kind = Trailer::none;
  std::size_t mac_start = 0;  // offset in the message, of a mac
};

// `message` is a whole NTP message of at least 48 bytes, a multiple of 4 long.
[[nodiscard]] FoundTrailer classify_trailer(std::span<const std::byte> message) noexcept;

}  // namespace wiretime::ntp
