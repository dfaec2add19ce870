// SPDX-License-Identifier: BSD-3-Clause
#include "status/command.hpp"

namespace wiretime::status {

bool SourceMask::selects(const SourceAddress& source) const noexcept {
  if (address == SourceAddress{}) return true;
  if (address.unresolved || source.unresolved) return address == source;
  if (source.ip.family != address.ip.family) return false;
  // A mask of another family, as chronyc sends for a single host, means the whole address.
  const bool masked = mask.family == address.ip.family;
  for (std::size_t i = 0; i < address.ip.bytes.size(); ++i) {
    const unsigned difference = address.ip.bytes[i] ^ static_cast<unsigned>(source.ip.bytes[i]);
    if ((difference & (masked ? mask.bytes[i] : 0xffU)) != 0) return false;
  }
  return true;
}

}  // namespace wiretime::status
