// SPDX-License-Identifier: BSD-3-Clause
#include "clock/source_statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr std::size_t kSamplesForLine = 3;
constexpr double kOutlierSigmas = 5;
constexpr std::size_t kSamplesForOutlier = 8;  // fewer say too little of the noise
constexpr unsigned kOutliersForChange = 3;
constexpr std::size_t kFirstSamples = 3;     // that may be from before the clock ran evenly
constexpr std::size_t kSamplesForStart = 4;  // after them, to tell
constexpr std::size_t kStartIsOver = 16;     // samples
constexpr int kNoiseStepsForStart = 12;
constexpr std::size_t kSamplesForPath = 8;
constexpr double kPathSpreads = 10;  // of the delays' mean above their least
constexpr int kNoiseSteps = 2;
constexpr double kGuessGain = 1.0 / 64;
constexpr double kGuessRange = 10;  // powers of two about 1e-9

double square(double x) {
  return x * x;
}

}  // namespace

SourceStatistics::SourceStatistics(const StatisticsConfig& config)
    : config_{config}, asymmetry_{config.asymmetry} {
  config_.max_samples = std::clamp<std::size_t>(config_.max_samples, 1, kMaxSamples);
  config_.min_samples = std::min(config_.min_samples, config_.max_samples);
  samples_.reserve(kMaxSamples + 1);
  extra_.reserve(kMaxSamples + 1);
  observations_.reserve(kMaxSamples + 1);
  prior_.frequency_sd = config_.frequency_sd;
}

void SourceStatistics::reset() {
  samples_.clear();
  extra_.clear();
  prior_ = WanderPrior{};
  prior_.frequency_sd = config_.frequency_sd;
  noise_ = NoiseModel{};
  guess_ = NoiseGuess{};
  outliers_ = 0;
  path_first_ = 0;
  asymmetry_.reset();
  fit_.reset();
  spread_ = 0;
  filtered_ = {};
  estimate_ = {};
}

double SourceStatistics::span() const {
  return fit_ ? seconds_between(samples_[fit_->first].time, samples_.back().time) : 0;
}

double SourceStatistics::memory() const {
  if (samples_.size() < kSamplesForLine) return static_cast<double>(samples_.size());
  // The end of a line through n samples of variance r has the variance 4 r / n.
  double information = 0;
  for (const Observation& o : observations_) information += 1 / (square(noise_.jitter()) + o.excess);
  const double r = static_cast<double>(observations_.size()) / information;
  return 4 * r / filtered_.state.p_oo;
}

double SourceStatistics::excess(const Sample& s, double base) const {
  return std::max(0.0, s.peer_delay - (config_.min_delay > 0 ? config_.min_delay : base));
}

double SourceStatistics::corrected_offset(const Sample& s, double base) const {
  return s.offset + asymmetry_.value() * excess(s, base);
}

double SourceStatistics::excess_variance(const Sample& s, double base, double extra) const {
  const double dispersion = std::max(0.0, s.peer_dispersion - min_dispersion_);
  return square(asymmetry_.share() * excess(s, base)) + square(dispersion) + extra;
}

// The least delay of the newest samples is far above that of all before: packets take another way now, and
// are measured against its least delay. A shorter path needs no such care.
void SourceStatistics::notice_longer_path() {
  if (samples_.size() - path_first_ < 2 * kSamplesForPath) return;
  const auto first = samples_.begin() + static_cast<std::ptrdiff_t>(path_first_);
  const auto newer = samples_.end() - static_cast<std::ptrdiff_t>(kSamplesForPath);
  const auto summary = [](auto from, auto to) {
    double least = from->peer_delay;
    double sum = 0;
    for (auto s = from; s != to; ++s) {
      least = std::min(least, s->peer_delay);
      sum += s->peer_delay;
    }
    return std::pair{least, sum / static_cast<double>(to - from) - least};
  };
  const auto [old_least, old_spread] = summary(first, newer);
  const auto [new_least, new_spread] = summary(newer, samples_.end());
  if (new_least - old_least > kPathSpreads * std::max({old_spread, new_spread, config_.clock_precision}))
    path_first_ = static_cast<std::size_t>(newer - samples_.begin());
}

void SourceStatistics::fill_observations() {
  observations_.clear();
  notice_longer_path();
  const auto least_delay = [this](std::size_t from, std::size_t to) {
    double least = samples_[from].peer_delay;
    for (std::size_t i = from; i < to; ++i) least = std::min(least, samples_[i].peer_delay);
    return least;
  };
  min_delay_ = config_.min_delay > 0 ? config_.min_delay : least_delay(path_first_, samples_.size());
  old_min_delay_ = path_first_ > 0 ? least_delay(0, path_first_) : min_delay_;
  min_dispersion_ = samples_[0].peer_dispersion;
  for (const Sample& s : samples_) min_dispersion_ = std::min(min_dispersion_, s.peer_dispersion);
  double sum = 0;
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const Sample& s = samples_[i];
    const double base = i < path_first_ ? old_min_delay_ : min_delay_;
    sum += excess(s, base);
    observations_.push_back(
        {seconds(s.time), corrected_offset(s, base), excess_variance(s, base, extra_[i])});
  }
  mean_excess_ = sum / static_cast<double>(samples_.size());
}

