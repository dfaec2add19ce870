// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/keyed.hpp"

#include <random>
#include <set>
#include <vector>

#include "catch.hpp"

namespace wiretime::load {

namespace {

std::vector<std::uint32_t> round_of(const ClientOrder& order, std::uint32_t first, std::uint32_t size) {
  std::vector<std::uint32_t> clients;
  for (std::uint32_t s = first; s < first + size; ++s)
    if (std::uint32_t client = 0; order.client(s, client)) clients.push_back(client);
  return clients;
}

}  // namespace

TEST_CASE("every round of the order asks each client once") {
  for (const std::uint32_t count : {1U, 2U, 3U, 7U, 64U, 1000U, 65534U, 1U << 17}) {
    const std::uint32_t size = count <= 2 ? 2 : std::bit_ceil(count);
    for (std::uint64_t key = 1; key < 4; ++key) {
      const ClientOrder order{count, key};
      for (std::uint32_t round = 0; round < 3; ++round) {
        std::vector<bool> asked(count);
        for (const std::uint32_t client : round_of(order, round * size, size)) {
          if (client >= count || asked[client]) FAIL("client " << client << " of " << count << " twice");
          asked[client] = true;
        }
        REQUIRE(std::count(asked.begin(), asked.end(), true) == count);
      }
    }
  }
}

TEST_CASE("rounds, and keys, differ in their order") {
  const ClientOrder one{1024, 1};
  const ClientOrder other{1024, 2};
  CHECK(round_of(one, 0, 1024) != round_of(one, 1024, 1024));
  CHECK(round_of(one, 0, 1024) != round_of(other, 0, 1024));
  CHECK(round_of(one, 0, 1024) == round_of(ClientOrder{1024, 1}, 0, 1024));
}

TEST_CASE("neighbours in the order are not neighbours in number") {
  const ClientOrder order{1U << 20, 7};
  const auto clients = round_of(order, 0, 1U << 16);
  std::size_t close = 0;
  for (std::size_t i = 1; i < clients.size(); ++i)
    close += clients[i] - clients[i - 1] + 16 <= 32 ? 1U : 0U;  // 2 to expect of a random order
  CHECK(close < 30);
}

TEST_CASE("a cookie gives back what it was made of") {
  std::mt19937_64 random{1};
  for (std::uint64_t key = 0; key < 20; ++key) {
    const Cookie cookie{key};
    for (int i = 0; i < 5000; ++i) {
      const std::uint64_t now = random() >> (i % 2 == 0 ? 1 : 20);
      const Exchange e{now - random() % (std::uint64_t{1} << 37),
                       static_cast<std::uint32_t>(random()) & Cookie::kSequenceMask, random() % 2 == 0};
      const Exchange back = cookie.read(cookie.make(e), now);
      REQUIRE(back.sequence == e.sequence);
      REQUIRE(back.interleaved == e.interleaved);
      REQUIRE(back.due >> Cookie::kTickShift == e.due >> Cookie::kTickShift);
    }
  }
}

TEST_CASE("cookies of one moment look nothing like each other") {
  const Cookie cookie{5};
  std::set<std::uint64_t> seen;
  for (std::uint32_t s = 0; s < 1000; ++s) {
    const std::uint64_t a = cookie.make({1'000'000, s, false});
    const int changed = std::popcount(a ^ cookie.make({1'000'000, s + 1, false}));
    CHECK(changed > 8);
    CHECK(seen.insert(a).second);
  }
}

}  // namespace wiretime::load
