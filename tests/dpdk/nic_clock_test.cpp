// SPDX-License-Identifier: BSD-3-Clause
// A NIC's clock behind ethdev's calls: fakes for what only hardware answers, a port of rings for what DPDK
// says of a device without a clock.
#include "dpdk/nic_clock.hpp"

#include <cerrno>

#include "catch.hpp"
#include "clock/nic_timekeeper.hpp"
#include "dpdk/port_clock.hpp"
#include "ring_port.hpp"
#include "tests/support/simulated_nic.hpp"

using namespace wiretime;
using namespace wiretime::dpdk;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

constexpr std::uint64_t kStart = 1'800'000'000'000'000'000;

// A NIC as its driver shows it.
struct Driver {
  explicit Driver(bool timesync, bool adjusts, double frequency = 20e-6) : nic{config(frequency), cpu} {
    calls.ticks = [this] {
      cpu.now += 20e-9;
      return cpu.ticks();
    };
    calls.enable = [this, timesync] { return ++enabled, timesync ? 0 : -ENOTSUP; };
    calls.read_time = [this](timespec& t) {
      const std::uint64_t v = shown();
      t = {static_cast<time_t>(v / 1'000'000'000), static_cast<long>(v % 1'000'000'000)};
      return gone ? -ENODEV : 0;
    };
    calls.read_clock = [this](std::uint64_t& v) { return v = shown(), gone || !counter ? -ENOTSUP : 0; };
    calls.adjust_time = [this](std::int64_t ns) { return (void)nic.step(Nanoseconds{ns}), 0; };
    calls.adjust_frequency = [this, adjusts](std::int64_t ppm) {
      if (!adjusts) return -ENOTSUP;
      (void)nic.set_frequency(static_cast<double>(ppm) / 65536e6);
      return 0;
    };
  }
  static wiretime::test::NicConfig config(double frequency) {
    wiretime::test::NicConfig c;
    c.start = kStart + 1'000'000;
    c.frequency = frequency;
    c.max_adjustment = 1e-3;
    return c;
  }
  std::uint64_t shown() {
    cpu.now += 300e-9;
    const std::uint64_t v = nic.value();
    cpu.now += 300e-9;
    return v;
  }

  wiretime::test::Cpu cpu;
  wiretime::test::SimulatedNic nic;
  NicClockCalls calls;
  int enabled = 0;
  bool gone = false;
  bool counter = true;
};

}  // namespace

TEST_CASE("a driver's timesync clock is preferred, its counter the next best, and none is an error") {
  Driver both{true, true};
  auto clock = EthdevClock::open(both.calls);
  REQUIRE(clock);
  CHECK((*clock)->method() == "timesync");
  CHECK((*clock)->max_adjustment() == Approx(500e-6));
  CHECK(both.enabled == 1);

  Driver fixed{true, false};  // DPDK before 24.11
  clock = EthdevClock::open(fixed.calls);
  REQUIRE(clock);
  CHECK((*clock)->max_adjustment() == 0);

  Driver counter{false, true};
  clock = EthdevClock::open(counter.calls);
  REQUIRE(clock);
  CHECK((*clock)->method() == "counter");
  CHECK((*clock)->max_adjustment() == 0);
  CHECK((*clock)->read().has_value());

  Driver none{false, false};
  none.counter = false;
  CHECK_THAT(EthdevClock::open(none.calls).error().message, Contains("no clock"));
}

TEST_CASE("a clock behind DPDK is mapped, and kept on time where the driver can adjust it") {
  Driver driver{true, true};
  auto clock = EthdevClock::open(driver.calls);
  REQUIRE(clock);
  clock::NicTimekeeper keeper{std::move(*clock), clock::NicRole::utc, driver.cpu.hertz};
  for (int i = 0; i < 600; ++i) {
    driver.cpu.now = 0.1 * i;
    const double start = driver.cpu.now;
    clock::NicTimekeeper::Moment m;
    m.now = driver.cpu.ticks();
    m.wall =
        WallTime{Nanoseconds{static_cast<std::int64_t>(kStart)} + Nanoseconds{std::llround(start * 1e9)}};
    m.time.anchor_ticks = m.now;
    m.time.anchor_time = NtpTimestamp::from(m.wall);
    m.time.rate =
        static_cast<std::uint64_t>(std::ldexp(1 / driver.cpu.hertz, 32 + clock::TimeSnapshot::kRateShift));
    m.time.reference.leap = clock::Leap::none;
    keeper.refresh(m);
  }
  CHECK(keeper.status().locked);
  CHECK(keeper.status().steps == 1);
  CHECK(driver.nic.steps == 1);
  CHECK(std::fabs(driver.nic.error(kStart)) < 100e-9);
  driver.gone = true;
  driver.cpu.now += 10;
  keeper.refresh({driver.cpu.ticks(), {}, {}, 0});
  CHECK_FALSE(keeper.status().ready);
  CHECK_THAT(keeper.take_error(), Contains("cannot read the clock: No such device"));
}

TEST_CASE("a device of DPDK without a clock has none, and cannot be asked to keep one") {
  dpdk::test::RingPort port{"noclock"};
  CHECK_THAT(EthdevClock::open(ethdev_calls(port.id())).error().message, Contains("no clock"));
  server::DataplaneConfig config;
  config.kind = server::DataplaneConfig::Kind::pci;
  config.device = "0000:3b:00.0";
  auto log = os::Log::to_stderr(os::LogLevel::error);
  PortClock free{config, {}};
  CHECK(free.start(port.id(), log));
  free.refresh({}, 10000);
  CHECK_FALSE(free.status());
  clock::NicSnapshot snapshot;
  REQUIRE(free.snapshot().try_load(snapshot));
  CHECK(snapshot.rate == 0);
  config.phc = clock::NicRole::utc;
  PortClock ours{config, {}};
  const auto started = ours.start(port.id(), log);
  REQUIRE_FALSE(started);
  CHECK_THAT(started.error().message,
             Contains("0000:3b:00.0") && Contains("phc utc") && Contains("no clock"));
}
