// SPDX-License-Identifier: BSD-3-Clause
#include "clock/asymmetry.hpp"

#include <random>
#include <vector>

#include "catch.hpp"

using namespace wiretime::clock;

namespace {

// `there` and `back`: mean queue of each way, in any unit; the window slides by one sample an observation.
struct Path {
  std::mt19937_64 random{21};
  std::exponential_distribution<double> queue;
  std::vector<DelayResidual> window;

  void observe(Asymmetry& asymmetry, double there, double back, int times) {
    for (int i = 0; i < times; ++i) {
      const double a = there * queue(random);
      const double b = back * queue(random);
      window.push_back({a + b, (a - b) / 2});
      if (window.size() > 32) window.erase(window.begin());
      asymmetry.observe(window);
    }
  }
};

}  // namespace

TEST_CASE("jitter on one way only is found, with its sign, and corrected almost wholly") {
  for (const bool there : {true, false}) {
    Asymmetry asymmetry;
    Path path;
    path.observe(asymmetry, there ? 1 : 0.01, there ? 0.01 : 1, 40);
    CHECK(asymmetry.value() == Approx(there ? -0.5 : 0.5).margin(0.05));
    CHECK(asymmetry.share() < 0.1);
  }
}

TEST_CASE("symmetric jitter is never taken for one-sided") {
  Asymmetry asymmetry;
  Path path;
  for (int i = 0; i < 5000; ++i) {
    path.observe(asymmetry, 1, 1, 1);
    REQUIRE(asymmetry.value() == 0);
  }
  CHECK(asymmetry.share() == Approx(0.2887));
}

TEST_CASE("a correction ends when the jitter turns symmetric, and changes sign only through zero") {
  Asymmetry asymmetry;
  Path path;
  path.observe(asymmetry, 1, 0, 40);
  REQUIRE(asymmetry.value() < -0.4);
  path.observe(asymmetry, 1, 1, 60);
  CHECK(asymmetry.value() == 0);
  path.observe(asymmetry, 0, 1, 80);
  CHECK(asymmetry.value() > 0.4);
}

TEST_CASE("a given asymmetry is used as it is") {
  Asymmetry asymmetry{0.25};
  Path path;
  path.observe(asymmetry, 1, 0, 100);
  CHECK(asymmetry.value() == 0.25);
}
