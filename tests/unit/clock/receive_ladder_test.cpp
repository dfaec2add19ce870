// SPDX-License-Identifier: BSD-3-Clause
// A port from its NIC's oscillator to its receive rung: frames that the NIC stamps, clock readings ten times
// a second, looks once a second, and all that goes wrong with NICs.
#include "clock/receive_ladder.hpp"

#include <cmath>
#include <functional>
#include <memory>

#include "catch.hpp"
#include "clock/nic_timekeeper.hpp"
#include "tests/support/simulated_nic.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using test::Cpu;
using test::NicConfig;
using test::SimulatedNic;

namespace {

constexpr std::uint64_t kHalf = std::uint64_t{1} << 32;

struct PortUnderTest {
  explicit PortUnderTest(const NicConfig& config = {}) {
    auto made = std::make_unique<SimulatedNic>(config, cpu);
    nic = made.get();
    keeper = std::make_unique<NicTimekeeper>(std::move(made), NicRole::free, cpu.hertz);
  }
  // A frame that comes now, is stamped, and looked at 20 us later; as a worker does it.
  void frame() {
    const double came = cpu.now;
    const std::uint64_t stamp = spoil(nic->value());
    cpu.now += 20e-6;
    if (cpu.now > links_down_from && cpu.now < links_down_until) return;
    auto arrival = map.arrival_of(stamp, cpu.ticks(), 0, last.value_or(0));
    if (driver_stamps)
      last = stamp;
    else
      arrival = {{}, StampVerdict::missing};
    ++counts[static_cast<std::size_t>(arrival.verdict)];
    if (!arrival.usable()) return;
    ++used;
    worst = std::max(worst, std::fabs(cpu.seconds_at(arrival.ticks) - came));
  }
  void run(double seconds) {
    const int steps = static_cast<int>(std::lround(seconds * 100));
    for (int i = 0; i < steps; ++i) {
      cpu.now = next += 0.01;
      if (++ticks % 10 == 0) {
        keeper->refresh({cpu.ticks(), {}, {}, 0});
        map = keeper->snapshot();
        map.probation = ladder.hardware_on_probation();
      }
      frame();
      if (ticks % 100 == 0) {
        const auto now = Nanoseconds{std::llround(cpu.now * 1e9)};
        if (const auto c = ladder.look(now, keeper->status().ready, counts, {})) change = c;
      }
    }
  }
  [[nodiscard]] ReceiveRung rung() const { return ladder.status().rung; }
  [[nodiscard]] std::uint64_t counted(StampVerdict v) const { return counts[static_cast<std::size_t>(v)]; }

  Cpu cpu;
  SimulatedNic* nic;
  std::unique_ptr<NicTimekeeper> keeper;
  NicSnapshot map;
  ReceiveLadder ladder{true, false};
  StampCounts counts{};
  std::optional<std::uint64_t> last;
  std::optional<ReceiveLadder::Change> change;
  std::function<std::uint64_t(std::uint64_t)> spoil = [](std::uint64_t stamp) { return stamp; };
  bool driver_stamps = true;
  double links_down_from = 0, links_down_until = 0;
  double next = 0;
  int ticks = 0;
  int used = 0;
  double worst = 0;  // s, of the stamps that were used
};

// On the hardware rung, with right stamps.
void settle(PortUnderTest& p) {
  p.run(10);
  REQUIRE(p.rung() == ReceiveRung::hardware);
  REQUIRE(p.worst < 1e-6);
}

// Off it by now, and on the next one; nothing wrong was used on the way.
void check_down(const PortUnderTest& p, StampTrust::Reason reason, double worst = 1e-6) {
  CHECK(p.rung() == ReceiveRung::tsc);
  REQUIRE(p.change);
  CHECK(p.change->from == ReceiveRung::hardware);
  CHECK(p.change->reason == reason);
  CHECK(p.worst < worst);
}

void check_back(PortUnderTest& p, double seconds = 12) {
  p.worst = 0;
  p.run(seconds);
  CHECK(p.rung() == ReceiveRung::hardware);
  CHECK(p.ladder.status().changes == 2);
  const int used = p.used;
  p.run(5);
  CHECK(p.used - used > 490);
  CHECK(p.worst < 1e-6);
}

}  // namespace

TEST_CASE("a port starts on the TSC and climbs when its NIC's clock is known") {
  PortUnderTest p;
  p.run(1);
  CHECK(p.rung() == ReceiveRung::hardware);
  CHECK(p.ladder.status().changes == 0);  // the first look
  PortUnderTest late;
  late.nic->gone = true;
  late.run(3);
  CHECK(late.rung() == ReceiveRung::tsc);
  late.nic->gone = false;
  late.run(2);
  CHECK(late.rung() == ReceiveRung::hardware);
  CHECK(late.ladder.status().changes == 1);
}

