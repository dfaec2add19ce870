// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/key.hpp"

#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include <algorithm>
#include <cstring>

namespace wiretime::ntp {

using detail::Cmac;
using detail::KeyedHash;

namespace {

struct TypeInfo {
  KeyType type;
  std::string_view name;
  const nettle_hash* hash;    // null: a cipher
  std::size_t secret_length;  // of a cipher
};

constexpr std::array kTypes{
    TypeInfo{KeyType::md5, "MD5", &nettle_md5, 0},
    TypeInfo{KeyType::sha1, "SHA1", &nettle_sha1, 0},
    TypeInfo{KeyType::sha256, "SHA256", &nettle_sha256, 0},
    TypeInfo{KeyType::sha384, "SHA384", &nettle_sha384, 0},
    TypeInfo{KeyType::sha512, "SHA512", &nettle_sha512, 0},
    TypeInfo{KeyType::sha3_224, "SHA3-224", &nettle_sha3_224, 0},
    TypeInfo{KeyType::sha3_256, "SHA3-256", &nettle_sha3_256, 0},
    TypeInfo{KeyType::sha3_384, "SHA3-384", &nettle_sha3_384, 0},
    TypeInfo{KeyType::sha3_512, "SHA3-512", &nettle_sha3_512, 0},
    TypeInfo{KeyType::aes128, "AES128", nullptr, AES128_KEY_SIZE},
    TypeInfo{KeyType::aes256, "AES256", nullptr, AES256_KEY_SIZE},
};

const TypeInfo& info(KeyType type) noexcept {
  return *std::find_if(kTypes.begin(), kTypes.end(), [type](const TypeInfo& t) { return t.type == type; });
}

const std::uint8_t* octets(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}
std::uint8_t* octets(std::span<std::byte> bytes) noexcept {
  return reinterpret_cast<std::uint8_t*>(bytes.data());
}

// nettle's own macros cast the cipher functions to this type.
template <typename Function>
nettle_cipher_func* as_cipher(Function* encrypt) noexcept {
  return reinterpret_cast<nettle_cipher_func*>(encrypt);
}
nettle_cipher_func* encrypt_of(const aes128_ctx&) noexcept {
  return as_cipher(aes128_encrypt);
}
nettle_cipher_func* encrypt_of(const aes256_ctx&) noexcept {
  return as_cipher(aes256_encrypt);
}

}  // namespace

std::string_view name(KeyType type) noexcept {
  return info(type).name;
}

std::optional<KeyType> key_type(std::string_view name) noexcept {
  for (const TypeInfo& t : kTypes)
    if (t.name == name) return t.type;
  return std::nullopt;
}

std::vector<std::string_view> key_type_names() {
  std::vector<std::string_view> names;
  for (const TypeInfo& t : kTypes) names.push_back(t.name);
  return names;
}

std::optional<std::size_t> secret_length(KeyType type) noexcept {
  const TypeInfo& t = info(type);
  return t.hash == nullptr ? std::optional{t.secret_length} : std::nullopt;
}

std::optional<Key> Key::make(std::uint32_t id, KeyType type, std::span<const std::byte> secret) {
  const auto wanted = ntp::secret_length(type);
  if (secret.empty() || (wanted && secret.size() != *wanted)) return std::nullopt;
  State state;
  std::size_t digest_length = CMAC128_DIGEST_SIZE;
  const auto prepare = [&](auto cmac, auto set_key) {
    set_key(&cmac.cipher, octets(secret));
    cmac128_set_key(&cmac.subkeys, &cmac.cipher, encrypt_of(cmac.cipher));
    state = cmac;
  };
  if (const nettle_hash* algorithm = info(type).hash) {
    static_assert(KeyedHash::kContextSize >= sizeof(sha512_ctx) &&
                  KeyedHash::kContextSize >= sizeof(md5_ctx) && KeyedHash::kContextSize >= sizeof(sha1_ctx) &&
                  KeyedHash::kContextSize >= sizeof(sha256_ctx) &&
                  KeyedHash::kContextSize >= sizeof(sha3_256_ctx));
    auto& hash = state.emplace<KeyedHash>();
    hash.algorithm = algorithm;
    algorithm->init(hash.context.data());
    algorithm->update(hash.context.data(), secret.size(), octets(secret));
    digest_length = algorithm->digest_size;
  } else if (type == KeyType::aes128) {
    prepare(Cmac<aes128_ctx>{}, aes128_set_encrypt_key);
  } else {
    prepare(Cmac<aes256_ctx>{}, aes256_set_encrypt_key);
  }
  return Key{id, type, 8 * secret.size(), digest_length, state};
}

void Key::compute(std::span<const std::byte> message, std::span<std::byte> digest) const noexcept {
  if (const auto* hash = std::get_if<KeyedHash>(&state_)) {
    alignas(16) std::array<std::byte, KeyedHash::kContextSize> context;
    std::memcpy(context.data(), hash->context.data(), hash->algorithm->context_size);
    hash->algorithm->update(context.data(), message.size(), octets(message));
    hash->algorithm->digest(context.data(), digest.size(), octets(digest));
    return;
  }
  const auto finish = [&](const auto& cmac) {
    cmac128_ctx context;
    cmac128_init(&context);
    nettle_cipher_func* const encrypt = encrypt_of(cmac.cipher);
    cmac128_update(&context, &cmac.cipher, encrypt, message.size(), octets(message));
    cmac128_digest(&context, &cmac.subkeys, &cmac.cipher, encrypt, static_cast<unsigned>(digest.size()),
                   octets(digest));
  };
  if (const auto* aes = std::get_if<Cmac<aes128_ctx>>(&state_))
    finish(*aes);
  else if (const auto* aes256 = std::get_if<Cmac<aes256_ctx>>(&state_))
    finish(*aes256);
}

KeyTable::KeyTable(std::vector<Key> keys) : keys_{std::move(keys)} {
  std::stable_sort(keys_.begin(), keys_.end(), [](const Key& a, const Key& b) { return a.id() < b.id(); });
  const auto same = [](const Key& a, const Key& b) { return a.id() == b.id(); };
  keys_.erase(std::unique(keys_.begin(), keys_.end(), same), keys_.end());
  for (const Key& key : keys_) ids_.push_back(key.id());
}

const Key* KeyTable::find(std::uint32_t id) const noexcept {
  const auto at = std::lower_bound(ids_.begin(), ids_.end(), id);
  if (at == ids_.end() || *at != id) return nullptr;
  return &keys_[static_cast<std::size_t>(at - ids_.begin())];
}

}  // namespace wiretime::ntp
