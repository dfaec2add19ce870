// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/reference_id.hpp"

#include <nettle/md5.h>

#include <array>

namespace wiretime::ntp {

std::uint32_t reference_id(const IpAddress& address) noexcept {
  if (address.family == Family::ipv4) return address.v4_host_order();
  if (address.family != Family::ipv6) return 0;
  std::array<std::uint8_t, MD5_DIGEST_SIZE> digest{};
  md5_ctx context;
  md5_init(&context);
  md5_update(&context, address.bytes.size(), address.bytes.data());
  md5_digest(&context, digest.size(), digest.data());
  return std::uint32_t{digest[0]} << 24 | std::uint32_t{digest[1]} << 16 | std::uint32_t{digest[2]} << 8 |
         digest[3];
}

std::uint32_t named_reference_id(std::string_view name) noexcept {
  std::uint32_t refid = 0;
  for (std::size_t i = 0; i < 4; ++i)
    refid = refid << 8 | (i < name.size() ? static_cast<std::uint8_t>(name[i]) : 0U);
  return refid;
}

std::string reference_name(std::uint32_t refid) {
  std::string name;
  for (int shift = 24; shift >= 0; shift -= 8)
    if (const char c = static_cast<char>(refid >> shift & 0xff); c >= ' ' && c <= '~') name += c;
  return name;
}

}  // namespace wiretime::ntp
