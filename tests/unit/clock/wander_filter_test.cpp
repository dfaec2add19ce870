// SPDX-License-Identifier: BSD-3-Clause
#include "clock/wander_filter.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "catch.hpp"
#include "clock/regression.hpp"

using namespace wiretime::clock;

namespace {

// A clock whose frequency walks by `wander` a root second, measured each `interval` with white noise.
struct Walk {
  std::mt19937_64 random;
  double wander, jitter, interval;
  double offset = 0, frequency = 0;
  std::normal_distribution<double> normal{};

  std::vector<Observation> observe(std::size_t n) {
    std::vector<Observation> out;
    for (std::size_t i = 0; i < n; ++i) {
      for (int k = 0; k < 16; ++k) {
        const double dt = interval / 16;
        offset += frequency * dt;
        frequency += wander * std::sqrt(dt) * normal(random);
      }
      out.push_back({static_cast<double>(i + 1) * interval, offset + jitter * normal(random), 0});
    }
    return out;
  }
};

}  // namespace

TEST_CASE("without wander the filter is the least-squares line") {
  Walk walk{std::mt19937_64{3}, 0, 1e-5, 16};
  walk.frequency = 2e-6;
  const auto seen = walk.observe(20);
  WanderPrior prior;
  prior.frequency_sd = 1;  // nothing known
  const auto fit = run_wander_filter(seen, prior, {-60, 13});
  std::vector<Point> points;
  for (const Observation& o : seen) points.push_back({o.time - seen.back().time, o.offset, 1});
  const auto line = fit_line(points);
  REQUIRE(line);
  CHECK(fit.state.offset == Approx(line->offset).epsilon(1e-6));
  CHECK(fit.state.frequency == Approx(line->frequency).epsilon(1e-6));
}

TEST_CASE("the filter's own error bars are right for the noise it was told of") {
  double offset_z2 = 0;
  double frequency_z2 = 0;
  constexpr int kRuns = 1000;
  const NoiseModel noise{1, 13};
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    Walk walk{std::mt19937_64{seed}, noise.wander(), noise.jitter(), 16};
    const auto seen = walk.observe(40);
    const auto fit = run_wander_filter(seen, WanderPrior{}, noise);
    offset_z2 += std::pow(fit.state.offset - walk.offset, 2) / fit.state.p_oo;
    frequency_z2 += std::pow(fit.state.frequency - walk.frequency, 2) / fit.state.p_ff;
  }
  CHECK(offset_z2 / kRuns == Approx(1).margin(0.12));
  CHECK(frequency_z2 / kRuns == Approx(1).margin(0.12));
}

TEST_CASE("wander and jitter are found from the innovations") {
  for (const double wander : {1e-10, 1e-9, 3e-8}) {
    for (const double jitter : {1e-7, 1e-4}) {
      double wander_error = 0;
      double jitter_error = 0;
      constexpr int kRuns = 40;
      for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
        Walk walk{std::mt19937_64{seed}, wander, jitter, 64};
        const auto seen = walk.observe(64);
        const auto noise = improve_noise_model(seen, WanderPrior{}, NoiseModel{}, {jitter, 0}, 40);
        wander_error += std::log2(noise.wander() / wander) / kRuns;
        jitter_error += std::log2(noise.jitter() / jitter) / kRuns;
      }
      INFO("wander " << wander << " jitter " << jitter);
      // Where one of them drowns in the other it cannot be known, and need not be.
      if (wander * 64 * 8 * 4 > jitter) CHECK(std::fabs(wander_error) < 1);
      if (jitter * 4 > wander * 64 * 8) CHECK(std::fabs(jitter_error) < 1);
    }
  }
}

TEST_CASE("a state carried over as prior equals having kept its samples") {
  Walk walk{std::mt19937_64{9}, 1e-9, 1e-6, 4};
  const auto seen = walk.observe(50);
  const NoiseModel noise{0, 10};
  const auto whole = run_wander_filter(seen, WanderPrior{}, noise);
  WanderPrior carried;
  carried.has_state = true;
  carried.state = run_wander_filter(std::span{seen}.first(30), WanderPrior{}, noise).state;
  const auto rest = run_wander_filter(std::span{seen}.subspan(30), carried, noise);
  CHECK(rest.state.offset == whole.state.offset);
  CHECK(rest.state.p_ff == whole.state.p_ff);
}

TEST_CASE("a frequency known from before is used until the samples know better") {
  const std::vector<Observation> seen{{0, 0, 0}, {2, 2 * 50e-6, 0}, {4, 4 * 50e-6, 0}};
  WanderPrior sure;
  sure.frequency = 10e-6;
  sure.frequency_sd = 1e-9;
  WanderPrior unsure = sure;
  unsure.frequency_sd = 1e-3;
  CHECK(run_wander_filter(seen, sure, {0, 17}).state.frequency == Approx(10e-6).epsilon(0.01));
  CHECK(run_wander_filter(seen, unsure, {0, 10}).state.frequency == Approx(50e-6).epsilon(0.01));
}
