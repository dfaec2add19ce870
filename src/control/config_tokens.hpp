// SPDX-License-Identifier: BSD-3-Clause
// Text helpers of the configuration parser: words, numbers, quoting for messages, "did you mean". Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wiretime::control {

// The words of a line. A line whose first word starts with ! ; # or % is a comment and has none.
[[nodiscard]] std::vector<std::string> split_words(std::string_view line);
[[nodiscard]] std::string join_words(const std::vector<std::string>& words);

[[nodiscard]] std::string lower_case(std::string_view text);
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);

// Whole decimal number, sign allowed, nothing behind it.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);
// The same, digits only.
[[nodiscard]] std::optional<std::int64_t> parse_natural(std::string_view text);
// Decimal number, exponent allowed; neither infinity nor NaN nor hexadecimal.
[[nodiscard]] std::optional<double> parse_real(std::string_view text);

// The word in double quotes, unprintable bytes as \xNN, cut when very long: safe in a log line.
[[nodiscard]] std::string quoted(std::string_view word);

// "a, b or c"
[[nodiscard]] std::string enumerate(const std::vector<std::string_view>& names);

// The candidate that `word` is most likely a slip of; nullopt when none is close.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      const std::vector<std::string_view>& candidates);

}  // namespace wiretime::control
