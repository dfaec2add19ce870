// SPDX-License-Identifier: BSD-3-Clause
// A `dataplane` line in DPDK's words: device name and arguments, the drivers to load, the buffers it needs.
// Pure functions; control thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "server/dataplane_config.hpp"

namespace wiretime::dpdk {

// One receive and transmit queue pair, its descriptors and the buffers that keep both full.
struct QueueSize {
  unsigned descriptors = 0;  // each way
  unsigned buffers = 0;
};

// Payload room of a buffer: any frame of the usual MTU with two VLAN tags, and the driver's headroom.
inline constexpr std::size_t kBufferRoom = 2176;

// How many DPDK devices the port is: for af_xdp one for each queue, because net_af_xdp asks ethtool for the
// number of "combined" channels and takes an interface that has none, or separate ones, for one with a single
// queue; else one with all queues.
[[nodiscard]] unsigned device_count(const server::DataplaneConfig& config);
// `number`: of the port, 0, 1, ...; makes the device name unique within the process. `index`: which of the
// port's devices.
[[nodiscard]] std::string device_name(const server::DataplaneConfig& config, unsigned number, unsigned index);
// What rte_dev_probe takes: "name,argument=value,...". Not for pci, which EAL probes itself. `copy_mode`:
// af_xdp must not try zero copy, because the XDP program runs in generic mode.
[[nodiscard]] std::string device_arguments(const server::DataplaneConfig& config, unsigned number,
                                           unsigned index, bool copy_mode);

// File name of the driver, "librte_net_af_xdp.so"; nullopt when any driver may be meant (pci).
[[nodiscard]] std::optional<std::string> driver_file(const server::DataplaneConfig& config);

[[nodiscard]] QueueSize queue_size(const server::DataplaneConfig& config);
// Memory for all buffers of all queues and DPDK's own needs, in bytes.
[[nodiscard]] std::size_t memory_needed(const std::vector<server::DataplaneConfig>& ports);

// "dataplane af_xdp eth1": the line as the operator wrote it.
[[nodiscard]] std::string line_start(const server::DataplaneConfig& config);
// The same with where the line is, as messages about the port start.
[[nodiscard]] std::string describe(const server::DataplaneConfig& config);

}  // namespace wiretime::dpdk
