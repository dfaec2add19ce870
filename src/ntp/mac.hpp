// SPDX-License-Identifier: BSD-3-Clause
// The message authentication code at the end of an NTP message: a key identifier and a digest (RFC 5905
// section 7.3). Version 4 has room for 20 octets of digest, or it would read as an extension field (RFC 7822
// section 7.5.1.4); earlier versions carry all of it. Workers and control thread; pure, noexcept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ntp/key.hpp"

namespace wiretime::ntp {

inline constexpr std::size_t kKeyIdLength = 4;
inline constexpr std::size_t kMinMacLength = kKeyIdLength + 16;
inline constexpr std::size_t kMaxMacLengthV4 = kKeyIdLength + 20;
inline constexpr std::size_t kMaxMacLength = kKeyIdLength + kLongestDigest;

// Of the MAC that `key` gives a message of that version, with the identifier.
[[nodiscard]] std::size_t mac_length(const Key& key, std::uint8_t version) noexcept;

// Authenticates the first `length` octets of `message` by a MAC right behind them, where `message` has room
// for mac_length() more. Returns the length with it.
std::size_t write_mac(const Key& key, std::span<std::byte> message, std::size_t length) noexcept;

// The key that made the MAC, which is all of `message` from `mac_start` on; null where no key of the table
// did. Version 4 messages may have a whole digest as well. The comparison takes the same time for every
// digest.
[[nodiscard]] const Key* verify_mac(const KeyTable& keys, std::span<const std::byte> message,
                                    std::size_t mac_start) noexcept;

}  // namespace wiretime::ntp
