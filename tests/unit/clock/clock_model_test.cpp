// SPDX-License-Identifier: BSD-3-Clause
#include "clock/clock_model.hpp"

#include <cmath>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{1'800'000'000s};

// A perfect oscillator: the kernel clock runs as it is told.
struct Kernel {
  WallTime raw = kNow;
  double true_elapsed = 0;
  void pass(double seconds, const ClockModel& model) {
    raw = advanced(raw, seconds * (1 + model.kernel_frequency()));
    true_elapsed += seconds;
  }
  [[nodiscard]] double error() const { return seconds_between(kNow, raw) - true_elapsed; }
};

}  // namespace

TEST_CASE("a slew advances the raw clock by the offset while the cooked clock shows it at once") {
  ClockModel model{0, 0.1, 0.0833};
  Kernel kernel;
  model.adjust(kernel.raw, 0, 1e-3, 10);
  CHECK(seconds_between(kernel.raw, model.cooked(kernel.raw)) == Approx(1e-3));
  kernel.pass(4, model);
  CHECK(kernel.error() == Approx(0.4e-3).epsilon(1e-3));
  CHECK(kernel.error() + model.correction(kernel.raw) == Approx(1e-3).margin(2e-9));
  CHECK_FALSE(model.service(kernel.raw));
  kernel.pass(6.0001, model);
  CHECK(model.service(kernel.raw));
  CHECK(kernel.error() + model.correction(kernel.raw) == Approx(1e-3).margin(3e-9));
  CHECK(std::fabs(model.correction(kernel.raw)) < 20e-9);
}

TEST_CASE("a slew never runs faster than allowed, in either direction") {
  for (const double offset : {100.0, -100.0}) {
    ClockModel model{0, 0.1, 0.05};
    model.adjust(kNow, 0, offset, 1);
    CHECK(model.kernel_frequency() == Approx(std::copysign(0.05, offset)));
    REQUIRE(model.deadline());
    CHECK(seconds_between(kNow, *model.deadline()) == Approx(2000 * (1 + std::copysign(0.05, offset))));
  }
}

TEST_CASE("a late end of a slew is made good") {
  ClockModel model{20e-6, 0.1, 0.0833};
  Kernel kernel;
  model.adjust(kernel.raw, 0, 1e-4, 1);
  kernel.pass(3, model);  // two seconds late: three times the correction
  CHECK(model.correction(kernel.raw) == Approx(-2e-4).epsilon(1e-3));
  CHECK(model.service(kernel.raw));
  kernel.pass(1, model);
  CHECK(kernel.error() - kernel.true_elapsed * 20e-6 == Approx(1e-4).margin(6e-9));
}

TEST_CASE("frequency changes compose and stop at maxdrift") {
  ClockModel model{100e-6, 500e-6, 0.0833};
  CHECK(model.adjust(kNow, 50e-6, 0, 1) == Approx(50e-6));
  CHECK(model.frequency() == Approx(1.0001 * 1.00005 - 1).epsilon(1e-9));
  CHECK(model.adjust(kNow, 1e-3, 0, 1) < 0.36e-3);
  CHECK(model.frequency() == Approx(500e-6));
}

TEST_CASE("a step includes what was still being slewed") {
  ClockModel model{0, 0.1, 0.0833};
  Kernel kernel;
  model.adjust(kernel.raw, 0, 10, 1000);
  kernel.pass(500, model);
  CHECK(model.step(kernel.raw, 2) == Approx(7).epsilon(1e-6));
  CHECK(model.kernel_frequency() == 0);
  CHECK(model.correction(kernel.raw) == 0);
  CHECK_FALSE(model.deadline());
}

TEST_CASE("a step by somebody else leaves the remaining slew alone") {
  ClockModel model{0, 0.1, 0.0833};
  Kernel kernel;
  model.adjust(kernel.raw, 0, 1e-3, 100);
  kernel.pass(40, model);
  const double before = model.correction(kernel.raw);
  const double left = seconds_between(kernel.raw, *model.deadline());
  model.moved(kernel.raw, -3600);
  const WallTime after = advanced(kernel.raw, -3600);
  CHECK(model.correction(after) == Approx(before).margin(1e-9));
  CHECK(seconds_between(after, *model.deadline()) == Approx(left));
}

TEST_CASE(
    "free running, the kernel clock stays as it is and cooked time carries offset, frequency and step") {
  ClockModel model{0, 0.1, 0.0833, true};
  Kernel kernel;
  model.adjust(kernel.raw, 100e-6, 0.5, 10);
  CHECK(model.kernel_frequency() == 0);
  CHECK_FALSE(model.deadline());
  kernel.pass(1000, model);
  CHECK(kernel.error() == 0);
  CHECK(model.correction(kernel.raw) == Approx(0.6));
  model.adjust(kernel.raw, -50e-6, 0.4, 10);
  CHECK(model.step(kernel.raw, 1) == 0);
  CHECK(model.correction(kernel.raw) == Approx(2.0));
  kernel.pass(1000, model);
  CHECK(model.correction(kernel.raw) == Approx(2.05).epsilon(1e-5));
  const double before = model.correction(kernel.raw);
  model.moved(kernel.raw, 7);
  CHECK(model.correction(advanced(kernel.raw, 7)) == Approx(before));
}

TEST_CASE("base frequency and slew together stay within what the kernel can do") {
  ClockModel model{0.06, 0.1, 0.0833};
  model.adjust(kNow, 0, 10, 1);
  CHECK(model.kernel_frequency() <= 0.1 + 1e-9);
  CHECK(model.kernel_frequency() > 0.09);
}
