// SPDX-License-Identifier: BSD-3-Clause
#include "clock/nic_map.hpp"

#include <cmath>

#include "catch.hpp"
#include "tests/support/simulated_nic.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;
using test::Cpu;
using test::NicConfig;
using test::SimulatedNic;

namespace {

constexpr double kInterval = 0.1;  // s: the map is refreshed at 10 Hz

struct Bench {
  explicit Bench(const NicConfig& config = {}) : nic{config, cpu}, map{cpu.hertz, config.bits} {}

  NicEvent refresh() {
    cpu.now = next += kInterval;
    const auto readings = nic.read();
    return readings ? map.add(*readings) : map.missed();
  }
  void refresh(int times) {
    for (int i = 0; i < times; ++i) (void)refresh();
  }
  [[nodiscard]] bool ready() const { return map.ready(cpu.ticks()); }

  struct Stamp {
    NicSnapshot::Arrival arrival;
    double error = 0;  // s
    double bound = 0;  // s, what the map says of it
  };
  // A frame that comes now and is looked at 20 us later.
  Stamp stamp() {
    const NicSnapshot s = map.snapshot();
    const double at = cpu.now;
    const std::uint64_t nic_time = nic.value();
    cpu.now += 20e-6;
    const auto arrival = s.arrival_of(nic_time, cpu.ticks());
    const double age = at - cpu.seconds_at(s.anchor_ticks);
    return {arrival, cpu.seconds_at(arrival.ticks) - at,
            s.error_bound_ns * 1e-9 + s.error_growth_ppb * 1e-9 * age};
  }
  std::uint64_t counted(NicEvent event) const { return map.counts()[static_cast<std::size_t>(event)]; }

  Cpu cpu;
  double next = 0;
  SimulatedNic nic;
  NicMap map;
};

struct Errors {
  double sum = 0, most = 0;
  int count = 0, beyond_bound = 0;

  void add(const Bench::Stamp& s) {
    REQUIRE(s.arrival.verdict == StampVerdict::good);
    sum += std::fabs(s.error);
    most = std::max(most, std::fabs(s.error));
    ++count;
    if (std::fabs(s.error) > s.bound) ++beyond_bound;
  }
  [[nodiscard]] double mean() const { return sum / count; }
};

// Stamps all over the time between two refreshes.
Errors measure(Bench& bench, int refreshes, int stamps = 10) {
  Errors errors;
  for (int i = 0; i < refreshes; ++i) {
    bench.refresh();
    for (int k = 0; k < stamps; ++k) {
      bench.cpu.now = bench.next + kInterval * (k + 0.5) / stamps;
      errors.add(bench.stamp());
    }
  }
  return errors;
}

}  // namespace

TEST_CASE(
    "receive stamps of a NIC clock that drifts by 50 ppm are right to 10 ns on average and 100 ns always") {
  for (const double frequency : {50e-6, -50e-6}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      NicConfig config;
      config.frequency = frequency;
      config.seed = seed;
      Bench bench{config};
      bench.refresh(30);
      const Errors e = measure(bench, 600);
      INFO("seed " << seed << " mean " << e.mean() * 1e9 << " ns, max " << e.most * 1e9 << " ns");
      CHECK(e.mean() < 10e-9);
      CHECK(e.most < 100e-9);
      CHECK(e.beyond_bound == 0);
    }
  }
}

TEST_CASE("a NIC clock whose frequency changes with the temperature is followed") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    NicConfig config;
    config.swing = 2e-6;
    config.swing_period = 300;
    config.wander = 5e-9;
    config.seed = seed;
    Bench bench{config};
    bench.refresh(30);
    const Errors e = measure(bench, 3000, 3);
    INFO("seed " << seed << " mean " << e.mean() * 1e9 << " ns, max " << e.most * 1e9 << " ns");
    CHECK(e.mean() < 15e-9);
    CHECK(e.most < 150e-9);
    CHECK(e.beyond_bound == 0);
  }
}

TEST_CASE("a NIC counter of any rate is learned, and one of 32 bits followed round and round") {
  for (const double nominal : {1e9, 78.125e6, 156.25e6, 1.25e9}) {
    for (const unsigned bits : {64U, 32U}) {
      NicConfig config;
      config.nominal = nominal;
      config.bits = bits;
      config.start = 0xFFFF'0000U;  // just before a wrap
      Bench bench{config};
      bench.refresh(30);
      const Errors e = measure(bench, 300, 4);
      INFO(nominal << " Hz, " << bits << " bits: mean " << e.mean() * 1e9 << ", max " << e.most * 1e9);
      CHECK(e.mean() < 10e-9 + 0.5 / nominal);
      CHECK(e.most < 100e-9 + 1 / nominal);
      CHECK(bench.map.nic_ticks_per_second() == Approx(nominal * (1 + 50e-6)).epsilon(1e-6));
      CHECK(bench.counted(NicEvent::restarted) == 0);
    }
  }
}

