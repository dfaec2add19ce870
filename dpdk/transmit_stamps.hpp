// SPDX-License-Identifier: BSD-3-Clause
// A port's transmit timestamps, the control thread's part: reads the NIC's stamps of sampled frames, learns
// from them how long replies take to the wire, chooses the rung of the ladder that the port stands on
// (clock/transmit_ladder.hpp) and publishes the plan to the workers. Control thread.
#pragma once

#include <ctime>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "clock/nic_snapshot.hpp"
#include "clock/transmit_calibration.hpp"
#include "clock/transmit_ladder.hpp"
#include "dpdk/transmit_time.hpp"
#include "os/log.hpp"

namespace wiretime::dpdk {

// ethdev's calls for one port; or what a test puts in their place.
struct TransmitCalls {
  // NIC's time of the last flagged frame that was not yet read: 0, or a negative errno. -ENOTSUP: not to be
  // had.
  std::function<int(timespec&)> read_stamp;
  std::function<std::uint64_t()> late;  // frames that the NIC had too late, or could not launch, so far
};
[[nodiscard]] TransmitCalls ethdev_transmit_calls(std::uint16_t port);

class TransmitStamps {
 public:
  // 200 samples a second, at most: one for each call of sample.
  static constexpr std::chrono::milliseconds kSampleInterval{5};

  struct Options {
    double plain_latency = 0;  // s, from the write to the wire where that is not measured
    double compensation = 0;   // s, that frames leave later than the NIC says: hwtimestamp txcomp
  };
  // `port`: for the log.
  TransmitStamps(std::string port, const LaunchField& launch, double ticks_per_second,
                 const Options& options);

  TransmitStamps(std::string port, const LaunchField& launch, double ticks_per_second)
      : TransmitStamps{std::move(port), launch, ticks_per_second, Options{}} {}

  // Before workers run: one for each queue. Valid as long as this object.
  [[nodiscard]] TransmitPath path();
  // After the port was started and its clock enabled. `stamped`: the driver has timesync calls.
  void start(TransmitCalls calls, bool stamped, os::Log& log);

  // About 10 times a second. `nic`: of the port's clock; `link_speed`: Mbit/s, 0: unknown.
  void refresh(const clock::NicSnapshot& nic, std::uint32_t link_speed, Ticks now, os::Log& log);
  // Every kSampleInterval, if samples() says so.
  void sample(const clock::NicSnapshot& nic, Ticks now);
  [[nodiscard]] bool samples() const { return ladder_.offer().stamps; }

  [[nodiscard]] clock::TransmitStatus status() const;

 private:
  using Event = clock::TransmitEvent;

  void read(const clock::NicSnapshot& nic, Ticks now, std::uint32_t number);
  void take(const clock::NicSnapshot& nic, Ticks left, Ticks now, std::uint32_t number);
  void close(std::uint32_t lost);
  void open_slot();
  void publish(const clock::NicSnapshot& nic, std::uint32_t link_speed);
  void tell(const clock::TransmitLadder::Change& change, os::Log& log) const;
  [[nodiscard]] std::uint64_t count(Event event) const;

  std::string port_;
  LaunchField launch_;
  double ticks_per_second_;
  Options options_;
  TransmitCalls calls_;
  clock::TransmitLadder ladder_;
  clock::TransmitCalibration calibration_;
  Seqlock<clock::TransmitPlan> plan_;
  SampleSlot slot_;
  std::deque<Counters<Event>> queue_events_;  // by queue; writers: workers
  Counters<Event> own_events_;
  std::uint64_t late_before_ = 0;  // by the driver's count, when we began
  unsigned lost_in_a_row_ = 0;
  unsigned off_schedule_ = 0;  // samples in a row
  unsigned wait_ = 0;          // calls of sample to let pass
  bool told_hopeless_ = false;
};

}  // namespace wiretime::dpdk
