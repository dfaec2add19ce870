// SPDX-License-Identifier: BSD-3-Clause
#include "clock/nic_map.hpp"

#include <algorithm>
#include <cmath>

#include "clock/regression.hpp"

namespace wiretime::clock {

namespace {

constexpr std::size_t kLeastWindow = 16;
constexpr double kExpiry = 2;      // s without readings
constexpr double kMissed = 4;      // readings in a row, when these are further apart
constexpr double kOldest = 50e-3;  // s, NicSnapshot::oldest
constexpr double kNewest = 100e-6;
// Readings this much wider than the narrowest of their set are as good: the bus has its own jitter.
constexpr double kAsNarrow = 1.1;
// What another daemon may slew the clock by between two readings without that being a step.
constexpr double kJump = 20e-6;        // s
constexpr double kJumpGrowth = 1e-3;   // s/s
constexpr double kStandstill = 0.01;   // of what the clock should have advanced by
constexpr unsigned kMostRepairs = 10;  // in a row: halves that do not match last for one reading or two
constexpr double kOutlier = 6;         // times the median deviation, 4 standard deviations
constexpr double kWander = 50e-9;      // s/s that the rate may change by before the next reading
constexpr double kTwoTo32 = 4294967296.0;

}  // namespace

NicMap::NicMap(double ticks_per_second, unsigned counter_bits, const NicOptions& options)
    : ticks_per_second_{ticks_per_second},
      wraps_at_32_{counter_bits == 32},
      options_{options},
      expiry_{std::max(kExpiry, kMissed * std::max(options.least_interval, options.most_interval))} {}

NicEvent NicMap::count(NicEvent event) {
  ++counts_[static_cast<std::size_t>(event)];
  return event;
}

double NicMap::ticks_per_nic() const {
  if (line_) return line_->ticks_per_nic;
  if (readings_.size() < 2) return ticks_per_second_ * 1e-9;  // until we know better, it counts nanoseconds
  const Reading& first = readings_.front();
  const Reading& last = readings_.back();
  const double ticks = static_cast<double>(last.ticks.value - first.ticks.value);
  return ticks / static_cast<double>(last.nic - first.nic);
}

double NicMap::late(const Reading& r, const Reading& earlier) const {
  const auto ticks = static_cast<std::int64_t>(r.ticks.value - earlier.ticks.value);
  const auto nic = static_cast<std::int64_t>(r.nic - earlier.nic);
  return static_cast<double>(ticks) + (r.fraction - earlier.fraction) -
         static_cast<double>(nic) * ticks_per_nic();
}

double NicMap::tolerance(const Reading& r, const Reading& earlier) const {
  return r.half_width + earlier.half_width + kJump * ticks_per_second_ +
         kJumpGrowth * static_cast<double>(r.ticks.value - earlier.ticks.value);
}

std::optional<NicMap::Reading> NicMap::best_of(std::span<const NicReading> readings) const {
  const auto width = [](const NicReading& r) { return r.after.value - r.before.value; };
  const NicReading* best = nullptr;
  for (const NicReading& r : readings)
    if (r.after >= r.before && (best == nullptr || width(r) < width(*best))) best = &r;
  if (best == nullptr) return std::nullopt;
  Reading out{best->nic, {best->before.value + width(*best) / 2}, 0, static_cast<double>(width(*best)) / 2};
  double sum = 0;
  double count = 0;
  for (const NicReading& r : readings) {
    if (r.after < r.before || static_cast<double>(width(r)) > kAsNarrow * static_cast<double>(width(*best)))
      continue;
    const Reading other{r.nic, {r.before.value + width(r) / 2}, width(r) % 2 != 0 ? 0.5 : 0, 0};
    const double off = late(other, out);
    if (std::fabs(off) > out.half_width) continue;  // the clock jumped in between, or its rate is not known
    sum += off;
    ++count;
  }
  out.fraction = count > 0 ? sum / count : 0;
  out.half_width = std::max(out.half_width, options_.precision * ticks_per_second_);
  return out;
}

void NicMap::unwrap(Reading& r) const {
  if (!wraps_at_32_ || readings_.empty()) return;
  const std::uint64_t last = readings_.back().nic;
  r.nic = last + static_cast<std::uint32_t>(r.nic - last);
}

NicEvent NicMap::add(std::span<const NicReading> readings) {
  auto best = best_of(readings);
  if (!best) return doubt(NicEvent::nonsense);
  Reading& r = *best;
  if (r.nic == 0) return doubt(NicEvent::zero);
  if (readings_.empty()) return take(r, NicEvent::taken);
  const Reading& last = readings_.back();
  if (r.ticks <= last.ticks) return doubt(NicEvent::nonsense);
  unwrap(r);
  const double expected = static_cast<double>(r.ticks.value - last.ticks.value) / ticks_per_nic();
  if (static_cast<double>(r.nic - last.nic) < kStandstill * expected) return doubt(NicEvent::frozen);
  if (!line_) {
    // Two readings make any rate: only the third can disagree.
    const bool backwards = static_cast<std::int64_t>(r.nic - last.nic) < 0;
    const bool off = readings_.size() > 1 && std::fabs(late(r, last)) > tolerance(r, last);
    if (!backwards && !off) return take(r, NicEvent::taken);
    readings_.clear();
    return take(r, NicEvent::restarted);
  }
  const double off = late(r, last) - line_->offset;
  const double limit = tolerance(r, last);
  if (std::fabs(off) <= limit) return take(r, NicEvent::taken);
  const double wrap = std::copysign(kTwoTo32 * line_->ticks_per_nic, off);
  if (!wraps_at_32_ && std::fabs(off - wrap) <= limit && repairs_ < kMostRepairs) {
    ++repairs_;
    const std::uint64_t by = std::uint64_t{1} << 32;
    r.nic += off > 0 ? by : 0 - by;
    return take(r, NicEvent::repaired);
  }
  return jumped(r);
}

NicEvent NicMap::take(const Reading& r, NicEvent event) {
  readings_.push_back(r);
  if (readings_.size() > options_.most_readings) readings_.erase(readings_.begin());
  in_doubt_ = false;
  suspect_.reset();
  if (event != NicEvent::repaired) repairs_ = 0;
  if (readings_.size() >= options_.least_readings) fit();
  return count(event);
}

NicEvent NicMap::doubt(NicEvent event) {
  in_doubt_ = true;
  return count(event);
}

// One reading far off is an outlier; a second that fits to the first is a clock that was set.
NicEvent NicMap::jumped(const Reading& r) {
  in_doubt_ = true;
  if (!suspect_ || r.nic <= suspect_->nic || std::fabs(late(r, *suspect_)) > tolerance(r, *suspect_)) {
    suspect_ = r;
    return count(NicEvent::jumped);
  }
  readings_.assign({*suspect_, r});
  repairs_ = 0;
  line_.reset();
  suspect_.reset();
  in_doubt_ = false;
  return count(NicEvent::restarted);
}

void NicMap::fit() {
  const Reading last = readings_.back();
  const double rate = ticks_per_nic();
  std::vector<Point> points;
  points.reserve(readings_.size());
  for (const Reading& r : readings_) {
    const double nic = static_cast<double>(static_cast<std::int64_t>(r.nic - last.nic));
    const double ticks = static_cast<double>(static_cast<std::int64_t>(r.ticks.value - last.ticks.value));
    points.push_back({nic * rate / ticks_per_second_, ticks + r.fraction - nic * rate, 1 + r.half_width});
  }
  auto line = fit_window(points, kLeastWindow);
  if (!line) return;
  std::vector<double> deviations;
  const auto deviation = [&](const Point& p) {
    return std::fabs(p.offset - line->offset - line->frequency * p.time);
  };
  const std::span<const Point> window = std::span{points}.subspan(line->first);
  for (const Point& p : window) deviations.push_back(deviation(p));
  const auto middle = deviations.begin() + static_cast<std::ptrdiff_t>(deviations.size() / 2);
  std::nth_element(deviations.begin(), middle, deviations.end());
  const double most = kOutlier * *middle + 1;
  std::vector<Point> kept;
  for (const Point& p : window)
    if (deviation(p) <= most) kept.push_back(p);
  if (auto trimmed = fit_line(kept)) line = trimmed;
  double narrowest = last.half_width;
  for (const Reading& r : std::span{readings_}.subspan(readings_.size() - window.size()))
    narrowest = std::min(narrowest, r.half_width);
  line_ = Line{rate * (1 + line->frequency / ticks_per_second_), line->offset,
               narrowest + 2 * line->offset_sd, line->skew / ticks_per_second_};
}

bool NicMap::ready(Ticks now) const {
  if (!line_ || in_doubt_) return false;
  const auto age = static_cast<std::int64_t>(now.value - readings_.back().ticks.value);
  return static_cast<double>(age) < expiry_ * ticks_per_second_;
}

NicSnapshot NicMap::snapshot() const {
  NicSnapshot s;
  s.wraps_at_32 = wraps_at_32_;
  if (!line_ || in_doubt_) return s;
  const auto ticks = [&](double seconds) { return static_cast<std::uint64_t>(seconds * ticks_per_second_); };
  const Reading& last = readings_.back();
  s.anchor_nic = last.nic;
  s.anchor_ticks.value = last.ticks.value + static_cast<std::uint64_t>(std::llround(line_->offset));
  s.rate = static_cast<std::uint64_t>(std::ldexp(line_->ticks_per_nic, NicSnapshot::kRateShift));
  s.expires.value = last.ticks.value + ticks(expiry_);
  s.oldest = ticks(kOldest);
  s.newest = ticks(kNewest);
  s.error_bound_ns = static_cast<std::uint32_t>(std::min(error_bound() * 1e9 + 1, 4e9));
  s.error_growth_ppb = static_cast<std::uint32_t>(std::min((line_->skew + kWander) * 1e9 + 1, 4e9));
  return s;
}

void NicMap::steered(Ticks at, double frequency) {
  if (readings_.empty()) return;
  const Reading last = readings_.back();
  const double rate = ticks_per_nic();
  const double offset = line_ ? line_->offset : 0;
  const double since =
      (static_cast<double>(static_cast<std::int64_t>(at.value - last.ticks.value)) - offset) / rate;
  for (Reading& r : readings_) {
    const double before = since + static_cast<double>(last.nic - r.nic);
    const double move = -before * frequency;
    const double whole = std::round(move);
    r.nic += static_cast<std::uint64_t>(static_cast<std::int64_t>(whole));
    r.fraction -= (move - whole) * rate;
  }
  suspect_.reset();
  if (line_) fit();
}

void NicMap::forget() {
  readings_.clear();
  line_.reset();
  suspect_.reset();
  in_doubt_ = false;
}

double NicMap::nic_ticks_per_second() const {
  return line_ ? ticks_per_second_ / line_->ticks_per_nic : 0;
}

double NicMap::error_bound() const {
  return line_ ? line_->error / ticks_per_second_ : 0;
}

}  // namespace wiretime::clock
