// SPDX-License-Identifier: BSD-3-Clause
// A port's NIC clock, wherever it is to be had: the kernel's PTP clock of an interface that the kernel keeps,
// DPDK's of a NIC that DPDK drives, none of a virtual device. Control thread; workers read the snapshot.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/seqlock.hpp"
#include "clock/nic_timekeeper.hpp"
#include "os/log.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::dpdk {

class PortClock {
 public:
  PortClock(const server::DataplaneConfig& config, const clock::NicOptions& options)
      : config_{config}, options_{options} {}

  // After the port was started. No clock is an error only when it is to be kept on our time.
  [[nodiscard]] Result<void> start(std::uint16_t ethdev, os::Log& log);
  // About 10 times a second. `link_speed`: Mbit/s, 0: unknown.
  void refresh(const clock::NicTimekeeper::Moment& moment, std::uint32_t link_speed);
  // The NIC's stamps are to be judged, and not used.
  void set_probation(bool on) { probation_ = on; }
  // About once a second: what became of it, to the log.
  void tell(os::Log& log);

  // Writer: refresh; readers: workers.
  [[nodiscard]] const Seqlock<clock::NicSnapshot>& snapshot() const { return snapshot_; }
  [[nodiscard]] std::optional<clock::NicStatus> status() const;
  [[nodiscard]] const clock::NicOptions& options() const { return options_; }
  [[nodiscard]] const std::string& device() const { return device_; }  // "/dev/ptp0"; empty: DPDK's, or none

 private:
  [[nodiscard]] Result<std::unique_ptr<clock::NicClock>> open(std::uint16_t ethdev);

  server::DataplaneConfig config_;
  clock::NicOptions options_;
  std::string device_;
  Seqlock<clock::NicSnapshot> snapshot_;
  std::unique_ptr<clock::NicTimekeeper> keeper_;
  std::string why_;  // the last complaint of the device
  bool probation_ = false;
  bool told_ready_ = false;
  unsigned unready_ = 0;
  bool told_locked_ = false;
  std::uint64_t told_steps_ = 0;
};

}  // namespace wiretime::dpdk
