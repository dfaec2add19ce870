// SPDX-License-Identifier: BSD-3-Clause
// What the controller knows of a data plane: counters and client logs to read, and whom to tell when this
// host's addresses change. main implements it over dpdk/ and ebpf/, which the controller never sees. Control
// thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "server/worker_state.hpp"
#include "status/report.hpp"

namespace wiretime::control {

class DataPlaneView {
 public:
  virtual ~DataPlaneView() = default;

  // One for each worker and port; the same ones for the view's life.
  [[nodiscard]] virtual std::span<server::WorkerState* const> states() const = 0;
  [[nodiscard]] virtual std::vector<status::PortReport> ports() const = 0;
  // Interfaces whose packets the kernel's sockets get a copy of (af_packet).
  [[nodiscard]] virtual std::vector<std::string> copied_interfaces() const = 0;
  // After the tables were published with the new addresses.
  virtual void addresses_changed(std::span<const IpAddress> addresses) = 0;
  // Addresses of the `peer` sources: their symmetric packets are the kernel sockets'.
  virtual void peers_changed(std::span<const IpAddress> peers) = 0;
  // Once a second, and right after the clock was set.
  virtual void tick() = 0;
  // To watch, and to call carry_frames() when one is readable: frames between the kernel and ports that it
  // does not own. The same ones for the view's life.
  [[nodiscard]] virtual std::vector<int> descriptors() const = 0;
  virtual void carry_frames() = 0;
  // About ten times a second: NIC clocks.
  virtual void refresh_clocks() = 0;
  // Every 5 ms, if that says so: NICs' transmit stamps of sampled replies.
  [[nodiscard]] virtual bool samples_transmits() const { return false; }
  virtual void sample_transmits() {}
};

}  // namespace wiretime::control
