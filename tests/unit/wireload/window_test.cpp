// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/window.hpp"

#include <random>
#include <vector>

#include "catch.hpp"

namespace wiretime::load {

namespace {

constexpr std::uint64_t kPatience = 1000;
constexpr std::uint64_t kSize = 8;

// The loop without its wire: requests are numbers, answered or not.
struct Loop {
  explicit Loop(std::uint64_t first) : sequence{first} { window.begin(first, now); }

  void fill() {
    for (std::uint64_t room = window.room(kSize, sent, sequence, now, answered); room > 0; --room) {
      answered.open(sequence);
      waiting.push_back(sequence++);
      ++sent;
    }
  }
  void reply(std::size_t i) {
    const std::uint64_t number = waiting[i];
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
    if (answered.take(number)) window.replied(number);
  }

  Window window{kPatience};
  Answered answered;
  std::vector<std::uint64_t> waiting;
  std::uint64_t sequence;
  std::uint64_t sent = 0;
  std::uint64_t now = 50'000;
};

}  // namespace

TEST_CASE("a window is filled, and each reply makes room for one request") {
  Loop loop{1000};
  loop.fill();
  CHECK(loop.sent == kSize);
  loop.fill();
  CHECK(loop.sent == kSize);
  loop.reply(3);
  loop.reply(0);
  loop.fill();
  CHECK(loop.sent == kSize + 2);
}

TEST_CASE("lost requests are given up after a while, not at once") {
  Loop loop{0};
  loop.fill();
  loop.now += kPatience;
  loop.fill();
  CHECK(loop.sent == kSize);
  loop.now += 1;
  loop.fill();  // from here on the first are too old in a while
  CHECK(loop.sent == kSize);
  loop.now += kPatience + 1;
  loop.fill();
  CHECK(loop.sent == 2 * kSize);
}

TEST_CASE("answers that come after their requests were given up do not widen the window") {
  Loop loop{77};
  loop.fill();
  for (int i = 0; i < 2; ++i) {
    loop.now += kPatience + 1;
    loop.fill();
  }
  REQUIRE(loop.sent == 2 * kSize);
  for (std::uint64_t i = 0; i < kSize; ++i) loop.reply(0);
  loop.fill();
  CHECK(loop.sent == 2 * kSize);
}

TEST_CASE("whatever was lost, late or answered in any order, the window is whole in the end") {
  std::mt19937_64 random{8};
  for (int round = 0; round < 50; ++round) {
    Loop loop{random() % 1000};
    for (int i = 0; i < 2000; ++i) {
      loop.now += random() % (kPatience / 4);
      loop.fill();
      while (!loop.waiting.empty() && random() % 4 != 0) loop.reply(random() % loop.waiting.size());
      if (random() % 10 == 0 && !loop.waiting.empty()) loop.waiting.erase(loop.waiting.begin());  // lost
    }
    while (!loop.waiting.empty()) loop.reply(0);
    for (int i = 0; i < 3; ++i) {
      loop.now += kPatience + 1;
      (void)loop.window.room(kSize, loop.sent, loop.sequence, loop.now, loop.answered);
    }
    REQUIRE(loop.window.room(kSize, loop.sent, loop.sequence, loop.now, loop.answered) == kSize);
    loop.fill();
    REQUIRE(loop.waiting.size() == kSize);
    REQUIRE(loop.window.room(kSize, loop.sent, loop.sequence, loop.now, loop.answered) == 0);
  }
}

}  // namespace wiretime::load
