// SPDX-License-Identifier: BSD-3-Clause
#include "clock/tick_map.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

// A 2.6 GHz counter beside a clock that runs `ppm` fast against it, read every 10 ms with some read noise.
struct Machine {
  explicit Machine(double ppm_fast) : ppm{ppm_fast} {}

  CrossReading read() {
    std::uniform_int_distribution<std::uint64_t> width(40, 120);
    const std::uint64_t w = width(random);
    const std::uint64_t inside = std::uniform_int_distribution<std::uint64_t>(0, w)(random);
    return {{ticks - inside}, {ticks - inside + w}, wall};
  }
  void pass(Nanoseconds d) {
    ticks += static_cast<std::uint64_t>(static_cast<double>(d.count()) * 2.6 / (1 + ppm * 1e-6));
    wall += d;
  }
  std::int64_t error_ns(const TickMap& map) const {
    TimeSnapshot s;
    map.fill(s);
    return (s.time_at({ticks}).near(wall) - wall).count();
  }

  double ppm;
  std::uint64_t ticks = 5'000'000'000;
  WallTime wall{1'800'000'000s};
  std::mt19937_64 random{7};
};

void run(Machine& machine, TickMap& map, int readings) {
  for (int i = 0; i < readings; ++i) {
    machine.pass(10ms);
    map.add(machine.read());
  }
}

}  // namespace

TEST_CASE("the map is not ready before it has seen two readings") {
  TickMap map;
  Machine machine{0};
  CHECK_FALSE(map.ready());
  map.add(machine.read());
  CHECK_FALSE(map.ready());
  run(machine, map, 1);
  CHECK(map.ready());
}

TEST_CASE("time between readings is right within the stated bound") {
  for (double ppm : {0.0, 37.5, -480.0}) {
    TickMap map;
    Machine machine{ppm};
    run(machine, map, 200);
    CHECK(map.ticks_per_second() == Approx(2.6e9 / (1 + ppm * 1e-6)).epsilon(1e-6));
    for (int i = 0; i < 500; ++i) {
      machine.pass(7ms);
      TimeSnapshot s;
      map.fill(s);
      const auto bound = s.error_bound_ns + 10'000'000.0 * s.error_growth_ppb * 1e-9;
      CHECK(std::abs(static_cast<double>(machine.error_ns(map))) <= bound);
      CHECK(std::abs(machine.error_ns(map)) < 200);
      machine.pass(3ms);
      map.add(machine.read());
    }
    CHECK(map.steps() == 0);
  }
}

TEST_CASE("a slew is followed and is no step") {
  TickMap map;
  Machine machine{0};
  run(machine, map, 200);
  machine.ppm = 500;
  run(machine, map, 300);
  CHECK(map.steps() == 0);
  machine.pass(10ms);
  CHECK(std::abs(machine.error_ns(map)) < 1000);
}

TEST_CASE("a step is served from the very next reading") {
  for (Nanoseconds step : {Nanoseconds{5ms}, Nanoseconds{-5ms}, Nanoseconds{3600s}, Nanoseconds{-3600s}}) {
    TickMap map;
    Machine machine{12};
    run(machine, map, 200);
    machine.wall += step;
    run(machine, map, 1);
    CHECK(map.steps() == 1);
    CHECK(std::abs(machine.error_ns(map)) < 200);
    machine.pass(10ms);
    CHECK(std::abs(machine.error_ns(map)) < 500);
    run(machine, map, 200);
    CHECK(map.steps() == 1);
    CHECK(std::abs(machine.error_ns(map)) < 200);
  }
}

TEST_CASE("an announced clock setting restarts the map at once, however small") {
  TickMap map;
  Machine machine{0};
  run(machine, map, 200);
  machine.wall += 100us;
  map.clock_was_set();
  run(machine, map, 1);
  CHECK(map.ready());
  CHECK(std::abs(machine.error_ns(map)) < 200);
}

TEST_CASE("readings out of order are ignored") {
  TickMap map;
  Machine machine{0};
  run(machine, map, 10);
  const auto reading = machine.read();
  run(machine, map, 10);
  map.add(reading);
  map.add({{10}, {5}, machine.wall});
  CHECK(std::abs(machine.error_ns(map)) < 200);
}
