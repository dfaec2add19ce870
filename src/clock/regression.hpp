// SPDX-License-Identifier: BSD-3-Clause
// Weighted least-squares line through offsets over time, over the longest newest window in which a line still
// fits (Wald-Wolfowitz runs test on the signs of the residuals, normal approximation with continuity
// correction). Gives what operators read in `sourcestats`: samples, runs, frequency, skew, standard
// deviation. Control thread; pure. Source: Weisberg, Applied Linear Regression, chapter 2; Bradley,
// Distribution-Free Tests, ch. 11.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace wiretime::clock {

struct Point {
  double time = 0;    // s, any origin
  double offset = 0;  // s
  double sigma = 1;   // s, > 0: relative error; weight is 1 / sigma^2
};

struct LineFit {
  std::size_t first = 0;    // index of the oldest point used; all newer ones are used
  std::size_t samples = 0;  // used
  unsigned runs = 0;        // of residuals with the same sign
  double offset = 0;        // at time 0
  double frequency = 0;     // s/s
  double offset_sd = 0;     // of offset
  double frequency_sd = 0;  // of frequency
  double skew = 0;          // 95 % bound of frequency
  double residual_sd = 0;   // weighted standard deviation about the line, scaled to the mean weight
};

// 97.5 % quantile of Student's t distribution; `degrees` >= 1.
[[nodiscard]] double student_t(std::size_t degrees);

// Fewer runs than chance explains (one-sided 5 %): the points do not lie on a line. `positive` + `negative`
// are the counts of signs.
[[nodiscard]] bool too_few_runs(unsigned runs, std::size_t positive, std::size_t negative);

// All of the points; nullopt with fewer than three, or when all have the same time.
[[nodiscard]] std::optional<LineFit> fit_line(std::span<const Point> points);

// Drops oldest points until the runs test passes or `min_samples` are left. Points are oldest first.
[[nodiscard]] std::optional<LineFit> fit_window(std::span<const Point> points, std::size_t min_samples);

}  // namespace wiretime::clock
