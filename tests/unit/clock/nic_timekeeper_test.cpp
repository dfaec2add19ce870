// SPDX-License-Identifier: BSD-3-Clause
// The discipline of NIC clocks, from readings to the workers' snapshot: a CPU whose counter is true time, a
// system clock that is read against it with some noise, and simulated NICs.
#include "clock/nic_timekeeper.hpp"

#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "catch.hpp"
#include "clock/tick_map.hpp"
#include "tests/support/simulated_nic.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;
using test::Cpu;
using test::NicConfig;
using test::SimulatedNic;

namespace {

constexpr std::uint64_t kStart = 1'800'000'000'000'000'000;
constexpr int kTai = 37;  // s

NicConfig config_of(double offset, double frequency, std::uint64_t seed) {
  NicConfig c;
  c.start = kStart + static_cast<std::uint64_t>(std::llround(offset * 1e9));
  c.frequency = frequency;
  c.seed = seed;
  c.max_adjustment = 500e-6;
  return c;
}

struct World {
  void add(const NicConfig& config, NicRole role) {
    auto nic = std::make_unique<SimulatedNic>(config, cpu);
    nics.push_back(nic.get());
    keepers.push_back(std::make_unique<NicTimekeeper>(std::move(nic), role, cpu.hertz));
  }
  [[nodiscard]] WallTime wall() const {
    return WallTime{Nanoseconds{static_cast<std::int64_t>(kStart)}} +
           Nanoseconds{std::llround((cpu.now * (1 + time_rate) + time_offset) * 1e9)};
  }
  void publish_time() {
    CrossReading r;
    r.before = cpu.ticks();
    cpu.now += 10e-9 + jitter(random);
    r.time = wall();
    cpu.now += 10e-9 + jitter(random);
    r.after = cpu.ticks();
    time_map.add(r);
    if (time_map.ready()) time_map.fill(time);
    time.reference.leap = synchronised ? Leap::none : Leap::unsynchronised;
  }
  // 10 ms
  void tick() {
    cpu.now = next += 0.01;
    publish_time();
    if (++ticks % 10 != 0) return;
    for (auto& keeper : keepers) keeper->refresh({cpu.ticks(), wall(), time, tai});
  }
  void run(double seconds) {
    for (int i = 0; i < static_cast<int>(std::lround(seconds * 100)); ++i) tick();
  }
  // s, what NIC i shows less UTC
  [[nodiscard]] double error(std::size_t i) {
    return nics[i]->error(kStart) - cpu.now * time_rate - time_offset;
  }
  // Over `seconds`, root mean square of what NIC 0 is ahead of `ahead` by.
  double rms(double seconds, double ahead = 0) {
    double sum = 0;
    const int count = static_cast<int>(seconds * 100);
    for (int i = 0; i < count; ++i) {
      tick();
      const double e = error(0) - ahead;
      sum += e * e;
    }
    return std::sqrt(sum / count);
  }

  Cpu cpu;
  double next = 0;
  int ticks = 0;
  std::mt19937_64 random{42};
  std::exponential_distribution<double> jitter{1 / 5e-9};
  double time_rate = 0;    // s/s, the system's clock against true time
  double time_offset = 0;  // s
  bool synchronised = true;
  int tai = kTai;
  TickMap time_map;
  TimeSnapshot time;
  std::vector<SimulatedNic*> nics;
  std::vector<std::unique_ptr<NicTimekeeper>> keepers;
};

}  // namespace

TEST_CASE("a NIC clock 1 ms and 20 ppm off is within 100 ns RMS of the time after 60 s, by a single step") {
  for (const double sign : {1.0, -1.0}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      World w;
      w.add(config_of(sign * 1e-3, sign * 20e-6, seed), NicRole::utc);
      w.run(60);
      const double rms = w.rms(120);
      INFO("seed " << seed << ": " << rms * 1e9 << " ns RMS");
      CHECK(rms < 100e-9);
      CHECK(w.nics[0]->steps == 1);
      const NicStatus status = w.keepers[0]->status();
      CHECK(status.ready);
      CHECK(status.locked);
      CHECK(status.steps == 1);
      CHECK(status.failures == 0);
      CHECK(std::fabs(*status.offset) < 200e-9);
      CHECK(status.correction == Approx(-sign * 20e-6).margin(0.5e-6));
    }
  }
}

TEST_CASE("a NIC clock that starts within 20 us of the time is never stepped") {
  World w;
  w.add(config_of(-15e-6, 3e-6, 4), NicRole::utc);
  w.run(60);
  CHECK(w.rms(60) < 100e-9);
  CHECK(w.nics[0]->steps == 0);
}

