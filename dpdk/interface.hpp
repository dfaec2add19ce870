// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says about an interface or device before DPDK gets it: state, queues, NUMA node, and how
// the NIC spreads frames over its queues (ethtool). Control thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::dpdk {

// What decides to which queue of several a request goes. With the first two a client always meets the same
// worker (as long as it asks one address of ours), with the third only as long as it keeps its port.
enum class Spread : std::uint8_t { source_address, addresses, addresses_and_ports, sender, unknown };
[[nodiscard]] std::string_view name(Spread spread);

// ethtool's RXH_ bits (linux/ethtool.h) of a flow type.
[[nodiscard]] Spread spread_of_ethtool(std::uint64_t bits);

// Of a NIC's UDP over IPv4 and IPv6, whichever is worse. unknown: the driver does not tell.
[[nodiscard]] Spread interface_spread(const std::string& interface);

[[nodiscard]] bool interface_running(const std::string& interface);  // up, with a carrier

// The interface is there and up, with the receive queues asked for.
[[nodiscard]] Result<void> check_interface(const server::DataplaneConfig& config);

// Receive queues in use, 0: unknown. `sys`: where sysfs is.
[[nodiscard]] unsigned receive_queues(const std::string& interface, const std::string& sys = "/sys");

// What an operator should know: requests that no worker gets, a client that meets several workers.
[[nodiscard]] std::vector<std::string> spread_warnings(const server::DataplaneConfig& config, Spread spread,
                                                       unsigned receive_queues);

// kUnknownNode for what is not on a bus.
[[nodiscard]] int numa_node(const server::DataplaneConfig& port, const std::string& sys = "/sys");
[[nodiscard]] int numa_node_of_cpu(unsigned cpu, const std::string& sys = "/sys");

}  // namespace wiretime::dpdk