TEST_CASE("stamps of the past, of the future, zero and missing put a port on the next rung until they end") {
  struct Fault {
    StampVerdict verdict;
    std::function<std::uint64_t(std::uint64_t)> spoil;
  };
  const Fault faults[] = {
      {StampVerdict::too_old, [](std::uint64_t s) { return s - 70'000'000; }},
      {StampVerdict::too_old, [](std::uint64_t s) { return s - 3'600'000'000'000; }},
      {StampVerdict::in_future, [](std::uint64_t s) { return s + 200'000; }},
      {StampVerdict::in_future, [](std::uint64_t s) { return s + 37'000'000'000; }},
      {StampVerdict::zero, [](std::uint64_t) { return std::uint64_t{0}; }},
  };
  for (const Fault& fault : faults) {
    PortUnderTest p;
    settle(p);
    p.spoil = fault.spoil;
    p.run(3);
    INFO(name(fault.verdict));
    check_down(p, StampTrust::Reason::stamps);
    CHECK(p.counted(fault.verdict) > 250);
    p.spoil = [](std::uint64_t s) { return s; };
    check_back(p);
    CHECK(p.counted(StampVerdict::probation) > 100);
  }
  PortUnderTest p;
  settle(p);
  p.driver_stamps = false;
  p.run(3);
  check_down(p, StampTrust::Reason::stamps);
  CHECK(p.counted(StampVerdict::missing) > 250);
  p.driver_stamps = true;
  check_back(p);
}

TEST_CASE("a few bad stamps among good ones are passed over, and nothing changes") {
  PortUnderTest p;
  settle(p);
  int n = 0;
  p.spoil = [&](std::uint64_t s) { return ++n % 3 == 0 ? 0 : s; };
  p.run(30);
  CHECK(p.rung() == ReceiveRung::hardware);
  CHECK(p.counted(StampVerdict::zero) == 1000);
  CHECK(p.worst < 1e-6);
}

TEST_CASE("stamps that jump by 2^32 ns are put right, all of them, and the port stays where it is") {
  PortUnderTest p;
  settle(p);
  int n = 0;
  p.spoil = [&](std::uint64_t s) { return ++n % 2 == 0 ? s + kHalf : s - kHalf; };
  p.run(30);
  CHECK(p.rung() == ReceiveRung::hardware);
  CHECK(p.counted(StampVerdict::repaired) == 3000);
  CHECK(p.worst < 1e-6);
}

TEST_CASE("a NIC whose stamps stand still while its clock runs is found out at the second of them") {
  PortUnderTest p;
  settle(p);
  const std::uint64_t stuck = p.nic->value();
  p.spoil = [&](std::uint64_t) { return stuck; };
  const int used = p.used;
  p.worst = 0;
  p.run(3);
  CHECK(p.used <= used + 1);
  CHECK(p.counted(StampVerdict::frozen) > 250);
  check_down(p, StampTrust::Reason::stamps, 0.02);
  p.spoil = [](std::uint64_t s) { return s; };
  check_back(p);
}

TEST_CASE("a clock that stands still, or vanishes, is not used, and used again when it is back") {
  for (const bool vanishes : {false, true}) {
    PortUnderTest p;
    settle(p);
    (vanishes ? p.nic->gone : p.nic->frozen) = true;
    p.run(6);
    INFO((vanishes ? "vanished" : "frozen"));
    check_down(p, vanishes ? p.change->reason : StampTrust::Reason::stamps, 0.06);
    const NicEvent event = vanishes ? NicEvent::missed : NicEvent::frozen;
    CHECK(p.keeper->status().events[static_cast<std::size_t>(event)] >= 59);
    CHECK(p.counted(StampVerdict::no_clock) > 250);
    (vanishes ? p.nic->gone : p.nic->frozen) = false;
    check_back(p);
  }
}

TEST_CASE("a driver that resets, and somebody who sets the clock, cost seconds on the next rung") {
  // To its birth, by days, by a leap second, by what an eye does not see.
  for (const double by : {-1.8e9, 86400.0, -1.0, 1e-3, -60e-3}) {
    PortUnderTest p;
    settle(p);
    p.nic->set(by);
    const double from = p.next;
    p.run(1);
    INFO(by);
    CHECK(p.keeper->status().events[static_cast<std::size_t>(NicEvent::restarted)] == 1);
    p.worst = 0;
    p.run(12);
    CHECK(p.rung() == ReceiveRung::hardware);
    CHECK(p.worst < 1e-6);
    CHECK(p.next - from < 14);
  }
}

TEST_CASE("a link that goes down and up changes nothing: no frames are no evidence") {
  PortUnderTest p;
  settle(p);
  p.links_down_from = p.next;
  p.links_down_until = p.next + 20;
  const std::uint64_t changes = p.ladder.status().changes;
  p.run(25);
  CHECK(p.rung() == ReceiveRung::hardware);
  CHECK(p.ladder.status().changes == changes);
  CHECK(p.worst < 1e-6);
}

TEST_CASE("below the NIC there is the XDP program, below that the TSC") {
  ReceiveLadder ladder{true, true};
  StampCounts nic{}, xdp{};
  Nanoseconds now{0};
  const auto second = [&](bool clock, StampVerdict of_nic, StampVerdict of_program) {
    now += std::chrono::seconds{1};
    nic[static_cast<std::size_t>(of_nic)] += 100;
    xdp[static_cast<std::size_t>(of_program)] += 100;
    return ladder.look(now, clock, nic, xdp);
  };
  CHECK(second(true, StampVerdict::good, StampVerdict::good)->to == ReceiveRung::hardware);
  CHECK(second(true, StampVerdict::missing, StampVerdict::good)->to == ReceiveRung::xdp_program);
  CHECK(ladder.hardware_on_probation());
  CHECK(second(true, StampVerdict::missing, StampVerdict::missing)->to == ReceiveRung::tsc);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(second(true, StampVerdict::missing, StampVerdict::good));
  const auto up = second(true, StampVerdict::missing, StampVerdict::good);
  REQUIRE(up);
  CHECK(up->to == ReceiveRung::xdp_program);
  CHECK(up->reason == StampTrust::Reason::none);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(second(true, StampVerdict::probation, StampVerdict::good));
  CHECK(second(true, StampVerdict::probation, StampVerdict::good)->to == ReceiveRung::hardware);
  CHECK_FALSE(ladder.hardware_on_probation());
  CHECK(ladder.status().changes == 4);
}
