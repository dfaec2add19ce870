// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/pacer.hpp"

#include <random>

#include "catch.hpp"

namespace wiretime::load {

namespace {
constexpr double kHz = 2.6e9;
constexpr std::uint64_t kStart = 1'000'000'000'000;
}  // namespace

TEST_CASE("a schedule that is looked at often has every request on its time") {
  for (const double rate : {1.0, 997.0, 1e6, 10.96e6, 27.4e6}) {
    Pacer pacer{kStart, rate, kHz, Pacer::usual_catch_up(rate)};
    std::mt19937_64 random{5};
    std::uint64_t sent = 0;
    const double seconds = std::min(2.0, 200'000 / rate + 2 / rate);
    const auto end = kStart + static_cast<std::uint64_t>(seconds * kHz);
    const auto step = static_cast<std::uint64_t>(kHz / rate) + 100;
    for (std::uint64_t now = kStart; now < end; now += random() % step) {
      const std::uint64_t due = pacer.due(now);
      for (std::uint64_t i = 0; i < due; ++i) {
        const std::uint64_t when = pacer.due_time(i);
        REQUIRE(when <= now + 1);
        REQUIRE(now - std::min(now, when) <= step + 1);
      }
      pacer.issued(due);
      sent += due;
    }
    CHECK(pacer.given_up() == 0);
    CHECK(static_cast<double>(sent) ==
          Approx(seconds * rate).margin(2 + rate * static_cast<double>(step) / kHz));
  }
}

TEST_CASE("after a stall the schedule catches up on little and gives up the rest") {
  Pacer pacer{kStart, 1e6, kHz, 512};
  CHECK(pacer.due(kStart) == 1);
  pacer.issued(1);
  const auto later = kStart + static_cast<std::uint64_t>(kHz / 10);  // 100'000 requests
  CHECK(pacer.due(later) == 512);
  CHECK(pacer.given_up() == 100'000 - 512);
  CHECK(pacer.due(later) == 512);
  CHECK(pacer.due_time(511) <= later);
  CHECK(pacer.due_time(511) > later - 3000);
  pacer.issued(512);
  CHECK(pacer.due(later) == 0);
}

TEST_CASE("what is not issued stays due") {
  Pacer pacer{kStart, 1e6, kHz, 512};
  CHECK(pacer.due(kStart + 26'000) == 11);
  pacer.issued(4);
  CHECK(pacer.due(kStart + 26'000) == 7);
  CHECK(pacer.due_time(0) == kStart + 4 * 2600);
}

}  // namespace wiretime::load
