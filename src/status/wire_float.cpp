// SPDX-License-Identifier: BSD-3-Clause
#include "status/wire_float.hpp"

#include <cmath>

namespace wiretime::status {

namespace {
constexpr int kCoefficientBits = 25;
constexpr std::uint32_t kCoefficientMask = (1U << kCoefficientBits) - 1;
constexpr std::int32_t kCoefficientLimit = 1 << (kCoefficientBits - 1);  // magnitude; itself only if negative
constexpr int kExponentMin = -64;
constexpr int kExponentMax = 63;
constexpr double kTiny = 1e-100;  // below this the sender means zero

std::uint32_t pack(int exponent, std::int32_t coefficient) noexcept {
  return (static_cast<std::uint32_t>(exponent) << kCoefficientBits) |
         (static_cast<std::uint32_t>(coefficient) & kCoefficientMask);
}
}  // namespace

double decode_float(std::uint32_t wire) noexcept {
  const auto word = static_cast<std::int32_t>(wire);
  const int exponent = word >> kCoefficientBits;  // arithmetic shifts keep both signs (C++20)
  const std::int32_t coefficient =
      static_cast<std::int32_t>(wire << (32 - kCoefficientBits)) >> (32 - kCoefficientBits);
  return std::ldexp(coefficient, exponent - kCoefficientBits);
}

std::uint32_t encode_float(double value) noexcept {
  if (std::isnan(value) || std::fabs(value) < kTiny) return 0;
  const bool negative = value < 0;
  // The negative side reaches one further: there a power of two keeps the smaller exponent.
  const std::int32_t limit = negative ? kCoefficientLimit : kCoefficientLimit - 1;
  if (std::isinf(value)) return pack(kExponentMax, negative ? -limit : limit);

  int binary_exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &binary_exponent);  // [0.5, 1)
  int exponent = binary_exponent + 1;
  int shift = kCoefficientBits - 1;
  if (negative && fraction == 0.5) {
    --exponent;
    ++shift;
  }
  if (exponent < kExponentMin) {  // too small to be normalised: fewer bits
    shift -= kExponentMin - exponent;
    exponent = kExponentMin;
    if (shift < -1) return 0;
  }
  auto coefficient = static_cast<std::int32_t>(std::lround(std::ldexp(fraction, shift)));
  if (coefficient > limit) {
    coefficient /= 2;
    ++exponent;
  }
  if (exponent > kExponentMax) return pack(kExponentMax, negative ? -limit : limit);
  if (coefficient == 0) return 0;
  return pack(exponent, negative ? -coefficient : coefficient);
}

}  // namespace wiretime::status
