// SPDX-License-Identifier: BSD-3-Clause
// Numbers as people write them on the command line: 10k, 1.5M, 200ms, 0.1%, 1/8. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace wiretime::load {

// With k, M or G (powers of 1000) behind: above 0.
[[nodiscard]] std::optional<double> parse_quantity(std::string_view text);
// The same, a whole number.
[[nodiscard]] std::optional<std::uint64_t> parse_count(std::string_view text);
// With ns, us, ms, s, min or h behind; seconds when there is none. Above 0.
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_time(std::string_view text);
// "5%", "0.05" or "1/20": 0 to 1.
[[nodiscard]] std::optional<double> parse_share(std::string_view text);

}  // namespace wiretime::load
