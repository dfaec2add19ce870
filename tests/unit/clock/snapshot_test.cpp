// SPDX-License-Identifier: BSD-3-Clause
#include "clock/snapshot.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

TimeSnapshot at_gigahertz(WallTime anchor) {
  TimeSnapshot s;
  s.anchor_ticks = {1'000'000};
  s.anchor_time = NtpTimestamp::from(anchor);
  s.rate = static_cast<std::uint64_t>((static_cast<unsigned __int128>(1) << (32 + TimeSnapshot::kRateShift)) /
                                      1'000'000'000U);
  s.valid = true;
  return s;
}

}  // namespace

TEST_CASE("a snapshot extrapolates forwards and backwards") {
  const WallTime anchor{1'800'000'000s};
  const auto s = at_gigahertz(anchor);
  CHECK(s.time_at({1'000'000}) == NtpTimestamp::from(anchor));
  CHECK(std::chrono::abs(s.time_at({1'000'000 + 250'000'000}).near(anchor) - anchor - 250ms) <= 1ns);
  CHECK(std::chrono::abs(s.time_at({0}).near(anchor) - anchor + 1ms) <= 1ns);
  CHECK(std::chrono::abs(s.time_at({1'000'000 + 86'400'000'000'000}).near(anchor) - anchor - 24h) <= 400us);
}

TEST_CASE("root dispersion grows with age and saturates") {
  auto s = at_gigahertz(WallTime{1'800'000'000s});
  s.reference.root_dispersion = NtpShort::from(10ms);
  s.dispersion_growth_ppb = 1'000'000;  // 1000 ppm
  const auto after = [&](Nanoseconds d) {
    return s.root_dispersion_at(s.anchor_time + NtpDuration::from(d)).seconds();
  };
  CHECK(after(0ns) == Approx(0.010).margin(1e-4));
  CHECK(after(-5s) == Approx(0.010).margin(1e-4));
  CHECK(after(100s) == Approx(0.110).margin(1e-4));
  s.reference.root_dispersion = {0xFFFF'FFF0U};
  CHECK(s.root_dispersion_at(s.anchor_time + NtpDuration::from(100s)).value == 0xFFFF'FFFFU);
}
