// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/mac.hpp"

#include <nettle/memops.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "ntp/packet.hpp"

namespace wiretime::ntp {

std::size_t mac_length(const Key& key, std::uint8_t version) noexcept {
  const std::size_t whole = kKeyIdLength + key.digest_length();
  return version == 4 ? std::min(whole, kMaxMacLengthV4) : whole;
}

std::size_t write_mac(const Key& key, std::span<std::byte> message, std::size_t length) noexcept {
  const std::size_t end = length + mac_length(key, version(message.data()));
  store_be32(message.data() + length, key.id());
  key.compute(message.first(length), message.subspan(length + kKeyIdLength, end - length - kKeyIdLength));
  return end;
}

const Key* verify_mac(const KeyTable& keys, std::span<const std::byte> message,
                      std::size_t mac_start) noexcept {
  const std::span<const std::byte> mac = message.subspan(mac_start);
  if (mac.size() < kMinMacLength || mac.size() > kMaxMacLength) return nullptr;
  const Key* const key = keys.find(load_be32(mac.data()));
  if (key == nullptr) return nullptr;
  const std::size_t whole = kKeyIdLength + key->digest_length();
  const bool may_be_cut = version(message.data()) == 4 && mac.size() <= kMaxMacLengthV4;
  if (mac.size() != (may_be_cut ? std::min(whole, kMaxMacLengthV4) : whole)) return nullptr;
  const std::span<const std::byte> given = mac.subspan(kKeyIdLength);
  std::array<std::byte, kLongestDigest> right;
  key->compute(message.first(mac_start), std::span{right}.first(given.size()));
  return memeql_sec(right.data(), given.data(), given.size()) != 0 ? key : nullptr;
}

}  // namespace wiretime::ntp
