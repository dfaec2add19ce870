// SPDX-License-Identifier: BSD-3-Clause
// The command protocol's 32-bit float: a signed 7-bit exponent over a signed 25-bit coefficient without
// hidden bit, value = coefficient * 2^(exponent - 25). Pure; any thread.
#pragma once

#include <cstdint>

namespace wiretime::status {

// Exact: every wire float is a double.
[[nodiscard]] double decode_float(std::uint32_t wire) noexcept;

// Nearest representable value, normalised; NaN and magnitudes too small become 0, too large saturate.
[[nodiscard]] std::uint32_t encode_float(double value) noexcept;

}  // namespace wiretime::status
