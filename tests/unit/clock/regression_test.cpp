// SPDX-License-Identifier: BSD-3-Clause
#include "clock/regression.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace wiretime::clock;

namespace {

std::vector<Point> line(std::size_t n, double offset, double frequency) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < n; ++i) {
    const double t = 16.0 * (static_cast<double>(i) - static_cast<double>(n - 1));
    points.push_back({t, offset + frequency * t, 1});
  }
  return points;
}

}  // namespace

TEST_CASE("a line is found exactly, whatever the weights") {
  auto points = line(10, 3e-3, -20e-6);
  for (std::size_t i = 0; i < points.size(); ++i) points[i].sigma = 1.0 + static_cast<double>(i % 3);
  const auto fit = fit_line(points);
  REQUIRE(fit);
  CHECK(fit->offset == Approx(3e-3).epsilon(1e-9));
  CHECK(fit->frequency == Approx(-20e-6).epsilon(1e-9));
  CHECK(fit->samples == 10);
  CHECK(fit->frequency_sd < 1e-15);
}

TEST_CASE("two points, or points of one moment, give no line") {
  CHECK_FALSE(fit_line(line(2, 0, 0)));
  const std::vector<Point> same(5, Point{1, 2, 1});
  CHECK_FALSE(fit_line(same));
}

TEST_CASE("the true frequency lies within the skew 95 times of 100, whatever the number of points") {
  std::mt19937_64 random{11};
  std::normal_distribution<double> noise{0, 1e-4};
  for (const std::size_t n : {3U, 5U, 8U, 20U, 60U}) {
    int within_frequency = 0;
    double offset_z2 = 0;
    constexpr int kRuns = 2000;
    for (int run = 0; run < kRuns; ++run) {
      auto points = line(n, 0, 5e-6);
      for (Point& p : points) p.offset += noise(random);
      const auto fit = fit_line(points);
      REQUIRE(fit);
      within_frequency += std::fabs(fit->frequency - 5e-6) <= fit->skew;
      offset_z2 += fit->offset * fit->offset;
    }
    INFO(n << " points");
    CHECK(within_frequency > kRuns * 0.935);
    CHECK(within_frequency < kRuns * 0.965);
    // variance of a line's end: (4 n - 2) / (n (n + 1)) of a point's
    const auto m = static_cast<double>(n);
    CHECK(offset_z2 / kRuns == Approx(1e-8 * (4 * m - 2) / (m * (m + 1))).epsilon(0.12));
  }
}

TEST_CASE("a heavily weighted point pulls the line to itself") {
  auto points = line(8, 0, 0);
  points.back().offset = 1;
  const auto light = fit_line(points);
  points.back().sigma = 0.01;
  const auto heavy = fit_line(points);
  REQUIRE(light);
  REQUIRE(heavy);
  CHECK(light->offset < 0.6);
  CHECK(heavy->offset > 0.99);
}

TEST_CASE("a bend shortens the window to the newest straight part, noise alone does not") {
  std::mt19937_64 random{5};
  std::normal_distribution<double> noise{0, 1e-6};
  int kept_straight = 0;
  for (int run = 0; run < 200; ++run) {
    auto points = line(60, 0, 1e-6);
    for (Point& p : points) p.offset += noise(random);
    const auto straight = fit_window(points, 6);
    REQUIRE(straight);
    kept_straight += straight->samples == 60;
    // Frequency changed by 1 ppm twenty samples ago.
    for (Point& p : points)
      if (p.time < -320) p.offset += (p.time + 320) * 1e-6;
    const auto bent = fit_window(points, 6);
    REQUIRE(bent);
    CHECK(bent->samples < 30);
    CHECK(bent->first + bent->samples == 60);
  }
  CHECK(kept_straight > 180);
}

TEST_CASE("the window is never cut below the minimum of samples") {
  auto points = line(40, 0, 0);
  for (Point& p : points) p.offset = p.time * p.time;
  const auto fit = fit_window(points, 12);
  REQUIRE(fit);
  CHECK(fit->samples == 12);
}

TEST_CASE("Student's quantiles are those of the tables") {
  CHECK(student_t(1) == Approx(12.706));
  CHECK(student_t(10) == Approx(2.228));
  CHECK(student_t(20) == Approx(2.086).epsilon(1e-3));
  CHECK(student_t(60) == Approx(2.000).epsilon(1e-3));
}
