// SPDX-License-Identifier: BSD-3-Clause
// The short way from a NIC's stamp to NTP time against the long one.
#include "clock/arrival_map.hpp"

#include <random>

#include "catch.hpp"

using namespace wiretime;
using clock::ArrivalMap;
using clock::NicSnapshot;
using clock::StampVerdict;
using clock::TimeSnapshot;

namespace {

constexpr std::int64_t kUnitsPerTick = 5;         // at most: a counter of 1 GHz
constexpr double kShift = 281'474'976'710'656.0;  // 2^48

struct World {
  NicSnapshot nic;
  TimeSnapshot time;
  Ticks seen{};
  double nic_hz = 1e9;
  double tsc_hz = 2.6e9;
};

World world(std::mt19937_64& random) {
  World w;
  const std::array<double, 4> kNicHz{1e9, 1e9 * 1.00005, 125e6, 2.5e9};
  w.nic_hz = kNicHz[random() % kNicHz.size()];
  w.tsc_hz = 1e9 + static_cast<double>(random() % 4'000'000'000U);
  w.nic.anchor_nic = random();
  w.nic.anchor_ticks = {random()};
  w.nic.rate = static_cast<std::uint64_t>(w.tsc_hz / w.nic_hz * kShift);
  w.nic.oldest = static_cast<std::uint64_t>(w.tsc_hz * 0.05);
  w.nic.newest = static_cast<std::uint64_t>(w.tsc_hz * 1e-4);
  w.nic.wire_rate = random() % 3 == 0 ? 0 : static_cast<std::uint32_t>(w.tsc_hz * 8e-9 * 65536);
  w.nic.shift = static_cast<std::int64_t>(random() % (1U << 30)) - (1 << 29);
  w.time.rate = static_cast<std::uint64_t>(4'294'967'296.0 / w.tsc_hz * kShift);
  w.time.anchor_ticks = {w.nic.anchor_ticks.value - random() % 100'000'000};
  w.time.anchor_time = {random()};
  w.seen = {w.nic.anchor_ticks.value + random() % 400'000'000};
  w.nic.expires = {w.seen.value + 1};
  return w;
}

ArrivalMap map_of(const World& w) {
  return {clock::ArrivalScale{w.nic, w.time.rate}, w.nic, w.time, w.seen};
}

std::int64_t apart(NtpTimestamp a, NtpTimestamp b) {
  return std::abs((a - b).units);
}

}  // namespace

TEST_CASE("stamps that are good are told as the judge of all stamps tells them") {
  std::mt19937_64 random{41};
  std::size_t told = 0;
  for (int i = 0; i < 200'000; ++i) {
    const World w = world(random);
    const ArrivalMap map = map_of(w);
    REQUIRE(map.usable());
    CHECK(map.now() == w.time.time_at(w.seen));
    // From 60 ms before to 0.2 ms after, and a few that are far off.
    const double since =
        static_cast<double>(static_cast<std::int64_t>(w.seen.value - w.nic.anchor_ticks.value)) / w.tsc_hz;
    const double at = since - 0.06 + static_cast<double>(random() % 60'200) * 1e-6;
    std::uint64_t stamp =
        w.nic.anchor_nic + static_cast<std::uint64_t>(static_cast<std::int64_t>(at * w.nic_hz));
    if (random() % 20 == 0) stamp = random();
    if (random() % 20 == 0) stamp += std::uint64_t{1} << 32;
    const std::uint64_t before = random() % 10 == 0 ? stamp : random();
    const auto length = static_cast<std::uint32_t>(64 + random() % 1500);
    const auto judged = w.nic.arrival_of(stamp, w.seen, length, before);
    // Within a few of the NIC's ticks of either end of what is credible it is the judge's to say.
    const auto age = static_cast<std::int64_t>(w.seen.value - w.nic.ticks_at(stamp).value);
    const double few = 6 * w.tsc_hz / w.nic_hz;
    const bool at_an_end =
        std::abs(static_cast<double>(age - static_cast<std::int64_t>(w.nic.oldest))) < few ||
        std::abs(static_cast<double>(age + static_cast<std::int64_t>(w.nic.newest))) < few;
    NtpTimestamp arrival{7};
    if (map.tell(stamp, length, before, arrival)) {
      ++told;
      REQUIRE(judged.verdict == StampVerdict::good);
      // The long way rounds to ticks twice.
      REQUIRE(apart(arrival, w.time.time_at(judged.ticks)) <= 3 + 2 * kUnitsPerTick);
      REQUIRE((arrival - map.now()).units <= 0);
    } else {
      REQUIRE(arrival.value == 7);
      REQUIRE((at_an_end || judged.verdict != StampVerdict::good));
    }
  }
  CHECK(told > 100'000);
}

TEST_CASE("a map that does not hold, or is not to be used, tells nothing") {
  std::mt19937_64 random{42};
  const World good = world(random);
  REQUIRE(map_of(good).usable());
  World w = good;
  w.nic.rate = 0;
  CHECK_FALSE(map_of(w).usable());
  w = good;
  w.nic.expires = w.seen;
  CHECK_FALSE(map_of(w).usable());
  w = good;
  w.nic.probation = true;
  CHECK_FALSE(map_of(w).usable());
  w = good;
  w.nic.wraps_at_32 = true;
  CHECK_FALSE(map_of(w).usable());
}
