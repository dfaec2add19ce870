// SPDX-License-Identifier: BSD-3-Clause
// Host names to addresses, waiting for the answer: names in allow and deny lines at start-up, and
// sources from a thread of their own (async_resolver.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace wiretime::os {

// In the resolver's order (RFC 6724), without duplicates, never empty. `family` unspecified: both.
[[nodiscard]] Result<std::vector<IpAddress>> resolve(const std::string& name,
                                                     Family family = Family::unspecified);

struct NumericAddress {
  IpAddress address;
  std::uint32_t scope = 0;  // interface index, when the text ends in %INTERFACE
};
// nullopt: a name. An interface that does not exist gives scope 0.
[[nodiscard]] std::optional<NumericAddress> numeric_address(const std::string& text);

}  // namespace wiretime::os
