// SPDX-License-Identifier: BSD-3-Clause
#include "clock/transmit_calibration.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::clock {

namespace {

// The value that `share` of them do not exceed; changes their order.
double quantile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto last = static_cast<double>(values.size() - 1);
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(std::lround(share * last));
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

template <typename T>
void put(std::vector<T>& ring, std::size_t& next, const T& value) {
  if (ring.size() < TransmitCalibration::kWindow) {
    ring.push_back(value);
    return;
  }
  ring[next] = value;
  next = (next + 1) % TransmitCalibration::kWindow;
}

}  // namespace

void TransmitCalibration::add(unsigned frames, double latency, double reach) {
  put(latencies_, next_latency_, {frames, latency, reach});
  fitted_ = false;
}

void TransmitCalibration::add_deviation(double deviation) {
  put(deviations_, next_deviation_, std::fabs(deviation));
  fitted_ = false;
}

void TransmitCalibration::forget() {
  *this = {};
}

const TransmitCalibration::Line& TransmitCalibration::line() const {
  fit();
  return line_;
}

double TransmitCalibration::reach() const {
  fit();
  return reach_;
}

double TransmitCalibration::spread() const {
  fit();
  return spread_;
}

void TransmitCalibration::fit() const {
  if (fitted_) return;
  fitted_ = true;
  std::vector<double> values;
  for (std::size_t i = 0; i < latencies_.size(); ++i)
    for (std::size_t j = i + 1; j < latencies_.size(); ++j) {
      const Sample &a = latencies_[i], &b = latencies_[j];
      if (a.frames == b.frames) continue;
      values.push_back((b.latency - a.latency) / (static_cast<double>(b.frames) - a.frames));
    }
  // More frames cannot take less time: noise between bursts of nearly one size can say so.
  line_.per_frame = std::max(0.0, quantile(values, 0.5));
  values.clear();
  for (const Sample& s : latencies_) values.push_back(s.latency - line_.per_frame * s.frames);
  line_.latency = quantile(values, 0.5);
  values.clear();
  for (const Sample& s : latencies_) values.push_back(s.reach);
  reach_ = quantile(values, 0.5);
  values = deviations_;
  for (const Sample& s : latencies_) values.push_back(std::fabs(s.latency - line_.at(s.frames)));
  spread_ = quantile(values, 0.75);
}

}  // namespace wiretime::clock
