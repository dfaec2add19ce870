// SPDX-License-Identifier: BSD-3-Clause
#include "clock/served_reference.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

const WallTime kNow{1'800'000'000s};

ClockState synchronised(Nanoseconds dispersion) {
  return {true, Leap::none, 3, 0xC0000201U, 20ms, dispersion, kNow - 10s};
}

LocalConfig local_config() {
  LocalConfig c;
  c.enabled = true;
  return c;
}

}  // namespace

TEST_CASE("with neither clock nor local reference clients see an unsynchronised server") {
  ReferenceSelector selector{LocalConfig{}};
  const auto served = selector.select({}, 10s, kNow);
  CHECK(served.as == ServedAs::unsynchronised);
  CHECK(served.reference.leap == Leap::unsynchronised);
  CHECK(served.reference.stratum == 0);
  CHECK(served.reference.refid == 0);
  CHECK(served.reference.root_delay.seconds() == 1.0);
  CHECK(served.reference.root_dispersion.seconds() == 1.0);
}

TEST_CASE("a synchronised clock is served as it is") {
  ReferenceSelector selector{LocalConfig{}};
  const auto served = selector.select(synchronised(5ms), 10s, kNow);
  CHECK(served.as == ServedAs::synchronised);
  CHECK(served.reference.stratum == 3);
  CHECK(served.reference.refid == 0xC0000201U);
  CHECK(served.reference.root_delay.seconds() == Approx(0.02).margin(1e-4));
}

TEST_CASE("the local reference steps in when the clock is not synchronised") {
  ReferenceSelector selector{local_config()};
  const auto served = selector.select({}, 0s, kNow);
  CHECK(served.as == ServedAs::local);
  CHECK(served.reference.leap == Leap::none);
  CHECK(served.reference.stratum == 10);
  CHECK(served.reference.refid == kLocalRefid);
  CHECK(served.reference.root_delay.value == 0);
  CHECK(served.reference.root_dispersion.value == 0);
  CHECK(served.reference.reference_time == NtpTimestamp::from(kNow - 1s));
}

TEST_CASE("the local reference time is renewed about once a minute, and after a step back") {
  ReferenceSelector selector{local_config()};
  const auto first = selector.select({}, 0s, kNow).reference.reference_time;
  CHECK(selector.select({}, 60s, kNow + 60s).reference.reference_time == first);
  CHECK(selector.select({}, 66s, kNow + 66s).reference.reference_time == NtpTimestamp::from(kNow + 65s));
  CHECK(selector.select({}, 67s, kNow - 3600s).reference.reference_time == NtpTimestamp::from(kNow - 3601s));
}

TEST_CASE("a root distance above `distance` brings the local reference") {
  auto config = local_config();
  config.distance = 0.1s;
  ReferenceSelector selector{config};
  CHECK(selector.select(synchronised(80ms), 1s, kNow).as == ServedAs::synchronised);  // 80 + 20/2 ms
  CHECK(selector.select(synchronised(95ms), 2s, kNow).as == ServedAs::local);
}

TEST_CASE("`activate` keeps the local reference away until the clock was once close") {
  auto config = local_config();
  config.activate = 0.05s;
  ReferenceSelector selector{config};
  CHECK(selector.select({}, 1s, kNow).as == ServedAs::unsynchronised);
  CHECK(selector.select(synchronised(500ms), 2s, kNow).as == ServedAs::synchronised);
  CHECK(selector.select({}, 3s, kNow).as == ServedAs::unsynchronised);
  CHECK(selector.select(synchronised(1ms), 4s, kNow).as == ServedAs::synchronised);
  CHECK(selector.select({}, 5s, kNow).as == ServedAs::local);
}

TEST_CASE("`waitunsynced` counts from the start, `waitsynced` from the last synchronisation") {
  auto config = local_config();
  config.wait_unsynced = 300s;
  config.wait_synced = 60s;
  ReferenceSelector selector{config};
  CHECK(selector.select({}, 299s, kNow).as == ServedAs::unsynchronised);
  CHECK(selector.select({}, 300s, kNow).as == ServedAs::local);
  CHECK(selector.select(synchronised(1ms), 310s, kNow).as == ServedAs::synchronised);
  CHECK(selector.select({}, 369s, kNow).as == ServedAs::unsynchronised);
  CHECK(selector.select({}, 370s, kNow).as == ServedAs::local);
}
