// SPDX-License-Identifier: BSD-3-Clause
// A NIC that stamps nonsense: every request is answered with a time that can be true, by the next rung, and
// by the NIC again once it has come to its senses.
#include "catch.hpp"
#include "rungs/measurements.hpp"

using namespace wiretime;
using namespace wiretime::dpdk::test;
using server::Stamp;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kTwo32 = std::uint64_t{1} << 32;

struct Bench {
  Bench() : rig{own_nic(FrameMark::nic)} {
    rig.settle(3);
    run(1);
    CHECK(hardware == asked);
  }
  // What that gave, apart from what was before.
  void run(double seconds) {
    rig.begin_anew();
    rig.run(seconds);
    asked = rig.asked;
    hardware = rig.count(Stamp::receive_hardware);
    daemon = rig.count(Stamp::receive_daemon);
    REQUIRE(static_cast<double>(asked) > 500 * seconds);
    CHECK(rig.receive.count() == asked);
    CHECK(hardware + daemon == asked);
  }
  void check_served_by_worker() {
    CHECK(daemon == asked);
    CHECK(rig.receive.bias() > 600e-9);
    CHECK(rig.receive.most() < 50e-6);
  }
  void check_served_by_nic() {
    CHECK(hardware == asked);
    CHECK(rig.receive.most() < 100e-9);
  }

  Rig rig;
  std::uint64_t asked = 0, hardware = 0, daemon = 0;
};

}  // namespace

TEST_CASE("stamps that are zero, of the past, of the future or random are replaced by the worker's time") {
  Bench b;
  std::mt19937_64 random{5};
  const std::function<std::uint64_t(std::uint64_t)> spoilers[] = {
      [](std::uint64_t) { return std::uint64_t{0}; },  [](std::uint64_t s) { return s - kSecond; },
      [](std::uint64_t s) { return s + kSecond; },     [](std::uint64_t s) { return s + 3 * kTwo32; },
      [](std::uint64_t) { return ~std::uint64_t{0}; }, [&](std::uint64_t) { return random(); },
  };
  for (const auto& spoil : spoilers) {
    b.rig.port().spoil = spoil;
    b.run(1);
    b.check_served_by_worker();
    b.rig.port().spoil = nullptr;
    b.run(1);
    b.check_served_by_nic();
  }
}

TEST_CASE("stamps that jump by 2^32 ns are put right one by one") {
  Bench b;
  unsigned turn = 0;
  b.rig.port().spoil = [&](std::uint64_t s) {
    return ++turn % 3 == 0 ? s + kTwo32 : turn % 3 == 1 ? s - kTwo32 : s;
  };
  b.run(2);
  b.check_served_by_nic();
}

TEST_CASE(
    "a NIC clock that jumps by 2^32 ns, as those do whose halves are read one by one, is used throughout") {
  Bench b;
  for (const double by : {4.294967296, -4.294967296}) {
    b.rig.nic().set(by);
    b.run(1);
    b.check_served_by_nic();
  }
}

TEST_CASE("a driver that gives the same stamp again and again is believed for a burst and no longer") {
  Bench b;
  std::uint64_t stuck = 0;
  b.rig.port().spoil = [&](std::uint64_t s) { return stuck == 0 ? stuck = s : stuck; };
  b.run(0.1);
  CHECK(b.rig.receive.most() < 5e-3);
  b.run(1);
  b.check_served_by_worker();
}

TEST_CASE("a NIC clock that stops is found out at its next reading, and taken up again when it runs") {
  Bench b;
  b.rig.nic().frozen = true;
  b.run(0.2);
  b.run(1);
  b.check_served_by_worker();
  b.rig.nic().frozen = false;
  b.run(0.2);
  b.run(1);
  b.check_served_by_nic();
}

TEST_CASE(
    "a NIC that is re-initialised, or set by somebody, is mapped anew and served by the worker meanwhile") {
  for (const double by : {-1.8e9, -2.0, 37.0}) {
    Bench b;
    b.rig.nic().set(by);
    b.run(0.1);  // the reading that finds it out is at the end
    CHECK(b.rig.receive.most() < 50e-6);
    b.run(0.5);
    b.check_served_by_worker();
    b.rig.settle(2);
    b.run(1);
    b.check_served_by_nic();
    CHECK(b.rig.keeper().status().events[static_cast<std::size_t>(clock::NicEvent::restarted)] == 1);
  }
}

TEST_CASE("a NIC clock that vanishes is done without from two seconds on, until it is back") {
  Bench b;
  b.rig.nic().gone = true;
  b.run(1.8);
  b.check_served_by_nic();
  b.run(0.5);
  b.run(1);
  b.check_served_by_worker();
  b.rig.nic().gone = false;
  b.run(0.2);
  b.run(1);
  b.check_served_by_nic();
}
