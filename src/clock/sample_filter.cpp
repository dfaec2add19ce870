// SPDX-License-Identifier: BSD-3-Clause
#include "clock/sample_filter.hpp"

#include <algorithm>
#include <cmath>

#include "clock/regression.hpp"

namespace wiretime::clock {

namespace {

constexpr double kMostDegrees = 50;  // what the pooled variance remembers
// A scatter this far above the usual is real, not chance.
constexpr double kUnusual = 3;

struct Scatter {
  double variance = 0;
  double degrees = 0;
};

// About a straight line if there are samples enough for one: a clock that drifts is no noise.
Scatter scatter_of(std::span<const Sample> used) {
  const auto n = static_cast<double>(used.size());
  if (used.size() >= 4) {
    std::vector<Point> points;
    for (const Sample& s : used) points.push_back({seconds_between(used[0].time, s.time), s.offset, 1});
    if (const auto line = fit_line(points)) return {line->residual_sd * line->residual_sd, n - 2};
  }
  if (used.size() < 2) return {};
  double mean = 0;
  for (const Sample& s : used) mean += s.offset / n;
  double sum = 0;
  for (const Sample& s : used) sum += (s.offset - mean) * (s.offset - mean);
  return {sum / (n - 1), n - 1};
}

}  // namespace

SampleFilter::SampleFilter(FilterKind kind, std::size_t length, double max_spread)
    : kind_{kind}, length_{std::max<std::size_t>(length, 1)}, max_spread_{max_spread} {}

bool SampleFilter::add(const Sample& sample) {
  if (last_ && sample.time <= last_->time) return false;
  last_ = sample;
  samples_.push_back(sample);
  if (samples_.size() > length_) samples_.erase(samples_.begin());
  return true;
}

double SampleFilter::spread() const {
  return std::sqrt(variance_);
}

void SampleFilter::learn(double variance, double degrees) {
  if (degrees <= 0) return;
  const double total = std::min(degrees_, kMostDegrees) + degrees;
  variance_ += degrees / total * (variance - variance_);
  degrees_ = total;
}

// The sample in the middle of `used`, with their mean time and offset: one straight line has its mean at the
// mean time.
Sample SampleFilter::mean_of(std::span<const Sample> used, double error) const {
  const auto n = static_cast<double>(used.size());
  Sample out = *std::max_element(used.begin(), used.end(),
                                 [](const Sample& a, const Sample& b) { return a.time < b.time; });
  const WallTime origin = out.time;
  double time = 0;
  double offset = 0;
  double dispersion = used[0].peer_dispersion;
  for (const Sample& s : used) {
    time += seconds_between(origin, s.time) / n;
    offset += s.offset / n;
    out.peer_delay = std::min(out.peer_delay, s.peer_delay);
    out.root_delay = std::min(out.root_delay, s.root_delay);
    out.root_dispersion = std::min(out.root_dispersion, s.root_dispersion);
    dispersion = std::min(dispersion, s.peer_dispersion);
  }
  out.time = advanced(origin, time);
  out.offset = offset;
  out.root_dispersion += error;
  out.peer_dispersion = std::hypot(dispersion, error);
  return out;
}

std::optional<Sample> SampleFilter::take() {
  const std::size_t n = samples_.size();
  if (n == 0 || (kind_ == FilterKind::network && n < length_)) return std::nullopt;
  const auto keep =
      std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(kKept * static_cast<double>(n))));
  std::size_t first = 0;
  if (kind_ == FilterKind::network) {
    std::sort(samples_.begin(), samples_.end(),
              [](const Sample& a, const Sample& b) { return a.peer_delay < b.peer_delay; });
  } else {
    std::sort(samples_.begin(), samples_.end(),
              [](const Sample& a, const Sample& b) { return a.offset < b.offset; });
    first = (n - keep) / 2;
  }
  const auto used = std::span{samples_}.subspan(first, keep);
  const Scatter now = scatter_of(used);
  std::optional<Sample> out;
  if (max_spread_ <= 0 || now.variance <= max_spread_ * max_spread_) {
    learn(now.variance, now.degrees);
    // Few samples tell their own scatter badly: the usual one is the better guess.
    const double variance = now.variance > kUnusual * variance_ ? now.variance : variance_;
    out = mean_of(used, std::sqrt(variance / static_cast<double>(keep)));
  }
  samples_.clear();
  return out;
}

void SampleFilter::shift(const ClockChange& change) {
  for (Sample& s : samples_) change.apply(s);
  if (last_) change.apply(*last_);
}

void SampleFilter::reset() {
  samples_.clear();
  last_.reset();
}

}  // namespace wiretime::clock
