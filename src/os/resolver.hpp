// SPDX-License-Identifier: BSD-3-Clause
// Host names to addresses, waiting for the answer: only for names in allow and deny lines at start-up.
#pragma once

#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace wiretime::os {

// In the resolver's order (RFC 6724), without duplicates, never empty. `family` unspecified: both.
[[nodiscard]] Result<std::vector<IpAddress>> resolve(const std::string& name,
                                                     Family family = Family::unspecified);

}  // namespace wiretime::os
