// SPDX-License-Identifier: BSD-3-Clause
// One DPDK ethernet port: probed, set up with its queues and buffers, started; given back in full on
// destruction. Control thread, but for the queues, each of which belongs to one worker between start() and
// stop().
#pragma once

#include <rte_ethdev.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "dpdk/driver_log.hpp"
#include "dpdk/packet_pool.hpp"
#include "dpdk/port_info.hpp"
#include "net/headers.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::dpdk {

class Port {
 public:
  // `number`: 0, 1, ... among the configured ports. `copy_mode`: see device_arguments. On failure nothing
  // stays behind.
  [[nodiscard]] static Result<std::unique_ptr<Port>> open(const server::DataplaneConfig& config,
                                                          unsigned number, bool copy_mode, DriverLog& log);
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port();

  [[nodiscard]] Result<void> start();
  void stop();  // after the workers have returned

  [[nodiscard]] const server::DataplaneConfig& config() const { return config_; }
  [[nodiscard]] const std::string& name() const { return name_; }  // as the operator knows it
  [[nodiscard]] std::uint16_t id() const { return id_; }
  [[nodiscard]] rte_mempool* pool(unsigned queue) const { return pools_[queue].get(); }
  [[nodiscard]] const std::string& driver() const { return driver_; }
  [[nodiscard]] net::MacAddress mac() const;
  [[nodiscard]] bool link_up() const;
  [[nodiscard]] std::uint32_t link_speed() const;  // Mbit/s, 0 when unknown
  // Since the port was opened. Never runs backwards, though net_memif shows zeros while it has no peer.
  [[nodiscard]] PortStatistics statistics();

 private:
  Port(const server::DataplaneConfig& config, DriverLog& log)
      : config_(config), log_(log), name_(config.device) {}

  [[nodiscard]] Result<void> probe(unsigned number, bool copy_mode);
  [[nodiscard]] Result<void> configure(unsigned number);
  [[nodiscard]] Result<void> set_up_queue(std::uint16_t queue, unsigned number, const rte_eth_dev_info& info);
  void receive_multicast();
  [[nodiscard]] tl::unexpected<Error> failure(std::string what, int code) const;

  server::DataplaneConfig config_;
  DriverLog& log_;
  std::string name_;
  std::string driver_;
  rte_device* device_ = nullptr;
  std::uint16_t id_ = RTE_MAX_ETHPORTS;  // RTE_MAX_ETHPORTS: not probed
  bool started_ = false;
  PortStatistics statistics_;      // what we said last
  std::vector<PacketPool> pools_;  // by queue; outlive the queues
};

}  // namespace wiretime::dpdk
