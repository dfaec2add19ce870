// SPDX-License-Identifier: BSD-3-Clause
// The port of one `dataplane` line: probed, set up with its queues and buffers, started; given back in full
// on destruction. One DPDK device, but for af_xdp, where each queue is one. Control thread, but for the
// queues, each of which belongs to one worker between start() and stop().
#pragma once

#include <rte_ethdev.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "dpdk/driver_log.hpp"
#include "dpdk/interface.hpp"
#include "dpdk/packet_pool.hpp"
#include "dpdk/port_info.hpp"
#include "dpdk/receive_time.hpp"
#include "dpdk/transmit_time.hpp"
#include "net/headers.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::dpdk {

// What a NIC shall hash to find a request's queue, out of what it can (RTE_ETH_RSS_ bits both): the source
// address alone, else addresses, else what there is; and what that makes of a client.
struct ReceiveHash {
  std::uint64_t fields = 0;
  Spread spread = Spread::unknown;
};
[[nodiscard]] ReceiveHash choose_hash(std::uint64_t offered);

struct PortOptions {
  unsigned number = 0;     // 0, 1, ... among the configured ports
  bool copy_mode = false;  // see device_arguments
  std::vector<int> nodes;  // by queue: the NUMA node of its buffers
};

class Port {
 public:
  // On failure nothing stays behind.
  [[nodiscard]] static Result<std::unique_ptr<Port>> open(const server::DataplaneConfig& config,
                                                          const PortOptions& options, DriverLog& log);
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port();

  [[nodiscard]] Result<void> start();
  void stop();  // after the workers have returned

  [[nodiscard]] const server::DataplaneConfig& config() const { return config_; }
  [[nodiscard]] const std::string& name() const { return name_; }  // as the operator knows it
  // DPDK's numbers of a queue.
  struct DeviceQueue {
    std::uint16_t device = 0;
    std::uint16_t queue = 0;
  };
  [[nodiscard]] DeviceQueue queue(unsigned number) const;
  [[nodiscard]] Spread spread() const { return spread_; }
  // Field and flag of the NIC's receive stamps; without a clock, and without a flag when it makes none.
  [[nodiscard]] const NicStamps& nic_stamps() const { return nic_stamps_; }
  // Where to write launch times; without a flag when the driver does not launch.
  [[nodiscard]] const LaunchField& launch_field() const { return launch_field_; }
  [[nodiscard]] rte_mempool* pool(unsigned queue) const { return pools_[queue].get(); }
  [[nodiscard]] const std::string& driver() const { return driver_; }
  [[nodiscard]] net::MacAddress mac() const;
  [[nodiscard]] bool link_up() const;
  [[nodiscard]] std::uint32_t link_speed() const;  // Mbit/s, 0 when unknown
  // Since the port was opened. Never runs backwards, though net_memif shows zeros while it has no peer.
  [[nodiscard]] PortStatistics statistics();

 private:
  Port(const server::DataplaneConfig& config, PortOptions options, DriverLog& log)
      : config_(config), options_(std::move(options)), log_(log), name_(config.device) {}

  struct Device {
    std::uint16_t id = 0;
    rte_device* device = nullptr;
    bool started = false;
  };

  [[nodiscard]] Result<void> probe(unsigned index);
  [[nodiscard]] tl::unexpected<Error> no_pci_port() const;
  [[nodiscard]] Result<void> configure(Device& device);
  [[nodiscard]] Result<void> set_up_queue(std::uint16_t device, std::uint16_t queue,
                                          const rte_eth_dev_info& info);
  [[nodiscard]] Result<PacketPool> make_pool(unsigned queue);
  void receive_multicast(std::uint16_t device);
  [[nodiscard]] tl::unexpected<Error> failure(std::string what, int code) const;

  server::DataplaneConfig config_;
  PortOptions options_;
  DriverLog& log_;
  std::string name_;
  std::string driver_;
  std::vector<Device> devices_;
  Spread spread_ = Spread::sender;
  NicStamps nic_stamps_;
  LaunchField launch_field_;
  PortStatistics statistics_;      // what we said last
  std::vector<PacketPool> pools_;  // by queue; outlive the queues
};

}  // namespace wiretime::dpdk
