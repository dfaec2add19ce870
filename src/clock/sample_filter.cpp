// SPDX-License-Identifier: BSD-3-Clause
#include "clock/sample_filter.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace wiretime::clock {

namespace {

constexpr std::size_t kEnough = 4;

// The sample in the middle of `used`, with their mean time and offset: one straight line has its mean at the
// mean time.
Sample mean_of(std::span<const Sample> used) {
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
  double variance = 0;
  for (const Sample& s : used) variance += (s.offset - offset) * (s.offset - offset);
  const double error = used.size() > 1 ? std::sqrt(variance / (n - 1) / n) : 0;
  out.time = advanced(origin, time);
  out.offset = offset;
  out.root_dispersion += error;
  out.peer_dispersion = std::hypot(dispersion, error);
  return out;
}

}  // namespace

SampleFilter::SampleFilter(FilterKind kind, std::size_t length, bool full)
    : kind_{kind},
      length_{std::max<std::size_t>(length, 1)},
      needed_{full ? length_ : std::min(length_, kEnough)} {
  samples_.reserve(length_ + 1);
}

bool SampleFilter::add(const Sample& sample) {
  if (!samples_.empty() && sample.time <= samples_.back().time) return false;
  samples_.push_back(sample);
  if (samples_.size() > length_) samples_.erase(samples_.begin());
  return true;
}

std::optional<Sample> SampleFilter::take() {
  if (samples_.size() < needed_) return std::nullopt;
  const std::size_t n = samples_.size();
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
  const Sample out = mean_of(std::span{samples_}.subspan(first, keep));
  samples_.clear();
  return out;
}

void SampleFilter::shift(const ClockChange& change) {
  for (Sample& s : samples_) change.apply(s);
}

}  // namespace wiretime::clock
