// SPDX-License-Identifier: BSD-3-Clause
// What a port tells the status model: plain values, no DPDK types. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "clock/nic_status.hpp"
#include "clock/receive_ladder.hpp"
#include "clock/transmit_status.hpp"
#include "net/headers.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::dpdk {

struct PortStatistics {
  std::uint64_t received = 0;  // frames
  std::uint64_t sent = 0;
  std::uint64_t missed = 0;     // receive queue full: the worker was too slow
  std::uint64_t no_buffer = 0;  // buffers exhausted
  std::uint64_t receive_errors = 0;
  std::uint64_t transmit_errors = 0;
};

using clock::ReceiveRung;

struct PortInfo {
  std::string name;    // as the configuration has it: "eth1", a PCI address, a memif path, "net_NAME,args"
  std::string driver;  // "net_af_xdp"
  server::DataplaneConfig::Kind kind{};
  net::MacAddress mac{};
  unsigned queues = 0;
  bool link_up = false;
  std::uint32_t link_speed = 0;  // Mbit/s, 0: unknown
  clock::ReceiveStatus receive;
  clock::TransmitStatus transmit;
  PortStatistics statistics;
  std::optional<clock::NicStatus> clock;  // nothing: the port has none
  std::string clock_device;               // "/dev/ptp0"; empty: DPDK's, or none
  std::string kernel_interface;           // of a port that the kernel does not own; empty: none
};

}  // namespace wiretime::dpdk