TEST_CASE("a NIC clock that shows nothing near the time is set to it, in UTC or in TAI") {
  for (const auto role : {NicRole::utc, NicRole::tai}) {
    for (const double offset : {-1.8e9, 37.0, 1e8}) {
      World w;
      w.add(config_of(offset, -100e-6, 9), role);
      w.run(60);
      CHECK(w.rms(30, role == NicRole::tai ? kTai : 0) < 100e-9);
      CHECK(w.nics[0]->steps == 1);
    }
  }
}

TEST_CASE("several NIC clocks of different rates are kept together") {
  World w;
  const std::array frequencies{-80e-6, 0.0, 35e-6, 120e-6};
  for (std::size_t i = 0; i < frequencies.size(); ++i)
    w.add(config_of(0.3 * static_cast<double>(i), frequencies[i], i + 20), NicRole::utc);
  w.run(60);
  double most = 0;
  for (int k = 0; k < 6000; ++k) {
    w.tick();
    for (std::size_t i = 1; i < w.nics.size(); ++i) most = std::max(most, std::fabs(w.error(i) - w.error(0)));
  }
  INFO("apart by " << most * 1e9 << " ns");
  CHECK(most < 300e-9);
}

TEST_CASE("a NIC clock of ours goes with the time when that is slewed, and when it is set") {
  World w;
  w.add(config_of(1e-3, 20e-6, 5), NicRole::utc);
  w.run(60);
  w.time_offset -= w.cpu.now * 100e-6;  // no step
  w.time_rate = 100e-6;
  w.run(10);
  CHECK(w.rms(30) < 300e-9);
  CHECK(w.nics[0]->steps == 1);
  w.time_offset += w.cpu.now * 100e-6;
  w.time_rate = 0;
  w.run(30);
  CHECK(w.rms(30) < 100e-9);
  CHECK(w.nics[0]->steps == 1);
  w.time_offset += 0.25;
  w.run(10);
  CHECK(w.nics[0]->steps == 2);
  w.run(30);
  CHECK(w.rms(30) < 100e-9);
}

TEST_CASE("a NIC clock of ours that is set 2^32 ns off is set back") {
  for (const double by : {-4.294967296, 4.294967296}) {
    World w;
    w.add(config_of(1e-3, 20e-6, 8), NicRole::utc);
    w.run(60);
    w.nics[0]->set(by);
    w.run(10);
    CHECK(w.nics[0]->steps == 2);
    w.run(30);
    CHECK(w.rms(30) < 100e-9);
  }
}

TEST_CASE("stamps of a NIC clock are right while it is being pulled in") {
  World w;
  w.add(config_of(1e-3, 20e-6, 6), NicRole::utc);
  w.run(1);
  int usable = 0;
  double most = 0;
  for (int i = 0; i < 2000; ++i) {
    w.tick();
    const NicSnapshot s = w.keepers[0]->snapshot();
    const double at = w.cpu.now;
    const auto arrival = s.arrival_of(w.nics[0]->value(), w.cpu.ticks());
    if (!arrival.usable()) continue;
    ++usable;
    most = std::max(most, std::fabs(w.cpu.seconds_at(arrival.ticks) - at));
  }
  CHECK(usable > 1850);  // but for the second after the step
  CHECK(most < 100e-9);
}

TEST_CASE("a NIC clock that is not ours is mapped and left alone") {
  World w;
  w.add(config_of(12, 50e-6, 7), NicRole::free);
  w.run(5);
  const NicStatus status = w.keepers[0]->status();
  CHECK(status.ready);
  CHECK(status.error_bound > 100e-9);
  CHECK(status.error_bound < 500e-9);
  CHECK(status.nic_hertz == Approx(1e9 * (1 + 50e-6)).epsilon(1e-7));
  CHECK_FALSE(status.offset);
  CHECK(w.nics[0]->steps + w.nics[0]->frequency_changes == 0);
}

TEST_CASE("no NIC clock is set to a time that is not known, or to TAI without its offset") {
  World w;
  w.add(config_of(1, 0, 8), NicRole::utc);
  w.add(config_of(1, 0, 9), NicRole::tai);
  w.synchronised = false;
  w.run(5);
  CHECK(w.nics[0]->steps + w.nics[1]->steps == 0);
  w.synchronised = true;
  w.tai = 0;
  w.run(5);
  CHECK(w.nics[0]->steps == 1);
  CHECK(w.nics[1]->steps == 0);
  CHECK_FALSE(w.keepers[1]->status().offset);
  w.tai = kTai;
  w.run(5);
  CHECK(w.nics[1]->steps == 1);
}

