// SPDX-License-Identifier: BSD-3-Clause
#include "control/key_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "control/config_reader.hpp"
#include "control/config_tokens.hpp"
#include "os/files.hpp"

namespace wiretime::control {

namespace {

std::optional<std::uint32_t> read_id(std::string_view word) {
  const auto id = parse_natural(word);
  if (!id || *id < 1 || *id > 0xFFFF'FFFF) return std::nullopt;
  return static_cast<std::uint32_t>(*id);
}

std::optional<ntp::KeyType> read_type(std::string_view word) {
  for (const auto known : ntp::key_type_names())
    if (equal_ignoring_case(word, known)) return ntp::key_type(known);
  return std::nullopt;
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// Empty: not hexadecimal, an odd digit, or nothing at all.
std::vector<std::byte> read_secret(std::string_view word) {
  constexpr std::string_view kHex = "HEX:", kAscii = "ASCII:";
  std::vector<std::byte> secret;
  if (!starts_with(word, kHex)) {
    if (starts_with(word, kAscii)) word.remove_prefix(kAscii.size());
    for (const char c : word) secret.push_back(static_cast<std::byte>(c));
    return secret;
  }
  word.remove_prefix(kHex.size());
  if (word.size() % 2 != 0) return {};
  for (std::size_t i = 0; i < word.size(); i += 2) {
    std::uint8_t octet = 0;
    const auto [end, error] = std::from_chars(word.data() + i, word.data() + i + 2, octet, 16);
    if (error != std::errc{} || end != word.data() + i + 2) return {};
    secret.push_back(static_cast<std::byte>(octet));
  }
  return secret;
}

// A word in the place of the type may be a piece of a secret: shown only if it looks like a type.
std::string shown_type(std::string_view word) {
  constexpr std::size_t kLongest = 13;  // MD5-NONCRYPTO
  const bool like_type =
      word.size() <= kLongest &&
      word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == std::string_view::npos;
  return like_type ? quoted(word) : "something else";
}

// What is wrong with a line, if anything; else it is added to `keys`.
std::optional<std::string> read_line(const std::vector<std::string>& words, std::vector<ntp::Key>& keys) {
  if (words.size() < 2 || words.size() > 3)
    return fmt::format("expected ID [TYPE] KEY, found {} word{}", words.size(), words.size() == 1 ? "" : "s");
  const auto id = read_id(words[0]);
  if (!id) return fmt::format("expected a key ID from 1 to 4294967295, found {}", quoted(words[0]));
  const auto type = words.size() == 3 ? read_type(words[1]) : ntp::KeyType::md5;
  if (!type)
    return fmt::format("key {}: expected a type ({}), found {}", *id, enumerate(ntp::key_type_names()),
                       shown_type(words[1]));
  const std::vector<std::byte> secret = read_secret(words.back());
  if (secret.empty())
    return fmt::format("key {}: expected HEX: and pairs of hexadecimal digits, or text, found neither", *id);
  const auto length = ntp::secret_length(*type);
  if (length && secret.size() != *length)
    return fmt::format("key {}: expected {} bits for {}, found {}", *id, 8 * *length, ntp::name(*type),
                       8 * secret.size());
  const auto known = std::find_if(keys.begin(), keys.end(), [&](const ntp::Key& k) { return k.id() == *id; });
  if (known != keys.end())
    return fmt::format("expected each key once, found key {} again: the first one counts", *id);
  if (auto key = ntp::Key::make(*id, *type, secret)) keys.push_back(*key);
  return std::nullopt;
}

}  // namespace

KeyFile parse_key_file(std::string_view text, const std::string& path) {
  std::vector<ntp::Key> keys;
  KeyFile file;
  for (unsigned line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const auto words = split_words(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty()) continue;
    if (auto wrong = read_line(words, keys))
      file.warnings.push_back({fmt::format("{}:{}", path, line), std::move(*wrong)});
  }
  file.keys = ntp::KeyTable{std::move(keys)};
  return file;
}

Result<KeyFile> read_key_file(const std::string& path) {
  const auto text = DiskReader{}.read(path);
  if (!text) return fail(fmt::format("cannot read the key file {}: {}", path, text.error().message));
  KeyFile file = parse_key_file(*text, path);
  if (os::open_to_others(path))
    file.warnings.push_back({path,
                             "expected keys that only owner and group may read, found a file open to "
                             "others: chmod o-rw it"});
  return file;
}

}  // namespace wiretime::control
