// SPDX-License-Identifier: BSD-3-Clause
#include "clock/discipline.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kNow{1'800'000'000s};

ClockEstimate estimate_at(double after, double offset, double frequency = 0, double skew = 1e-6) {
  ClockEstimate e;
  e.time = advanced(kNow, after);
  e.offset = offset;
  e.frequency = frequency;
  e.skew = skew;
  e.correction = 1e-6;
  e.source_frequency = frequency;
  return e;
}

ClockAction update(Discipline& d, const ClockEstimate& e) {
  return d.update(e.time, e);
}

}  // namespace

TEST_CASE("makestep 1 3 steps in the first three updates only, and only above a second") {
  DisciplineConfig config;
  config.step_threshold = 1;
  config.step_limit = 3;
  Discipline d{config, 0, 1e-6};
  const auto first = update(d, estimate_at(0, 5, 10e-6));
  CHECK(first.kind == UpdateKind::step);
  CHECK(first.step == Approx(5));
  CHECK(first.change.offset == Approx(5));
  CHECK(first.change.frequency == Approx(10e-6));
  CHECK(update(d, estimate_at(2, 0.9)).kind == UpdateKind::slew);
  CHECK(update(d, estimate_at(4, -5)).kind == UpdateKind::step);
  const auto fourth = update(d, estimate_at(6, 5));
  CHECK(fourth.kind == UpdateKind::slew);
  CHECK(fourth.step == 0);
  CHECK(d.model().kernel_frequency() == Approx(83333.333e-6).epsilon(1e-3));
}

TEST_CASE("a negative step limit always steps, and chronyc makestep counts from now") {
  DisciplineConfig config;
  config.step_threshold = 1;
  config.step_limit = -1;
  Discipline d{config, 0, 1e-6};
  for (int i = 0; i < 10; ++i) CHECK(update(d, estimate_at(i * 2, 2)).kind == UpdateKind::step);
  d.set_step_rule(1, 1);
  CHECK(update(d, estimate_at(30, 2)).kind == UpdateKind::step);
  CHECK(update(d, estimate_at(32, 2)).kind == UpdateKind::slew);
}

TEST_CASE("maxchange ignores as often as allowed after the start, then gives up") {
  DisciplineConfig config;
  config.max_change = true;
  config.max_change_offset = 1000;
  config.max_change_start = 1;
  config.max_change_ignore = 2;
  Discipline d{config, 0, 1e-6};
  CHECK(update(d, estimate_at(0, 5000)).kind == UpdateKind::slew);
  CHECK(update(d, estimate_at(2, -2000)).kind == UpdateKind::ignored);
  CHECK(update(d, estimate_at(4, 3)).kind == UpdateKind::slew);
  CHECK(update(d, estimate_at(6, 2000)).kind == UpdateKind::ignored);
  const auto last = update(d, estimate_at(8, 2000));
  CHECK(last.kind == UpdateKind::give_up);
  CHECK(last.change.offset == 0);
  CHECK(d.tracking().updates == 2);
}

TEST_CASE("a frequency with too large a skew is not applied, its offset is") {
  DisciplineConfig config;
  config.max_update_skew = 10e-6;
  Discipline d{config, 30e-6, 1e-6};
  const auto unsure = update(d, estimate_at(0, 1e-3, 50e-6, 11e-6));
  CHECK(unsure.change.frequency == 0);
  CHECK(unsure.change.offset == Approx(1e-3));
  CHECK(d.tracking().skew == Approx(1e-6));
  const auto sure = update(d, estimate_at(2, 1e-3, 50e-6, 9e-6));
  CHECK(sure.change.frequency == Approx(50e-6));
  CHECK(d.tracking().frequency == Approx(80e-6).epsilon(1e-3));
}

TEST_CASE("an ordinary correction takes corrtimeratio intervals, a larger one less") {
  Discipline d{DisciplineConfig{}, 0, 1e-6};
  update(d, estimate_at(0, 0));
  update(d, estimate_at(64, 1e-6));
  REQUIRE(d.model().deadline());
  CHECK(seconds_between(advanced(kNow, 64), *d.model().deadline()) == Approx(192).epsilon(1e-3));
  Discipline e{DisciplineConfig{}, 0, 1e-6};
  update(e, estimate_at(0, 0));
  update(e, estimate_at(64, 1e-4));
  CHECK(seconds_between(advanced(kNow, 64), *e.model().deadline()) == Approx(1.92).epsilon(1e-3));
}

TEST_CASE("tracking tells last and RMS offset, residual frequency and the growth of dispersion") {
  Discipline d{DisciplineConfig{}, 0, 1e-6};
  auto first = estimate_at(0, 1e-3);
  first.root_dispersion = 0.01;
  first.source_frequency = 3e-6;
  update(d, first);
  CHECK(d.tracking().rms_offset == Approx(1e-3));
  CHECK(d.tracking().residual_frequency == Approx(3e-6));
  // 1 ppm skew, 3 ppm residual, 1 ppm maxclockerror
  CHECK(d.root_dispersion(advanced(d.tracking().reference_time, 1000)) == Approx(0.01 + 5e-3));
  update(d, estimate_at(64, 0));
  CHECK(d.tracking().rms_offset == Approx(1e-3 * 0.94868).epsilon(1e-4));
  CHECK(d.tracking().last_offset == 0);
  // of the corrected clock: it was advanced by a millisecond in between
  CHECK(d.tracking().update_interval == Approx(63.999));
}
