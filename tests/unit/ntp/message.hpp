// SPDX-License-Identifier: BSD-3-Clause
// NTP messages for tests.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.hpp"
#include "ntp/packet.hpp"

namespace wiretime::test {

inline std::vector<std::byte> ntp_request(unsigned version = 4, unsigned mode = 3, std::size_t length = 48) {
  std::vector<std::byte> m(length);
  if (length > 0) m[0] = static_cast<std::byte>((version << 3) | mode);
  if (length > 2) m[2] = std::byte{6};
  if (length >= 48) store_be64(m.data() + ntp::offset::kTransmit, 0x0123'4567'89AB'CDEFU);
  return m;
}

inline void add_field(std::vector<std::byte>& m, std::uint16_t type, std::uint16_t length) {
  const auto at = m.size();
  m.resize(at + length);
  store_be16(m.data() + at, type);
  store_be16(m.data() + at + 2, length);
}

}  // namespace wiretime::test