TEST_CASE("the map is ready after eight readings and no longer when none came for two seconds") {
  Bench bench;
  for (int i = 1; i <= 8; ++i) {
    bench.refresh();
    CHECK(bench.ready() == (i == 8));
  }
  bench.nic.gone = true;
  for (int i = 0; i < 19; ++i) CHECK(bench.refresh() == NicEvent::missed);
  CHECK(bench.ready());
  CHECK(bench.stamp().arrival.verdict == StampVerdict::good);
  bench.refresh(3);
  CHECK_FALSE(bench.ready());
  CHECK(bench.stamp().arrival.verdict == StampVerdict::no_clock);
  bench.nic.gone = false;
  CHECK(bench.refresh() == NicEvent::taken);  // it went on while it could not be read
  CHECK(bench.stamp().arrival.verdict == StampVerdict::good);
  CHECK(bench.counted(NicEvent::missed) == 22);
}

TEST_CASE(
    "a clock that shows zero or stands still is in doubt at once, and trusted again as soon as it runs on") {
  Bench bench;
  bench.refresh(40);
  bench.nic.zero = true;
  CHECK(bench.refresh() == NicEvent::zero);
  CHECK_FALSE(bench.ready());
  bench.nic.zero = false;
  CHECK(bench.refresh() == NicEvent::taken);
  CHECK(bench.ready());
  bench.nic.frozen = true;
  for (int i = 0; i < 3; ++i) CHECK(bench.refresh() == NicEvent::frozen);
  CHECK(bench.stamp().arrival.verdict == StampVerdict::no_clock);
  bench.nic.frozen = false;
  CHECK(bench.refresh() == NicEvent::taken);
  CHECK(std::fabs(bench.stamp().error) < 100e-9);
}

TEST_CASE("a reading that is 2^32 off is repaired, one that is off by anything else left out") {
  Bench bench;
  bench.refresh(40);
  for (const std::uint64_t by : {std::uint64_t{1} << 32, 0 - (std::uint64_t{1} << 32)}) {
    bench.nic.glitch = by;
    CHECK(bench.refresh() == NicEvent::repaired);
    CHECK(bench.ready());
    CHECK(std::fabs(bench.stamp().error) < 100e-9);
  }
  for (const std::uint64_t by : {std::uint64_t{100'000'000}, 0 - std::uint64_t{1'000'000}}) {
    bench.nic.glitch = by;
    CHECK(bench.refresh() == NicEvent::jumped);
    CHECK_FALSE(bench.ready());
    CHECK(bench.refresh() == NicEvent::taken);
    CHECK(bench.ready());
    CHECK(std::fabs(bench.stamp().error) < 100e-9);
  }
  CHECK(bench.counted(NicEvent::restarted) == 0);
}

TEST_CASE("a clock that somebody set is noticed at the next reading and mapped anew within a second") {
  for (const double by : {-1.8e9, -40.0, -1e-3, 1e-3, 37.0, 1e6}) {
    Bench bench;
    bench.refresh(40);
    bench.nic.set(by);
    CHECK(bench.refresh() == NicEvent::jumped);
    CHECK(bench.stamp().arrival.verdict == StampVerdict::no_clock);
    CHECK(bench.refresh() == NicEvent::restarted);
    bench.refresh(6);
    CHECK(bench.ready());
    CHECK(std::fabs(bench.stamp().error) < 200e-9);
    bench.refresh(20);
    CHECK(std::fabs(bench.stamp().error) < 100e-9);
    CHECK(bench.counted(NicEvent::restarted) == 1);
  }
}

// As Linux's virtual PTP clocks do when nobody has had the time to read them for 4.3 s.
TEST_CASE("a clock that stays 2^32 ns off was set, and is mapped as such after a second") {
  for (const double by : {-4.294967296, 4.294967296}) {
    Bench bench;
    bench.refresh(40);
    bench.nic.set(by);
    for (int i = 0; i < 10; ++i) CHECK(bench.refresh() == NicEvent::repaired);
    CHECK(std::fabs(bench.stamp().error) < 100e-9);
    CHECK(bench.refresh() == NicEvent::jumped);
    CHECK(bench.refresh() == NicEvent::restarted);
    bench.refresh(8);
    CHECK(bench.ready());
    CHECK(std::fabs(bench.stamp().error) < 200e-9);
    CHECK(bench.stamp().arrival.verdict == StampVerdict::good);
    CHECK(bench.counted(NicEvent::repaired) == 10);
  }
}