void SourceStatistics::drop_oldest() {
  // What the sample told lives on as the state before the next one.
  prior_.state = run_wander_filter(std::span{observations_}.first(1), prior_, noise_).state;
  prior_.has_state = true;
  samples_.erase(samples_.begin());
  extra_.erase(extra_.begin());
  observations_.erase(observations_.begin());
  if (path_first_ > 0) --path_first_;
}

// One sample far from the prediction is a bad sample and is given little weight. Three in a row on the same
// side mean that the source, the path or the oscillator changed: start over from them.
void SourceStatistics::note_outlier(const Sample& sample) {
  extra_.push_back(0);
  if (samples_.size() <= kSamplesForOutlier) return;
  OscillatorState predicted = filtered_.state;
  predicted.advance(seconds(sample.time) - predicted.time, noise_.wander());
  const double innovation = corrected_offset(sample, min_delay_) - predicted.offset;
  const double variance = predicted.p_oo + square(noise_.jitter()) + excess_variance(sample, min_delay_, 0);
  if (square(innovation) <= square(kOutlierSigmas) * variance) {
    outliers_ = 0;
    return;
  }
  extra_.back() = square(innovation);
  const bool positive = innovation > 0;
  outliers_ = outliers_ > 0 && positive == outliers_positive_ ? outliers_ + 1 : 1;
  outliers_positive_ = positive;
  if (outliers_ < kOutliersForChange) return;

  const auto keep = static_cast<std::ptrdiff_t>(kOutliersForChange);
  const double since = seconds_between((samples_.end() - keep - 1)->time, sample.time);
  prior_.has_state = false;
  prior_.frequency = filtered_.state.frequency;
  prior_.frequency_sd = std::sqrt(predicted.p_ff) + std::fabs(innovation) / since;
  samples_.erase(samples_.begin(), samples_.end() - keep);
  extra_.assign(kOutliersForChange, 0);
  outliers_ = 0;
  path_first_ = 0;
}

// The clock did not run evenly from the first sample on: the oscillator had just started or somebody was
// still setting its frequency. Nothing was known then to judge the first samples by, and one of them would
// widen the noise of the whole window; so later ones judge them, looking back. The clock model has no
// direction of time.
void SourceStatistics::forget_false_start() {
  const std::size_t n = observations_.size();
  if (prior_.has_state || n < kFirstSamples + kSamplesForStart || n > kStartIsOver) return;
  std::array<Observation, kStartIsOver> back;
  for (std::size_t i = 0; i < n; ++i) {
    back[i] = observations_[n - 1 - i];
    back[i].time = -back[i].time;
  }
  const auto later = std::span{back}.first(n - kFirstSamples);
  WanderPrior unknown;
  unknown.frequency = -filtered_.state.frequency;
  NoiseModel noise;
  noise.jitter_exponent = static_cast<int>(std::lround(std::log2(std::max(guess_.jitter, 1e-9) * 1e9)));
  noise = improve_noise_model(later, unknown, noise, guess_, kNoiseStepsForStart);
  OscillatorState state = run_wander_filter(later, unknown, noise).state;
  for (std::size_t i = kFirstSamples; i-- > 0;) {
    const Observation& o = back[n - 1 - i];
    state.advance(o.time - state.time, noise.wander());
    const double r = square(noise.jitter()) + o.excess;
    if (square(o.offset - state.offset) > square(kOutlierSigmas) * (state.p_oo + r)) {
      const auto bad = static_cast<std::ptrdiff_t>(i + 1);
      samples_.erase(samples_.begin(), samples_.begin() + bad);
      extra_.erase(extra_.begin(), extra_.begin() + bad);
      path_first_ = 0;
      fill_observations();
      noise_ = noise;
      return;
    }
    state.update(o.offset, r);
  }
}

bool SourceStatistics::add(const Sample& sample) {
  if (!samples_.empty() && sample.time <= samples_.back().time) return false;
  if (samples_.empty()) origin_ = sample.time;
  samples_.push_back(sample);
  note_outlier(sample);
  refit();
  return true;
}

