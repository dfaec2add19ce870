// SPDX-License-Identifier: BSD-3-Clause
// How long a frame takes from the write of its burst to the wire, learnt from the NIC's stamps of a few: a
// median, and a slope over the burst's size (Theil and Sen), as a driver rings the doorbell behind the last
// frame. And how well that fits. Control thread; pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace wiretime::clock {

class TransmitCalibration {
 public:
  static constexpr std::size_t kWindow = 64;
  static constexpr std::size_t kEnough = 16;

  // A frame of a burst of `frames` left `latency` ticks after it was planned and `reach` ticks after the
  // driver was done with it, not counting the wire time of the frames before it in its burst.
  void add(unsigned frames, double latency, double reach);
  // A frame that had to wait for the wire was off by `deviation` ticks: tells how well we predict, not more.
  void add_deviation(double deviation);
  void forget();

  struct Line {
    double latency = 0;    // ticks, of a burst of no frames
    double per_frame = 0;  // ticks
    [[nodiscard]] double at(unsigned frames) const { return latency + per_frame * frames; }
  };
  [[nodiscard]] bool ready() const { return latencies_.size() >= kEnough; }
  // The best line through what there is.
  [[nodiscard]] const Line& line() const;
  // Ticks, from when the driver is done with a burst to its first frame.
  [[nodiscard]] double reach() const;
  // Ticks, that three in four frames were off by at most.
  [[nodiscard]] double spread() const;

 private:
  struct Sample {
    unsigned frames = 0;
    double latency = 0;
    double reach = 0;
  };
  void fit() const;

  std::vector<Sample> latencies_;   // ring once full
  std::vector<double> deviations_;  // the same
  std::size_t next_latency_ = 0;
  std::size_t next_deviation_ = 0;
  mutable bool fitted_ = true;
  mutable Line line_;
  mutable double reach_ = 0;
  mutable double spread_ = 0;
};

}  // namespace wiretime::clock
