// SPDX-License-Identifier: BSD-3-Clause
// What is known of the local clock against one source: up to 64 samples, the line through them that operators
// see (regression.hpp) and the estimate the clock is steered by (wander_filter.hpp). Samples move with every
// correction of the clock (shift), so an estimate never sees its own corrections. Control thread; pure.
//
// Error of a sample: with delay S above the minimum made of two queues of independent exponential length, the
// offset error is uniform in +-S/2, so its standard deviation is S/sqrt(12); white noise of unknown level
// (timestamps), found from the samples, and dispersion above the least in the window are added.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "clock/asymmetry.hpp"
#include "clock/regression.hpp"
#include "clock/sample.hpp"
#include "clock/wander_filter.hpp"

namespace wiretime::clock {

struct StatisticsConfig {
  std::size_t min_samples = 6;      // the runs test leaves at least these
  std::size_t max_samples = 64;     // 1..64
  double min_delay = 0;             // s, of the path when known (`mindelay`); 0: the least one seen
  std::optional<double> asymmetry;  // -0.5..0.5; not given: estimated
  double clock_precision = 1e-9;    // s
  double frequency_sd = 300e-6;     // of the local clock before the first sample; from the drift file, better
};

// At `time`; the functions below tell it at other times.
struct SourceEstimate {
  WallTime time{};
  double offset = 0;        // s
  double offset_sd = 0;     // s
  double frequency = 0;     // s/s
  double frequency_sd = 0;  // s/s
  double skew = 0;          // 95 % bound of frequency
  double wander = 0;        // per root second
  double correction = 0;    // s: typical change of the estimate by one more sample
};

class SourceStatistics {
 public:
  static constexpr std::size_t kMaxSamples = 64;

  explicit SourceStatistics(const StatisticsConfig& config);

  // Samples come in order of time: one not later than the last is ignored (false).
  bool add(const Sample& sample);
  void reset();

  void shift(const ClockChange& change);

  [[nodiscard]] std::size_t samples() const { return samples_.size(); }
  [[nodiscard]] const std::vector<Sample>& window() const { return samples_; }  // oldest first
  // Of the path's jitter, in use now: 0 unless given or found to be one-sided.
  [[nodiscard]] double asymmetry() const { return asymmetry_.value(); }
  // Enough samples for an estimate.
  [[nodiscard]] bool ready() const { return fit_.has_value() || samples_.size() == config_.max_samples; }
  [[nodiscard]] const SourceEstimate& estimate() const { return estimate_; }  // requires one sample
  [[nodiscard]] const std::optional<LineFit>& line() const { return fit_; }
  // How many samples' worth of information the offset estimate holds; a straight line through n equal samples
  // has n. Stops growing when wander makes older ones useless.
  [[nodiscard]] double memory() const;
  [[nodiscard]] double span() const;  // s, of the samples used by the line

  [[nodiscard]] double offset_at(WallTime t) const;
  // Variance of the estimate grows between samples by frequency error and wander.
  [[nodiscard]] double offset_sd_at(WallTime t) const;
  [[nodiscard]] double min_delay() const { return min_delay_; }
  // Weighted standard deviation of the samples about the line: the `Std Dev` of sourcestats, as chronyd has
  // it.
  [[nodiscard]] double std_dev() const { return fit_ ? fit_->residual_sd : 0; }
  // The same whatever their weights.
  [[nodiscard]] double spread() const { return spread_; }

  // The sample with the least root distance at `now`, its error growing at `clock_error` plus skew; the true
  // offset lies within `distance` of `offset` unless the source or the path is worse than it says.
  struct Best {
    double offset = 0;           // s, carried to `now` at the estimated frequency
    double distance = 0;         // s, root distance
    double root_delay = 0;       // s, of that sample
    double root_dispersion = 0;  // s, grown to `now`
  };
  [[nodiscard]] Best best_sample(WallTime now, double clock_error) const;

 private:
  void refit();
  void note_outlier(const Sample& sample);
  void drop_oldest();
  void forget_false_start();
  [[nodiscard]] double seconds(WallTime t) const { return seconds_between(origin_, t); }
  [[nodiscard]] double excess(const Sample& s, double base) const;
  [[nodiscard]] double excess_variance(const Sample& s, double base, double extra) const;
  [[nodiscard]] double corrected_offset(const Sample& s, double base) const;
  void notice_longer_path();
  void look_at_residuals();
  void fill_observations();

  StatisticsConfig config_;
  std::vector<Sample> samples_;            // oldest first
  std::vector<double> extra_;              // s^2 for each: what is added to the variance of an outlier
  std::vector<Observation> observations_;  // scratch, same indices
  WallTime origin_{};                      // of the prior's and the observations' times
  WanderPrior prior_;
  NoiseModel noise_;
  NoiseGuess guess_;
  std::size_t path_first_ = 0;  // index of the first sample that came over today's path
  double old_min_delay_ = 0;    // of the samples before
  double min_delay_ = 0;        // of the others
  double min_dispersion_ = 0;
  double mean_excess_ = 0;
  Asymmetry asymmetry_;
  unsigned outliers_ = 0;  // in a row, with the same sign
  bool outliers_positive_ = false;
  std::optional<LineFit> fit_;
  double spread_ = 0;
  WanderFit filtered_;
  SourceEstimate estimate_;
};

}  // namespace wiretime::clock