void SourceStatistics::refit() {
  fill_observations();
  while (samples_.size() > config_.max_samples) drop_oldest();

  const double floor = std::max(config_.clock_precision, samples_.back().peer_dispersion * 0.1);
  const double expected = std::max(floor, asymmetry_.share() * mean_excess_);
  guess_.jitter = expected;
  if (samples_.size() >= kSamplesForLine) {
    forget_false_start();
    noise_ = improve_noise_model(observations_, prior_, noise_, guess_, kNoiseSteps);
    // The window alone cannot tell a good oscillator from an excellent one; many windows can.
    guess_.wander_exponent =
        std::clamp(guess_.wander_exponent + (noise_.wander_exponent - guess_.wander_exponent) * kGuessGain,
                   -kGuessRange, kGuessRange);
  } else {
    noise_.jitter_exponent = static_cast<int>(std::lround(std::log2(std::max(expected, 1e-9) * 1e9)));
  }
  filtered_ = run_wander_filter(observations_, prior_, noise_);

  std::array<Point, kMaxSamples> points;
  const double newest = observations_.back().time;
  for (std::size_t i = 0; i < observations_.size(); ++i) {
    const Observation& o = observations_[i];
    points[i] = {o.time - newest, o.offset, std::sqrt(square(noise_.jitter()) + o.excess)};
  }
  fit_ = fit_window(std::span{points}.first(observations_.size()), config_.min_samples);

  look_at_residuals();
  const OscillatorState& s = filtered_.state;
  const double r = square(noise_.jitter()) + observations_.back().excess;
  estimate_.time = samples_.back().time;
  estimate_.offset = s.offset;
  estimate_.offset_sd = std::sqrt(s.p_oo);
  estimate_.frequency = s.frequency;
  estimate_.frequency_sd = std::sqrt(s.p_ff);
  estimate_.skew = estimate_.frequency_sd * student_t(samples_.size() > 2 ? samples_.size() - 2 : 1);
  estimate_.wander = noise_.wander();
  // Gain times the spread of a sample: what an ordinary sample moves the estimate by.
  estimate_.correction = s.p_oo / std::sqrt(r);
}

// Residuals about the line, which the newest samples do not pull to themselves as they do the filter's state.
void SourceStatistics::look_at_residuals() {
  spread_ = 0;
  if (!fit_) return;
  std::array<DelayResidual, kMaxSamples> residuals;
  const double newest = observations_.back().time;
  std::size_t n = 0;
  double squares = 0;
  for (std::size_t i = fit_->first; i < samples_.size(); ++i) {
    const double line = fit_->offset + fit_->frequency * (observations_[i].time - newest);
    const double residual = samples_[i].offset - line;
    squares += square(residual);
    if (i >= path_first_) residuals[n++] = {excess(samples_[i], min_delay_), residual};
  }
  spread_ = std::sqrt(squares / static_cast<double>(fit_->samples - 2));
  asymmetry_.observe(std::span{residuals}.first(n));
}

void SourceStatistics::shift(const ClockChange& change) {
  if (samples_.empty()) return;
  const auto shift_frequency = [&](double& f) { f = (f - change.frequency) / (1 + change.frequency); };
  const double at = seconds(change.at);
  const auto shift_state = [&](OscillatorState& s) {
    const double d = change.offset + (s.time - at) * change.frequency;
    s.offset -= d;
    s.time += d + change.leap;
    shift_frequency(s.frequency);
  };
  for (Sample& s : samples_) change.apply(s);
  if (prior_.has_state) shift_state(prior_.state);
  shift_frequency(prior_.frequency);
  shift_state(filtered_.state);
  const double d = change.moved(estimate_.time);
  estimate_.offset -= d;
  estimate_.time = advanced(estimate_.time, d + change.leap);
  shift_frequency(estimate_.frequency);
  if (fit_) {
    fit_->offset -= d;
    shift_frequency(fit_->frequency);
  }
}

double SourceStatistics::offset_at(WallTime t) const {
  return estimate_.offset + estimate_.frequency * seconds_between(estimate_.time, t);
}

double SourceStatistics::offset_sd_at(WallTime t) const {
  OscillatorState s = filtered_.state;
  s.advance(std::max(0.0, seconds_between(estimate_.time, t)), estimate_.wander);
  return std::sqrt(s.p_oo);
}

SourceStatistics::Best SourceStatistics::best_sample(WallTime now, double clock_error) const {
  Best best;
  const double growth = clock_error + estimate_.skew;
  bool first = true;
  for (const Sample& s : samples_) {
    const double age = seconds_between(s.time, now);
    const double dispersion = s.root_dispersion + std::fabs(age) * growth;
    const double distance = s.root_delay / 2 + dispersion;
    if (!first && distance > best.distance) continue;
    first = false;
    best = {s.offset + estimate_.frequency * age, distance, s.root_delay, dispersion};
  }
  return best;
}

}  // namespace wiretime::clock
