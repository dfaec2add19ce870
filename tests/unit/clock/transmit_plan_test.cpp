// SPDX-License-Identifier: BSD-3-Clause
#include "clock/transmit_plan.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;

namespace {

constexpr double kHertz = 2.6e9;

TransmitPlan plan_of(TransmitRung rung) {
  TransmitPlan p;
  p.rung = rung;
  p.wire_rate = static_cast<std::uint32_t>(kHertz * 8 / 10e9 * 65536);  // 10 Gbit/s
  p.latency = 2600;                                                     // 1 us
  p.per_frame = 26 << 16;                                               // 10 ns
  p.reach = 2100;
  p.plain_latency = 7;
  p.lead = 26'000;
  p.longest_backlog = 2'600'000;
  p.expires = {std::uint64_t{1} << 60};
  return p;
}

}  // namespace

TEST_CASE("a burst leaves at the write, when it has been predicted to, or when it is launched") {
  const Ticks now{1'000'000'000};
  const auto first = [&](TransmitRung rung, unsigned frames) {
    return plan_of(rung).depart(now, frames, {}).first.value - now.value;
  };
  CHECK(first(TransmitRung::plain, 32) == 7);
  CHECK(first(TransmitRung::predicted, 1) == 2626);
  CHECK(first(TransmitRung::predicted, 32) == 2600 + 32 * 26);
  CHECK(first(TransmitRung::launch, 32) == 26'000);
  CHECK(plan_of(TransmitRung::plain).depart(now, 1, {}).wire_rate == 0);
  CHECK(plan_of(TransmitRung::predicted).depart(now, 1, {}).wire_rate != 0);
}

TEST_CASE("a burst waits for the one before it, unless that is incredible") {
  const Ticks now{1'000'000'000};
  for (const auto rung : {TransmitRung::launch, TransmitRung::predicted}) {
    const TransmitPlan p = plan_of(rung);
    const Ticks alone = p.depart(now, 1, {}).first;
    CHECK_FALSE(p.depart(now, 1, alone).follows);
    for (const std::uint64_t busy : {std::uint64_t{1}, std::uint64_t{5000}, p.longest_backlog}) {
      const Departure d = p.depart(now, 1, {alone.value + busy});
      CHECK(d.follows);
      CHECK(d.first.value == alone.value + busy);
    }
    const Departure d = p.depart(now, 1, {alone.value + p.longest_backlog + 1});
    CHECK_FALSE(d.follows);
    CHECK(d.first == alone);
  }
  // On the plain rung the reply says when it was written all the same.
  const Departure d = plan_of(TransmitRung::plain).depart(now, 1, {now.value + 100'000});
  CHECK(d.follows);
  CHECK(d.first.value == now.value + 7);
}

TEST_CASE("bursts on one queue never overlap, however they come") {
  std::mt19937_64 random{20261123};
  for (const auto rung : {TransmitRung::launch, TransmitRung::predicted}) {
    const TransmitPlan p = plan_of(rung);
    Ticks now{1}, free{};
    for (int i = 0; i < 20'000; ++i) {
      now.value += random() % 30'000;
      const auto frames = static_cast<unsigned>(random() % 32 + 1);
      const Departure d = p.depart(now, frames, free);
      REQUIRE(d.first >= free);
      REQUIRE(d.first > now);
      const std::uint64_t busy = p.wire_ticks(frames * wire_bytes(90));
      now.value += random() % 10'000;
      const Ticks next = p.free_after(d, now, busy);
      if (d.follows) REQUIRE(next >= Ticks{free.value + busy});
      free = next;
    }
  }
}

TEST_CASE("a burst that was held up between its prediction and the doorbell holds up those behind it") {
  const TransmitPlan p = plan_of(TransmitRung::predicted);
  const Ticks now{1'000'000'000};
  const Departure alone = p.depart(now, 10, {});
  CHECK(p.free_after(alone, {now.value + 400}, 2000).value == now.value + 400 + 2100 + 2000);
  CHECK(p.free_after(alone, {now.value + 50'400}, 2000).value == now.value + 50'400 + 2100 + 2000);
  // Behind others it has time.
  const Departure behind = p.depart(now, 10, {now.value + 10'000});
  CHECK(p.free_after(behind, {now.value + 400}, 2000).value == now.value + 10'000 + 2000);
  CHECK(p.free_after(behind, {now.value + 50'400}, 2000).value == now.value + 50'400 + 2100 + 2000);
  // Launches wait for their time, by the NIC's clock.
  TransmitPlan launching = plan_of(TransmitRung::launch);
  launching.launch_compensation = 100;
  const Departure launch = launching.depart(now, 10, {});
  CHECK(launching.free_after(launch, {now.value + 400}, 2000).value == now.value + 26'000 + 2000);
}

TEST_CASE("nothing is launched by a clock that is not known any more") {
  TransmitPlan p = plan_of(TransmitRung::launch);
  p.expires = {500};
  CHECK(p.depart({499}, 1, {}).rung == TransmitRung::launch);
  const Departure d = p.depart({500}, 1, {});
  CHECK(d.rung == TransmitRung::plain);
  CHECK(d.first.value == 507);
}

TEST_CASE("a launch time is what the NIC's clock will show") {
  TransmitPlan p = plan_of(TransmitRung::launch);
  p.anchor_nic = 1'800'000'000'000'000'000;
  p.anchor_ticks = {5'000'000'000};
  const double rate = 1e9 / kHertz * (1 + 50e-6);
  p.nic_rate = static_cast<std::uint64_t>(std::ldexp(rate, TransmitPlan::kRateShift));
  for (const std::int64_t ticks :
       {std::int64_t{-260'000'000}, std::int64_t{0}, std::int64_t{1'234'567'890}}) {
    const Ticks at{p.anchor_ticks.value + static_cast<std::uint64_t>(ticks)};
    const auto shown = static_cast<std::int64_t>(p.nic_at(at) - p.anchor_nic);
    CHECK(std::fabs(static_cast<double>(shown) - static_cast<double>(ticks) * rate) <= 1);
  }
}

TEST_CASE("a frame keeps the wire busy for more than its bytes, a short one for that of the shortest") {
  CHECK(wire_bytes(90) == 114);
  CHECK(wire_bytes(42) == 84);
}
