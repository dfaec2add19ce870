// SPDX-License-Identifier: BSD-3-Clause
// A port as the data plane serves it, with all that stands around the device: its NIC's clock and stamps, its
// way to the kernel, and what the workers of its queues are given of these. Control thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "clock/nic_timekeeper.hpp"
#include "clock/receive_ladder.hpp"
#include "dpdk/exception_path.hpp"
#include "dpdk/port.hpp"
#include "dpdk/port_clock.hpp"
#include "dpdk/port_info.hpp"
#include "dpdk/transmit_stamps.hpp"
#include "dpdk/worker.hpp"
#include "os/log.hpp"

namespace wiretime::dpdk {

class ServedPort {
 public:
  // `xdp_stamps`: the port's XDP program hands on the NIC's stamps.
  ServedPort(std::unique_ptr<Port> port, const clock::NicOptions& nic, bool xdp_stamps);
  ServedPort(const ServedPort&) = delete;
  ServedPort& operator=(const ServedPort&) = delete;

  // Makes the kernel's interface of a port that is not the kernel's. One asked for by name has to be there;
  // of another a warning says why it is not.
  [[nodiscard]] Result<void> join_kernel(os::Log& log);
  // What a worker is given for a queue; once for each, before start. `state`: this port's and that worker's.
  // Valid as long as this object and `state`.
  [[nodiscard]] PortQueue queue(unsigned number, server::WorkerState& state);
  [[nodiscard]] Result<void> start(os::Log& log);

  // About 10 times a second. `moment`: but for `now`, `wall` and `idle`, which are read here.
  void refresh_clock(clock::NicTimekeeper::Moment moment, os::Log& log);
  // See TransmitStamps.
  [[nodiscard]] bool samples_transmits() const { return transmit_ && transmit_->samples(); }
  void sample_transmit();
  // About once a second: link, statistics, on which rungs the port stands. `states`: its queues' among
  // others.
  void look(std::span<const server::WorkerState* const> states, os::Log& log, PortInfo& info);

  [[nodiscard]] PortInfo first_info() const;
  [[nodiscard]] const Port& port() const { return *port_; }
  [[nodiscard]] const PortClock& clock() const { return clock_; }
  [[nodiscard]] ExceptionPath* kernel() { return kernel_.get(); }  // null: nothing goes to the kernel
  [[nodiscard]] std::atomic<bool>& serve() { return serve_; }      // memif: MemifLinks' to write
  [[nodiscard]] std::span<MemifSlots> slots() { return slots_; }   // the same; none in client's role

 private:
  void look_at_stamps(std::span<const server::WorkerState* const> states, os::Log& log, PortInfo& info);

  std::unique_ptr<Port> port_;
  OwnedPort owned_;
  std::atomic<bool> announce_{false};  // writers: control thread sets, worker clears
  std::atomic<bool> serve_{false};     // memif: writer MemifLinks; readers: workers
  std::vector<MemifSlots> slots_;      // memif servers: by queue
  unsigned announcements_left_ = 0;
  PortClock clock_;
  std::unique_ptr<TransmitStamps> transmit_;  // null: the plain rung, for good
  std::unique_ptr<ExceptionPath> kernel_;
  std::uint32_t link_speed_ = 0;  // Mbit/s
  clock::ReceiveLadder receive_;
  std::chrono::steady_clock::time_point stamped_{};  // when the last stamp of the NIC was seen
};

}  // namespace wiretime::dpdk
