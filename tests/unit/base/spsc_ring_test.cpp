// SPDX-License-Identifier: BSD-3-Clause
// The way from a worker to the control thread; the tests with threads earn their keep under TSan.
#include "base/spsc_ring.hpp"

#include <array>
#include <memory>
#include <thread>

#include "catch.hpp"

using namespace wiretime;

TEST_CASE("a ring gives back what was pushed, in order, and refuses when it is full") {
  SpscRing<int> ring{6};  // 8
  std::array<int, 5> out{};
  CHECK(ring.empty());
  CHECK(ring.pop(out) == 0);
  int next = 0;
  int expected = 0;
  // Around the ring many times, with every fill level.
  for (int round = 0; round < 1000; ++round) {
    for (int i = 0; i < round % 9; ++i) {
      const bool room = next - expected < 8;
      CHECK(ring.push(next) == room);
      next += room ? 1 : 0;
    }
    CHECK(ring.empty() == (next == expected));
    const std::size_t n = ring.pop(out);
    CHECK(n == static_cast<std::size_t>(std::min(next - expected, 5)));
    for (std::size_t i = 0; i < n; ++i) CHECK(out[i] == expected++);
  }
}

TEST_CASE("a sleeper is to be woken once in each sleep") {
  Sleeper sleeper;
  CHECK(sleeper.asleep());
  CHECK(sleeper.must_wake());
  CHECK_FALSE(sleeper.must_wake());
  CHECK_FALSE(sleeper.asleep());
  sleeper.fall_asleep();
  CHECK(sleeper.must_wake());
  CHECK_FALSE(sleeper.must_wake());
}

TEST_CASE("what a producer wrote before it pushed is there for the consumer, whole and in order") {
  constexpr std::size_t kValues = 100'000;
  std::vector<std::size_t> values(kValues);  // plain memory: the ring orders it
  SpscRing<std::size_t*> ring{64};
  std::thread producer([&] {
    for (std::size_t i = 0; i < kValues; ++i) {
      values[i] = i;
      while (!ring.push(&values[i])) std::this_thread::yield();
    }
  });
  std::size_t wrong = 0;
  std::array<std::size_t*, 16> out{};
  for (std::size_t got = 0; got < kValues;) {
    const std::size_t n = ring.pop(out);
    if (n == 0) std::this_thread::yield();
    for (std::size_t i = 0; i < n; ++i) wrong += *out[i] != got++;
  }
  producer.join();
  CHECK(wrong == 0);
  CHECK(ring.empty());
}

// The consumer sleeps whenever its rings are empty and only must_wake() gets it up: one wake-up lost and the
// producers, who go on only when all is eaten, wait forever. `turns` stands for the eventfd.
TEST_CASE("no wake-up is lost between two producers and a consumer that sleeps after every value") {
  constexpr int kValues = 20'000;
  std::array<SpscRing<int>, 2> rings{SpscRing<int>{4}, SpscRing<int>{4}};
  Sleeper sleeper;
  std::atomic<unsigned> turns{0};
  std::array<std::atomic<int>, 2> eaten{};
  unsigned sleeps = 1;
  const auto produce = [&](std::size_t which) {
    for (int i = 0; i < kValues; ++i) {
      while (!rings[which].push(i)) std::this_thread::yield();
      if (sleeper.must_wake()) {
        ++turns;
        turns.notify_one();
      }
      while (eaten[which].load() <= i) std::this_thread::yield();
    }
  };
  std::thread first(produce, 0);
  std::thread second(produce, 1);
  const auto eat = [&] {
    for (std::size_t which = 0; which < 2; ++which) {
      std::array<int, 4> out{};
      eaten[which] += static_cast<int>(rings[which].pop(out));
    }
  };
  unsigned seen = 0;
  const auto anything = [&] { return !rings[0].empty() || !rings[1].empty(); };
  while (eaten[0] < kValues || eaten[1] < kValues) {
    turns.wait(seen);
    seen = turns.load();
    do {
      eat();
    } while (anything());
    sleeper.fall_asleep();
    ++sleeps;
    if (anything() && sleeper.must_wake()) ++turns;  // as carry_up() does: wakes itself
  }
  first.join();
  second.join();
  CHECK(turns.load() <= sleeps);
}
