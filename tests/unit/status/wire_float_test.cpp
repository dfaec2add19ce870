// SPDX-License-Identifier: BSD-3-Clause
#include "status/wire_float.hpp"

#include <cmath>
#include <limits>
#include <random>

#include "catch.hpp"

using wiretime::status::decode_float;
using wiretime::status::encode_float;

namespace {

// The format's definition, in integers and powers of two.
double reference_decode(std::uint32_t word) {
  int exponent = static_cast<int>(word >> 25);
  if (exponent >= 64) exponent -= 128;
  auto coefficient = static_cast<double>(word & 0x1ffffffU);
  if ((word & 0x1000000U) != 0) coefficient -= 0x2000000;
  return coefficient * std::pow(2.0, exponent - 25);
}

bool normalised(std::uint32_t word) {
  const double coefficient = std::fabs(std::ldexp(reference_decode(word), 25)) /
                             std::pow(2.0, static_cast<std::int32_t>(word) >> 25);
  const bool negative = reference_decode(word) < 0;
  return negative ? coefficient > 0x800000 : coefficient >= 0x800000;
}

}  // namespace

TEST_CASE("floats sent by a stock chronyc are encoded to the same bits", "[wire_float]") {
  struct Sample {
    double value;
    std::uint32_t wire;
  };
  const Sample samples[] = {
      {0, 0x00000000},
      {1, 0x04800000},
      {0.1, 0xfccccccd},
      {0.25, 0x00800000},
      {0.3, 0x0099999a},
      {0.5, 0x02800000},
      {1.5, 0x04c00000},
      {2.5, 0x06a00000},
      {12.5, 0x0ac80000},
      {0.125, 0xfe800000},
      {-0.75, 0x03400000},
      {-1, 0x03000000},
      {-0.5, 0x01000000},
      {1e30, 0x7effffff},
      {-1e30, 0x7f000000},
      {1e-9, 0xc889705f},
      {1e-19, 0x84ec1e4a},
      {1e-20, 0x805e7284},
      {-2.718281828, 0x075207ac},
      {-5.4e-20, 0x8300fe01},
      {0.3333333333, 0x00aaaaab},
      {0.99999999, 0x04800000},
      {-0.9999999999, 0x03000000},
      {9e18, 0x7effffff},
      {9.3e11, 0x52d88852},
      {16777215, 0x32ffffff},
      {-16777216, 0x33000000},
  };
  for (const Sample& s : samples) {
    CAPTURE(s.value);
    CHECK(encode_float(s.value) == s.wire);
  }
}

TEST_CASE("where a stock chronyc cuts the last bit off, ours is the nearest float", "[wire_float]") {
  CHECK(encode_float(3.14159265358979) == 0x06c90fda + 1);
  CHECK(encode_float(123456789) == 0x38eb79a2 + 1);
  CHECK(encode_float(1e-25) == 0x8000003d + 1);
}

TEST_CASE("every float word decodes to what the format says", "[wire_float]") {
  std::mt19937 random{20261123};
  for (int i = 0; i < 100'000; ++i) {
    const auto word = static_cast<std::uint32_t>(random());
    REQUIRE(decode_float(word) == reference_decode(word));
  }
}

TEST_CASE("encoding a decoded float gives the value back, and the same bits if it was normalised",
          "[wire_float]") {
  std::mt19937 random{42};
  int same_bits = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto word = static_cast<std::uint32_t>(random());
    const std::uint32_t again = encode_float(decode_float(word));
    CAPTURE(word, again);
    REQUIRE(decode_float(again) == decode_float(word));
    if (normalised(word)) {
      ++same_bits;
      REQUIRE(again == word);
    }
  }
  CHECK(same_bits > 50'000);
}

TEST_CASE("a float loses less than one part in 2^23", "[wire_float]") {
  std::mt19937_64 random{7};
  std::uniform_real_distribution<double> exponent{-15, 15};
  for (int i = 0; i < 100'000; ++i) {
    const double value = (i % 2 == 0 ? 1 : -1) * std::pow(10, exponent(random));
    const double error = std::fabs(decode_float(encode_float(value)) - value);
    REQUIRE(error <= std::fabs(value) / 8388608.0);
  }
}

TEST_CASE("floats that cannot be sent saturate or become zero", "[wire_float]") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(encode_float(infinity) == 0x7effffff);
  CHECK(encode_float(-infinity) == 0x7f000000);
  CHECK(encode_float(std::numeric_limits<double>::max()) == 0x7effffff);
  CHECK(encode_float(std::numeric_limits<double>::lowest()) == 0x7f000000);
  CHECK(encode_float(std::nan("")) == 0);
  CHECK(encode_float(-0.0) == 0);
  CHECK(encode_float(1e-101) == 0);
  CHECK(encode_float(-1e-50) == 0);
  CHECK(encode_float(std::numeric_limits<double>::denorm_min()) == 0);
}
