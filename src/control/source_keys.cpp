// SPDX-License-Identifier: BSD-3-Clause
// SourceManager's symmetric keys: MACs on what the sources are sent and on what they answer (RFC 5905 section
// 7.3), as chronyd: an answer has the key that its request had, and one to a request without has none.
#include <fmt/format.h>

#include "control/key_file.hpp"
#include "control/source_manager.hpp"
#include "ntp/extension.hpp"
#include "ntp/mac.hpp"

namespace wiretime::control {

std::span<const std::byte> SourceManager::Outgoing::write(const ntp::Header& header, const ntp::Key* key) {
  std::copy(header.begin(), header.end(), bytes_.begin());
  std::size_t length = header.size();
  if (key != nullptr) length = ntp::write_mac(*key, bytes_, length);
  return std::span{bytes_}.first(length);
}

const ntp::Key* SourceManager::key_of(const NtpPart& source) const {
  return options_.keys != nullptr ? options_.keys->find(source.config.key_id) : nullptr;
}

ntp::AuthResult SourceManager::authenticate(const NtpPart& source, std::span<const std::byte> message) const {
  using ntp::AuthResult;
  if (message.size() < ntp::kHeaderLength || message.size() % 4 != 0) return AuthResult::failed;
  const ntp::FoundTrailer trailer = ntp::classify_trailer(message);
  if (source.config.key_id == 0) {
    const bool plain = trailer.kind == ntp::Trailer::none || trailer.kind == ntp::Trailer::extension_fields;
    return plain ? AuthResult::none : AuthResult::failed;
  }
  if (trailer.kind != ntp::Trailer::mac || options_.keys == nullptr) return AuthResult::failed;
  const ntp::Key* const key = ntp::verify_mac(*options_.keys, message, trailer.mac_start);
  return key != nullptr && key->id() == source.config.key_id ? AuthResult::passed : AuthResult::failed;
}

// The whole of a packet of ours ends the frame: without its MAC, its header does.
std::span<const std::byte> SourceManager::without_mac(const NtpPart& source,
                                                      std::span<const std::byte> frame) const {
  const ntp::Key* const key = key_of(source);
  if (key == nullptr) return frame;
  const std::size_t mac = ntp::mac_length(*key, source.association.options().version);
  return frame.first(frame.size() - std::min(mac, frame.size()));
}

void SourceManager::check_key(const NtpSource& config) {
  if (config.nts)
    log(os::LogLevel::warning,
        fmt::format("{}: this version has no NTS (nts), so nothing from this source is believed",
                    config.name));
  if (config.key_id == 0) return;
  const ntp::Key* const key = options_.keys != nullptr ? options_.keys->find(config.key_id) : nullptr;
  if (key == nullptr)
    log(os::LogLevel::warning,
        fmt::format("Key {} used by source {} is missing: it is not asked before the key file has that key "
                    "(then: chronyc rekey)",
                    config.key_id, config.name));
  else if (key->secret_bits() < kSafeKeyBits)
    log(os::LogLevel::warning,
        fmt::format("Key {} used by source {} is too short: {} bits, at least {} are safe", config.key_id,
                    config.name, key->secret_bits(), kSafeKeyBits));
}

void SourceManager::keys_changed() {
  std::uint32_t line = 0;
  for (const auto& s : sources_) {
    if (!s->ntp || s->line == line) continue;  // once for a pool
    line = s->line;
    if (s->ntp->config.key_id != 0) check_key(s->ntp->config);
  }
}

}  // namespace wiretime::control