TEST_CASE("a NIC clock of ours that was set by somebody else is put right again") {
  World w;
  w.add(config_of(1e-3, 20e-6, 10), NicRole::utc);
  w.run(60);
  w.nics[0]->set(-3600);
  w.run(10);
  CHECK(w.nics[0]->steps == 2);
  w.run(30);
  CHECK(w.rms(30) < 100e-9);
  CHECK(w.keepers[0]->status().events[static_cast<std::size_t>(NicEvent::restarted)] == 1);
}

TEST_CASE("a NIC clock that vanishes is complained about, and kept again when it is back") {
  World w;
  w.add(config_of(1e-3, 20e-6, 11), NicRole::utc);
  w.run(60);
  w.nics[0]->gone = true;
  w.run(5);
  CHECK_FALSE(w.keepers[0]->status().ready);
  CHECK_FALSE(w.keepers[0]->status().locked);
  CHECK(w.keepers[0]->take_error() == "No such device");
  CHECK(w.keepers[0]->take_error().empty());
  CHECK(w.keepers[0]->status().events[static_cast<std::size_t>(NicEvent::missed)] == 50);
  w.nics[0]->gone = false;
  w.run(30);
  CHECK(w.keepers[0]->status().locked);
  CHECK(w.rms(30) < 100e-9);
  CHECK(w.nics[0]->steps == 1);
}

TEST_CASE("a single wild offset does not move a NIC clock") {
  NicServo servo{500e-6, 0};
  (void)servo.update(1, 0, 0);
  for (int i = 0; i < 20; ++i) (void)servo.update(1, 0, 0);
  const double before = servo.frequency();
  const auto action = servo.update(1, 0.02, 0);
  CHECK(action.step == 0ns);
  CHECK(action.frequency == before);
  CHECK(servo.update(1, 0, 0).step == 0ns);
}

TEST_CASE("a NIC clock is never asked for more than it can, and comes back when the limit no longer binds") {
  NicServo servo{100e-6, 0};
  CHECK(servo.update(1, 0, 500e-6).frequency == Approx(-100e-6));
  for (int i = 0; i < 50; ++i) CHECK(std::fabs(servo.update(1, 500e-6, 400e-6).frequency) <= 100e-6 + 1e-12);
  double offset = 0, rate = 0;
  double frequency = servo.frequency();
  for (int i = 0; i < 60; ++i) {
    rate = frequency + 20e-6;
    offset += rate;
    frequency = servo.update(1, offset, rate).frequency;
  }
  CHECK(std::fabs(offset) < 1e-9);
  CHECK(frequency == Approx(-20e-6).epsilon(1e-3));
}

TEST_CASE(
    "a clock is read as often as the options say, less often when no stamps come, and believed as long") {
  NicOptions options;
  options.least_interval = 1;
  options.most_interval = 4;
  options.least_readings = 10;
  Cpu cpu;
  auto made = std::make_unique<SimulatedNic>(config_of(0, 20e-6, 1), cpu);
  SimulatedNic* const nic = made.get();
  NicTimekeeper keeper{std::move(made), NicRole::free, cpu.hertz, options};
  double next = 0;
  const auto readings_in = [&](double seconds, bool idle) {
    const auto taken = [&] { return keeper.status().events[static_cast<std::size_t>(NicEvent::taken)]; };
    const std::uint64_t before = taken();
    for (int i = 0; i < static_cast<int>(std::lround(seconds * 10)); ++i) {
      cpu.now = next += 0.1;
      NicTimekeeper::Moment moment;
      moment.now = cpu.ticks();
      moment.idle = idle;
      keeper.refresh(moment);
    }
    return taken() - before;
  };
  CHECK(readings_in(0.9, false) == 9);  // as fast as that goes, until the clock is known
  CHECK_FALSE(keeper.status().ready);
  CHECK(readings_in(0.1, false) == 1);
  CHECK(keeper.status().ready);
  CHECK(readings_in(60, false) == 60);
  CHECK(readings_in(60, true) == 15);
  CHECK(keeper.status().ready);
  const NicSnapshot map = keeper.snapshot();
  const double at = cpu.now;
  CHECK(std::fabs(cpu.seconds_at(map.ticks_at(nic->value())) - at) < 1e-6);
}

TEST_CASE("precision is the least that a map is wrong by") {
  NicOptions options;
  options.precision = 2e-6;
  Cpu cpu;
  NicTimekeeper keeper{std::make_unique<SimulatedNic>(config_of(0, 20e-6, 1), cpu), NicRole::free, cpu.hertz,
                       options};
  for (int i = 1; i <= 40; ++i) {
    cpu.now = 0.1 * i;
    keeper.refresh({cpu.ticks(), {}, {}, 0});
  }
  CHECK(keeper.status().ready);
  CHECK(keeper.status().error_bound >= 2e-6);
  CHECK(keeper.status().error_bound < 3e-6);
}
