// SPDX-License-Identifier: BSD-3-Clause
#include "net/checksum.hpp"

#include <numeric>

#include "catch.hpp"
#include "frames.hpp"

using namespace wiretime;
using namespace wiretime::net;
using namespace wiretime::net::test;

TEST_CASE("the checksum of RFC 1071's example is what the RFC says") {
  const Bytes data{std::byte{0x00}, std::byte{0x01}, std::byte{0xf2}, std::byte{0x03},
                   std::byte{0xf4}, std::byte{0xf5}, std::byte{0xf6}, std::byte{0xf7}};
  InternetSum sum;
  sum.add(data);
  CHECK(sum.folded() == 0xDDF2);
  CHECK(internet_checksum(data) == 0x220D);
}

TEST_CASE("the fast sum equals the slow one for every length and content") {
  std::mt19937_64 random{1071};
  for (std::size_t size = 0; size < 300; ++size) {
    for (int round = 0; round < 20; ++round) {
      Exact data{random_bytes(random, size)};
      InternetSum sum;
      sum.add(data.span());
      REQUIRE(sum.folded() == slow_sum(data.span()));
    }
  }
  for (const std::size_t size : {1500U, 9000U, 65535U}) {
    const Bytes ones(size, std::byte{0xFF});
    CHECK(internet_checksum(ones) == static_cast<std::uint16_t>(~slow_sum(ones)));
    const Bytes data = random_bytes(random, size);
    CHECK(internet_checksum(data) == static_cast<std::uint16_t>(~slow_sum(data)));
  }
}

TEST_CASE("summing in even pieces and single words gives the sum of the whole") {
  std::mt19937_64 random{2};
  for (int round = 0; round < 2000; ++round) {
    const Bytes data = random_bytes(random, 2 + random() % 200);
    const std::size_t cut = random() % (data.size() / 2 + 1) * 2;
    const auto word = static_cast<std::uint16_t>(random());
    InternetSum whole;
    whole.add(data);
    whole.add_be16(word);
    InternetSum pieces;
    pieces.add_be16(word);
    pieces.add(std::span{data}.first(cut));
    pieces.add(std::span{data}.subspan(cut));
    REQUIRE(pieces.folded() == whole.folded());
    REQUIRE(whole.folded() == slow_sum(data, word));
  }
}

TEST_CASE("the incremental update equals a new sum") {
  std::mt19937_64 random{1624};
  for (int round = 0; round < 20'000; ++round) {
    Bytes data = random_bytes(random, 40);
    data[0] = std::byte{0x45};  // never all zero
    const std::size_t at = 2 + random() % 17 * 2;
    const std::uint16_t before = internet_checksum(data);
    // Zero and all ones are where a wrong update shows.
    const std::uint32_t values[] = {0, 0xFFFF'FFFFU, 0xFFFFU, 0xFFFF'0000U,
                                    static_cast<std::uint32_t>(random())};
    const std::uint32_t old_value = load_be32(data.data() + at);
    const std::uint32_t new_value = values[random() % 5];
    store_be32(data.data() + at, new_value);
    REQUIRE(update_checksum32(before, old_value, new_value) == internet_checksum(data));
    store_be32(data.data() + at, old_value);
    store_be16(data.data() + at, static_cast<std::uint16_t>(new_value));
    REQUIRE(update_checksum(before, static_cast<std::uint16_t>(old_value >> 16),
                            static_cast<std::uint16_t>(new_value)) == internet_checksum(data));
  }
}