TEST_CASE("stamps are believed when they are of the recent past, 2^32 off put right, others refused") {
  Bench bench;
  bench.refresh(40);
  const NicSnapshot s = bench.map.snapshot();
  const std::uint64_t now = bench.nic.value();
  const Ticks seen = bench.cpu.ticks();
  const auto verdict = [&](std::uint64_t stamp) { return s.arrival_of(stamp, seen).verdict; };
  constexpr std::uint64_t kMs = 1'000'000;
  constexpr std::uint64_t kTwo32 = std::uint64_t{1} << 32;
  CHECK(verdict(now) == StampVerdict::good);
  CHECK(verdict(now - 49 * kMs) == StampVerdict::good);
  CHECK(verdict(now - 51 * kMs) == StampVerdict::too_old);
  CHECK(verdict(now + 90'000) == StampVerdict::good);
  CHECK(verdict(now + 110'000) == StampVerdict::in_future);
  CHECK(verdict(0) == StampVerdict::zero);
  CHECK(verdict(~std::uint64_t{0}) != StampVerdict::good);
  CHECK(verdict(now + kTwo32) == StampVerdict::repaired);
  CHECK(verdict(now - kTwo32) == StampVerdict::repaired);
  CHECK(verdict(now - kTwo32 - 10 * kMs) == StampVerdict::repaired);
  CHECK(verdict(now - 2 * kTwo32) == StampVerdict::too_old);
  CHECK(verdict(now + 2 * kTwo32) == StampVerdict::in_future);
  // Never later than it was seen.
  CHECK(s.arrival_of(now + 90'000, seen).ticks == seen);
  CHECK(s.arrival_of(now + kTwo32 + 90'000, seen).ticks == seen);
  CHECK(s.arrival_of(now - 10'000, seen).ticks < seen);
  CHECK(NicSnapshot{}.arrival_of(now, seen).verdict == StampVerdict::no_clock);
}

TEST_CASE("no stamp whatever is taken for a time outside the window, or after it was seen") {
  std::mt19937_64 random{11};
  for (const unsigned bits : {64U, 32U}) {
    NicConfig config;
    config.bits = bits;
    Bench bench{config};
    bench.refresh(40);
    const NicSnapshot s = bench.map.snapshot();
    const Ticks seen = bench.cpu.ticks();
    for (int i = 0; i < 100'000; ++i) {
      std::uint64_t stamp = random() >> (random() % 64);
      if (i % 2 == 0) stamp += bench.nic.value();
      if (bits == 32) stamp &= 0xFFFF'FFFFU;
      const auto a = s.arrival_of(stamp, seen);
      if (!a.usable()) continue;
      CHECK(a.ticks <= seen);
      CHECK(seen.value - a.ticks.value <= s.oldest);
    }
  }
}

TEST_CASE("the map of a clock that we steer ourselves goes on without a gap") {
  NicConfig config;
  Bench bench{config};
  bench.refresh(40);
  double correction = 0;
  for (int i = 0; i < 50; ++i) {
    const double change = i == 0 ? -50e-6 : (i % 2 == 0 ? 200e-9 : -200e-9);
    correction += change;
    REQUIRE(bench.nic.set_frequency(correction));
    bench.map.steered(bench.cpu.ticks(), change);
    CHECK(bench.ready());
    CHECK(std::fabs(bench.stamp().error) < 60e-9);
    const Errors e = measure(bench, 10);
    CHECK(e.most < 100e-9);
  }
  CHECK(bench.counted(NicEvent::taken) == 540);
}

TEST_CASE("readings out of order are nonsense") {
  Bench bench;
  bench.refresh(20);
  const NicReading backwards[] = {{bench.nic.value(), {100}, {50}}};
  CHECK(bench.map.add(backwards) == NicEvent::nonsense);
  CHECK(bench.map.add({}) == NicEvent::nonsense);
  const NicReading earlier[] = {{bench.nic.value(), {100}, {150}}};
  CHECK(bench.map.add(earlier) == NicEvent::nonsense);
  CHECK_FALSE(bench.ready());
  CHECK(bench.refresh() == NicEvent::taken);
  CHECK(bench.ready());
}

TEST_CASE("rxcomp moves a receive stamp, never to after it was seen, and leaves the map as it is") {
  Bench bench;
  bench.refresh(40);
  NicSnapshot s = bench.map.snapshot();
  const std::uint64_t stamp = bench.nic.value() - 1'000'000;
  const Ticks seen = bench.cpu.ticks();
  const Ticks plain = s.arrival_of(stamp, seen, 94).ticks;
  s.shift = -260 * 65536;
  CHECK(s.arrival_of(stamp, seen, 94).ticks.value == plain.value - 260);
  CHECK(s.ticks_at(stamp) == bench.map.snapshot().ticks_at(stamp));
  s.wire_rate = 20 * 65536;
  CHECK(s.arrival_of(stamp, seen, 94).ticks.value == plain.value - 260 + 94 * 20);
  s.shift = 65536LL * 10'000'000;
  CHECK(s.arrival_of(stamp, seen).ticks == seen);
}
