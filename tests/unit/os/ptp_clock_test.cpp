// SPDX-License-Identifier: BSD-3-Clause
// A PTP clock as a NIC clock, by its ioctls alone: there is none here.
#include "os/ptp_clock.hpp"

#include <unistd.h>

#include <cmath>

#include "catch.hpp"
#include "ioctl_device.hpp"

using namespace wiretime;
using namespace wiretime::os;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

constexpr auto kNow = Nanoseconds{1'800'000'000s};
constexpr double kHertz = 2.5e9;

// A PTP clock beside the system's, all of whose readings take time.
struct Machine {
  explicit Machine(unsigned long way) {
    device.on<ptp_clock_caps>(PTP_CLOCK_GETCAPS, [](ptp_clock_caps& c) { return c.max_adj = 500'000, 0; });
    if (way == PTP_SYS_OFFSET_PRECISE)
      device.on<ptp_sys_offset_precise>(PTP_SYS_OFFSET_PRECISE, [this](ptp_sys_offset_precise& p) {
        now += 3us;
        p.device = ptp_time(now + offset);
        p.sys_realtime = ptp_time(now);
        now += 3us;
        return 0;
      });
    if (way == PTP_SYS_OFFSET_EXTENDED)
      device.on<ptp_sys_offset_extended>(PTP_SYS_OFFSET_EXTENDED, [this](ptp_sys_offset_extended& e) {
        for (unsigned i = 0; i < e.n_samples; ++i) {
          e.ts[i][0] = ptp_time(now);
          e.ts[i][1] = ptp_time(now + 400ns + offset);
          e.ts[i][2] = ptp_time(now += 800ns);
        }
        return 0;
      });
    device.on<ptp_sys_offset>(PTP_SYS_OFFSET, [this](ptp_sys_offset& p) {
      for (unsigned i = 0; i <= 2 * p.n_samples; ++i)
        p.ts[i] = ptp_time((now += 500ns) + (i % 2 == 0 ? 0ns : offset));
      return 0;
    });
  }
  PtpSystem system() {
    return {device.ioctl(), [this](clockid_t clock, timex* t) {
              clock_id = clock;
              if ((t->modes & ADJ_FREQUENCY) != 0) set = *t;
              if ((t->modes & ADJ_SETOFFSET) != 0) set = *t;
              if (t->modes == 0) t->freq = 3 << 16;
              return 0;
            }};
  }
  [[nodiscard]] Ticks ticks() const {
    return {
        static_cast<std::uint64_t>(std::llround(static_cast<double>((now - kNow).count()) * kHertz * 1e-9))};
  }
  clock::CrossReading cross_read() {
    clock::CrossReading r;
    r.before = ticks();
    r.time = WallTime{now += 10ns};
    now += 10ns;
    r.after = ticks();
    return r;
  }

  Device device;
  Nanoseconds now = kNow;
  Nanoseconds offset = 37s;
  clockid_t clock_id = 0;
  timex set{};
};

}  // namespace

TEST_CASE("a PTP clock is told against the CPU's counter by each of the three ways to read it") {
  for (const unsigned long way : {PTP_SYS_OFFSET_PRECISE, PTP_SYS_OFFSET_EXTENDED, PTP_SYS_OFFSET}) {
    Machine machine{way};
    auto opened = PtpClock::open(machine.device.path, {}, machine.system());
    REQUIRE(opened);
    PtpNicClock nic{std::move(*opened), [&] { return machine.cross_read(); }};
    CHECK(nic.max_adjustment() == Approx(500e-6));
    for (int i = 0; i < 3; ++i) {
      machine.now += 100ms;
      const auto readings = nic.read();
      REQUIRE(readings);
      CHECK(readings->size() == (way == PTP_SYS_OFFSET_PRECISE ? 1 : PTP_MAX_SAMPLES));
      for (const clock::NicReading& r : *readings) {
        const Nanoseconds shown{static_cast<std::int64_t>(r.nic)};
        const double at = static_cast<double>((shown - machine.offset - kNow).count()) * kHertz * 1e-9;
        CHECK(static_cast<double>(r.before.value) <= at + 2);
        CHECK(static_cast<double>(r.after.value) >= at - 2);
        const double width = static_cast<double>(r.after.value - r.before.value) / kHertz;
        CHECK(width == Approx(way == PTP_SYS_OFFSET_PRECISE    ? 0
                              : way == PTP_SYS_OFFSET_EXTENDED ? 800e-9
                                                               : 1e-6)
                           .margin(2e-9));
      }
    }
    CHECK(nic.method() == (way == PTP_SYS_OFFSET_PRECISE    ? "precise"
                           : way == PTP_SYS_OFFSET_EXTENDED ? "extended"
                                                            : "plain"));
  }
}

TEST_CASE("readings between which the system's clock was set back are left out") {
  Machine machine{PTP_SYS_OFFSET_EXTENDED};
  auto opened = PtpClock::open(machine.device.path, {}, machine.system());
  REQUIRE(opened);
  int calls = 0;
  PtpNicClock nic{std::move(*opened), [&] {
                    auto r = machine.cross_read();
                    if (++calls == 2) r.time -= 1s;
                    return r;
                  }};
  const auto readings = nic.read();
  REQUIRE(readings);
  CHECK(readings->empty());
  CHECK(nic.read()->size() == PTP_MAX_SAMPLES);
}

TEST_CASE("a PTP clock that cannot be read any more says which and why") {
  Machine machine{PTP_SYS_OFFSET_EXTENDED};
  auto opened = PtpClock::open(machine.device.path, {}, machine.system());
  REQUIRE(opened);
  PtpNicClock nic{std::move(*opened), [&] { return machine.cross_read(); }};
  REQUIRE(nic.read());
  machine.device.handlers.clear();
  const auto readings = nic.read();
  REQUIRE_FALSE(readings);
  CHECK_THAT(readings.error().message, Contains("cannot read " + machine.device.path + ": "));
}

TEST_CASE("a PTP clock's frequency is set within its limits, and steps go either way") {
  Machine machine{PTP_SYS_OFFSET};
  auto clock = PtpClock::open(machine.device.path, {}, machine.system());
  REQUIRE(clock);
  CHECK(*clock->frequency() == Approx(3e-6));
  CHECK(machine.clock_id == static_cast<clockid_t>((~static_cast<unsigned>(clock->fd()) << 3) | 3U));
  REQUIRE(clock->set_frequency(-20e-6));
  CHECK(machine.set.modes == ADJ_FREQUENCY);
  CHECK(machine.set.freq == -20 * 65536);
  REQUIRE(clock->set_frequency(1));
  CHECK(machine.set.freq == 500 * 65536);
  for (const Nanoseconds by : {Nanoseconds{1'000'000'001}, Nanoseconds{-1}, Nanoseconds{-2s}, 0ns}) {
    REQUIRE(clock->step(by));
    CHECK(machine.set.modes == (ADJ_SETOFFSET | ADJ_NANO));
    CHECK(machine.set.time.tv_usec >= 0);
    CHECK(machine.set.time.tv_usec < 1'000'000'000);
    CHECK(std::chrono::seconds{machine.set.time.tv_sec} + Nanoseconds{machine.set.time.tv_usec} == by);
  }
}

TEST_CASE("what cannot be done to a PTP clock is an error that names it") {
  Machine machine{PTP_SYS_OFFSET};
  PtpSystem system = machine.system();
  system.adjust = [](clockid_t, timex*) { return errno = EPERM, -1; };
  auto clock = PtpClock::open(machine.device.path, {}, system);
  REQUIRE(clock);
  CHECK_THAT(clock->set_frequency(0).error().message,
             Contains("frequency of " + machine.device.path) && Contains("not permitted"));
  CHECK_THAT(clock->step(1s).error().message, Contains("cannot step " + machine.device.path));
  CHECK_THAT(clock->frequency().error().message, Contains("cannot read the frequency"));
}
