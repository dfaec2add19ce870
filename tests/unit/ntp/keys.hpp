// SPDX-License-Identifier: BSD-3-Clause
// Symmetric keys for tests; golden_keys() are those that tests/golden/capture.py gave to stock programs.
#pragma once

#include <stdexcept>
#include <string_view>
#include <vector>

#include "ntp/key.hpp"

namespace wiretime::test {

inline std::vector<std::byte> from_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(kDigits.find(text[i]) << 4 | kDigits.find(text[i + 1])));
  return bytes;
}

inline std::vector<std::byte> from_text(std::string_view text) {
  std::vector<std::byte> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

inline ntp::Key make_key(std::uint32_t id, ntp::KeyType type, const std::vector<std::byte>& secret) {
  const auto key = ntp::Key::make(id, type, secret);
  if (!key) throw std::runtime_error("no key of that type");
  return *key;
}

// 1 MD5, 2 SHA1, 3 AES128.
inline ntp::KeyTable golden_keys() {
  return ntp::KeyTable{{make_key(1, ntp::KeyType::md5, from_hex("000102030405060708090a0b0c0d0e0f")),
                        make_key(2, ntp::KeyType::sha1, from_hex("101112131415161718191a1b1c1d1e1f20212223")),
                        make_key(3, ntp::KeyType::aes128, from_hex("202122232425262728292a2b2c2d2e2f"))}};
}

// One key of every type, each with its type's number for an id.
inline std::vector<ntp::Key> key_of_every_type() {
  std::vector<ntp::Key> keys;
  for (const auto name : ntp::key_type_names()) {
    const ntp::KeyType type = *ntp::key_type(name);
    const std::vector<std::byte> secret(ntp::secret_length(type).value_or(20), std::byte{0x5A});
    keys.push_back(make_key(static_cast<std::uint32_t>(type), type, secret));
  }
  return keys;
}

}  // namespace wiretime::test
