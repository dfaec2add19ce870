// SPDX-License-Identifier: BSD-3-Clause
#include "control/time_publisher.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace std::chrono_literals;
using control::TimePublisher;

namespace {

constexpr WallTime kNow{Nanoseconds{1'795'000'000'000'000'000}};
constexpr std::uint64_t kTicksPerSecond = 2'000'000'000;

struct Bench {
  explicit Bench(bool local) : publisher{settings(local), channel} {}
  static TimePublisher::Settings settings(bool local) {
    TimePublisher::Settings s;
    s.local.enabled = local;
    s.precision = -25;
    s.dispersion_growth_ppb = 2000;
    return s;
  }
  // A reading `at` after the start, with the clock off by `step`.
  void read(Nanoseconds at, Nanoseconds step = 0ns) {
    const auto ticks = static_cast<std::uint64_t>(at.count()) * (kTicksPerSecond / 1'000'000'000);
    publisher.add_reading({{ticks}, {ticks + 60}, kNow + at + step + 15ns}, at);
  }
  clock::TimeSnapshot published() const {
    clock::TimeSnapshot s;
    REQUIRE(channel.try_load(s));
    return s;
  }

  Seqlock<clock::TimeSnapshot> channel;
  TimePublisher publisher;
};

double error_ns(const clock::TimeSnapshot& s, Nanoseconds at, Nanoseconds step = 0ns) {
  const Ticks ticks{static_cast<std::uint64_t>(at.count()) * (kTicksPerSecond / 1'000'000'000)};
  return (s.time_at(ticks) - NtpTimestamp::from(kNow + at + step)).seconds() * 1e9;
}

}  // namespace

TEST_CASE("workers get no snapshot before a reference and two readings are known") {
  Bench b{true};
  b.read(0ms);
  b.read(10ms);
  CHECK_FALSE(b.published().valid);
  b.publisher.refresh_reference({}, 1s, kNow);
  b.read(20ms);
  CHECK(b.published().valid);
}

TEST_CASE("workers tell the time of the clock that was read") {
  Bench b{true};
  b.publisher.refresh_reference({}, 1s, kNow);
  for (int i = 0; i <= 50; ++i) b.read(i * 10ms);
  const auto s = b.published();
  CHECK(s.valid);
  CHECK(std::abs(error_ns(s, 505ms)) < 50);
  CHECK(s.precision == -25);
  CHECK(s.reference.stratum == 10);
  CHECK(s.reference.refid == clock::kLocalRefid);
  CHECK(s.error_bound_ns < 200);
}

TEST_CASE("root dispersion grows while synchronised, a local reference's stays zero") {
  Bench b{true};
  clock::ClockState state;
  b.publisher.refresh_reference(state, 1s, kNow);
  CHECK(b.publisher.kernel_snapshot(1s).reference.refid == clock::kLocalRefid);
  CHECK(b.publisher.kernel_snapshot(1s).dispersion_growth_ppb == 0);
  state.synchronised = true;
  state.stratum = 2;
  b.publisher.refresh_reference(state, 2s, kNow + 1s);
  CHECK(b.publisher.kernel_snapshot(2s).dispersion_growth_ppb == 2000);
}

TEST_CASE("a clock that was set is followed with the next reading") {
  Bench b{true};
  b.publisher.refresh_reference({}, 1s, kNow);
  for (int i = 0; i <= 50; ++i) b.read(i * 10ms);
  for (const Nanoseconds step : {Nanoseconds{5ms}, Nanoseconds{-3600s}}) {
    b.publisher.clock_was_set();
    b.read(501ms + (step < 0s ? 1ms : 0ms), step);
    CHECK(std::abs(error_ns(b.published(), 503ms, step)) < 500);
  }
}

TEST_CASE("the reference that workers show changes with the next reading") {
  Bench b{false};
  b.publisher.refresh_reference({}, 1s, kNow);
  b.read(0ms);
  b.read(10ms);
  CHECK(b.published().reference.leap == clock::Leap::unsynchronised);
  CHECK(b.published().reference.stratum == 0);
  clock::LocalConfig local;
  local.enabled = true;
  local.stratum = 4;
  b.publisher.set_local(local);
  b.publisher.refresh_reference({}, 2s, kNow + 20ms);
  b.read(20ms);
  CHECK(b.published().reference.leap == clock::Leap::none);
  CHECK(b.published().reference.stratum == 4);
}

TEST_CASE("kernel sockets are served without any counter reading") {
  Bench b{true};
  CHECK_FALSE(b.publisher.kernel_snapshot(1s).valid);
  b.publisher.refresh_reference({}, 1s, kNow);
  const auto s = b.publisher.kernel_snapshot(3s);
  CHECK(s.valid);
  CHECK(s.uptime == 48);
  CHECK(s.reference.stratum == 10);
  CHECK_FALSE(b.published().valid);
}

TEST_CASE("the kernel's clock is claimed no better than it says") {
  os::KernelClockStatus kernel;
  kernel.synchronised = true;
  kernel.leap = clock::Leap::insert;
  kernel.max_error = 12ms;
  const auto state = control::clock_state_of(kernel, {}, kNow);
  CHECK(state.synchronised);
  clock::LocalConfig local;
  local.enabled = true;
  CHECK_FALSE(control::clock_state_of(kernel, local, kNow).synchronised);
  CHECK(state.leap == clock::Leap::insert);
  CHECK(state.stratum == 10);
  CHECK(state.refid == 0x7F7F0100U);
  CHECK(state.root_dispersion == 12ms);
  CHECK(state.reference_time <= kNow);
  kernel.synchronised = false;
  CHECK_FALSE(control::clock_state_of(kernel, {}, kNow).synchronised);
}

TEST_CASE("precision is the smallest step of the clock within what replies may say") {
  WallTime t = kNow;
  CHECK(control::measure_precision([&] { return t += 30ns; }) == -25);
  CHECK(control::measure_precision([&] { return t += 1us; }) == -20);
  int calls = 0;
  CHECK(control::measure_precision([&] { return ++calls % 100 == 0 ? t += 4ms : t; }) == -10);
  CHECK(control::precision_of(control::Seconds{1e-15}) == -32);
  CHECK(control::precision_of(control::Seconds{1.0}) == -10);
}

TEST_CASE("uptime in sixteenths is never the zero that means never") {
  CHECK(control::uptime_sixteenths(0s) == 1);
  CHECK(control::uptime_sixteenths(10s) == 160);
}
