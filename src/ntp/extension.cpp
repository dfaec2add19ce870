// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/extension.hpp"

#include "base/bytes.hpp"
#include "ntp/mac.hpp"
#include "ntp/packet.hpp"

namespace wiretime::ntp {

namespace {

constexpr std::size_t kMinFieldLength = 16;  // RFC 7822 section 7.5

bool is_nts(std::uint16_t type) noexcept {
  return type == extension_type::kNtsUniqueIdentifier || type == extension_type::kNtsCookie ||
         type == extension_type::kNtsCookiePlaceholder || type == extension_type::kNtsAuthenticator;
}

bool is_mac_length(std::size_t length) noexcept {
  return length >= kMinMacLength && length <= kMaxMacLength;
}

}  // namespace

FoundTrailer classify_trailer(std::span<const std::byte> message) noexcept {
  std::span<const std::byte> rest = message.subspan(kHeaderLength);
  const auto mac = [&] { return FoundTrailer{Trailer::mac, message.size() - rest.size()}; };
  const auto mac_or_invalid = [&] {
    return is_mac_length(rest.size()) ? mac() : FoundTrailer{Trailer::invalid};
  };
  if (rest.empty()) return {};
  if (version(message.data()) < 4) {  // extension fields came with version 4
    if (rest.size() == 4) return {Trailer::crypto_nak};
    return mac_or_invalid();
  }
  bool nts = false;
  while (!rest.empty()) {
    if (rest.size() == 4) return {Trailer::crypto_nak};
    if (rest.size() >= kMinMacLength && rest.size() <= kMaxMacLengthV4) return mac();
    const std::size_t length = load_be16(rest.data() + 2);
    const bool is_field = length >= kMinFieldLength && length % 4 == 0 && length <= rest.size();
    if (!is_field) return mac_or_invalid();
    nts = nts || is_nts(load_be16(rest.data()));
    rest = rest.subspan(length);
  }
  return {nts ? Trailer::nts : Trailer::extension_fields};
}

}  // namespace wiretime::ntp
