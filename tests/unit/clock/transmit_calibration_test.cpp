// SPDX-License-Identifier: BSD-3-Clause
#include "clock/transmit_calibration.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "catch.hpp"

using namespace wiretime::clock;

namespace {

constexpr double kTicksPerNs = 2.6;

// A driver that takes 900 ns and 12 ns a frame, with noise and now and then an interruption.
struct Driver {
  std::mt19937_64 random{42};
  double latency = 900, per_frame = 12, noise = 40, interrupted = 0.03;  // ns

  double sample(unsigned frames) {
    const double jitter = std::normal_distribution<double>{0, noise}(random);
    const bool late = std::uniform_real_distribution<double>{}(random) < interrupted;
    return (latency + per_frame * frames + jitter + (late ? 20'000 : 0)) * kTicksPerNs;
  }
  // What of that comes behind the driver: 700 ns.
  double reach() { return (700 + std::exponential_distribution<double>{1 / noise}(random)) * kTicksPerNs; }
  unsigned size(unsigned most) { return static_cast<unsigned>(random() % most) + 1; }
};

}  // namespace

TEST_CASE("the latency of a transmit path is learnt to some ten nanoseconds, whatever the bursts' sizes") {
  Driver driver;
  double worst = 0;
  for (int run = 0; run < 50; ++run) {
    TransmitCalibration c;
    for (std::size_t i = 0; i < TransmitCalibration::kWindow; ++i) {
      const unsigned frames = driver.size(32);
      c.add(frames, driver.sample(frames), driver.reach());
    }
    for (const unsigned frames : {1U, 8U, 16U, 32U})
      worst = std::max(worst, std::fabs(c.line().at(frames) / kTicksPerNs - (900 + 12 * frames)));
    CHECK(c.reach() / kTicksPerNs == Approx(700 + 28).margin(30));
    CHECK(c.spread() / kTicksPerNs < 100);
  }
  CHECK(worst < 50);
}

TEST_CASE("bursts of one size give its latency, and no slope") {
  Driver driver;
  TransmitCalibration c;
  for (int i = 0; i < 64; ++i) c.add(32, driver.sample(32), driver.reach());
  CHECK(c.line().per_frame == 0);
  CHECK(std::fabs(c.line().at(32) / kTicksPerNs - (900 + 12 * 32)) < 30);
}

TEST_CASE("a path that has changed is known again after half a window") {
  Driver driver;
  TransmitCalibration c;
  for (int i = 0; i < 200; ++i) c.add(1, driver.sample(1), driver.reach());
  driver.latency = 2500;
  for (int i = 0; i < 40; ++i) c.add(1, driver.sample(1), driver.reach());
  CHECK(std::fabs(c.line().at(1) / kTicksPerNs - 2512) < 60);
}

TEST_CASE("a calibration is ready when it has enough samples, of frames that did not wait for the wire") {
  TransmitCalibration c;
  CHECK(c.spread() == 0);
  for (std::size_t i = 0; i < TransmitCalibration::kEnough; ++i) {
    CHECK_FALSE(c.ready());
    c.add_deviation(5);
    CHECK_FALSE(c.ready());
    c.add(1, 100, 90);
  }
  CHECK(c.ready());
  c.forget();
  CHECK_FALSE(c.ready());
}

TEST_CASE("the spread tells predictions that fail, also for frames that had to wait") {
  Driver driver;
  TransmitCalibration steady;
  for (int i = 0; i < 64; ++i) steady.add(1, driver.sample(1), driver.reach());
  CHECK(steady.spread() / kTicksPerNs < 80);

  driver.noise = 5000;
  TransmitCalibration noisy;
  for (int i = 0; i < 64; ++i) noisy.add(1, driver.sample(1), driver.reach());
  CHECK(noisy.spread() / kTicksPerNs > 3000);

  for (int i = 0; i < 64; ++i) steady.add_deviation((i % 2 == 0 ? -1 : 1) * 10'000 * kTicksPerNs);
  CHECK(steady.spread() / kTicksPerNs > 3000);
}
