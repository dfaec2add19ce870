// SPDX-License-Identifier: BSD-3-Clause
// Symmetric keys and what they make of a message: digests of key and message as NTP has always had them (RFC
// 5905 appendix A.2, with any hash), and AES-CMAC (RFC 8573, RFC 4493). Immutable once made; the control
// thread and every worker read the same table. Pure, and the computation is noexcept and allocation free.
#pragma once

#include <nettle/aes.h>
#include <nettle/cmac.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha3.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace wiretime::ntp {

// chronyc authdata's numbers.
enum class KeyType : std::uint8_t {
  md5 = 1,
  sha1 = 2,
  sha256 = 3,
  sha384 = 4,
  sha512 = 5,
  sha3_224 = 6,
  sha3_256 = 7,
  sha3_384 = 8,
  sha3_512 = 9,
  aes128 = 13,
  aes256 = 14,
};

// As key files spell it.
[[nodiscard]] std::string_view name(KeyType type) noexcept;
[[nodiscard]] std::optional<KeyType> key_type(std::string_view name) noexcept;
[[nodiscard]] std::vector<std::string_view> key_type_names();
// Octets a secret of this type must have; empty: any number above 0.
[[nodiscard]] std::optional<std::size_t> secret_length(KeyType type) noexcept;

inline constexpr std::size_t kLongestDigest = 64;  // SHA-512

namespace detail {
// A hash that has already seen the secret; each message goes on from a copy.
struct KeyedHash {
  static constexpr std::size_t kContextSize = sizeof(sha3_224_ctx);  // nettle's largest
  const nettle_hash* algorithm = nullptr;
  alignas(16) std::array<std::byte, kContextSize> context{};
};
template <typename Cipher>
struct Cmac {
  cmac128_key subkeys;
  Cipher cipher;
};
}  // namespace detail

class Key {
 public:
  // Empty: a secret of that length is no key of that type.
  [[nodiscard]] static std::optional<Key> make(std::uint32_t id, KeyType type,
                                               std::span<const std::byte> secret);

  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  [[nodiscard]] KeyType type() const noexcept { return type_; }
  [[nodiscard]] std::size_t secret_bits() const noexcept { return secret_bits_; }
  [[nodiscard]] std::size_t digest_length() const noexcept { return digest_length_; }
  // Writes the first digest.size() octets, at most digest_length().
  void compute(std::span<const std::byte> message, std::span<std::byte> digest) const noexcept;

 private:
  using State = std::variant<detail::KeyedHash, detail::Cmac<aes128_ctx>, detail::Cmac<aes256_ctx>>;

  Key(std::uint32_t id, KeyType type, std::size_t secret_bits, std::size_t digest_length,
      const State& state) noexcept
      : id_{id},
        type_{type},
        digest_length_{static_cast<std::uint8_t>(digest_length)},
        secret_bits_{secret_bits},
        state_{state} {}

  std::uint32_t id_;
  KeyType type_;
  std::uint8_t digest_length_;
  std::size_t secret_bits_;
  State state_;
};

class KeyTable {
 public:
  KeyTable() = default;
  // Of keys with the same id the first counts.
  explicit KeyTable(std::vector<Key> keys);

  // Null: there is none. Valid as long as this table.
  [[nodiscard]] const Key* find(std::uint32_t id) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }

 private:
  std::vector<std::uint32_t> ids_;  // sorted, apart from the keys: a search touches few cache lines
  std::vector<Key> keys_;           // in the same order
};

}  // namespace wiretime::ntp
