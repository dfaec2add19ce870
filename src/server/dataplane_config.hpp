// SPDX-License-Identifier: BSD-3-Clause
// What a `dataplane` line of the configuration asks for, as plain values: read by control/config, acted on by
// dpdk/. It lives here because both may include server and neither may include the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "clock/nic_status.hpp"

namespace wiretime::server {

struct InterfaceAddress {
  IpAddress address;
  unsigned prefix_length = 0;  // 0..32 or 0..128

  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

// "file:line" or "command line:N", for messages; may be empty. No part of what the line asks for.
struct LineOrigin {
  std::string where;
  friend bool operator==(const LineOrigin&, const LineOrigin&) noexcept { return true; }
};

struct DataplaneConfig {
  enum class Kind : std::uint8_t { af_xdp, af_packet, pci, memif, vdev };
  enum class MemifRole : std::uint8_t { server, client };

  Kind kind = Kind::af_xdp;
  std::string device;  // interface name; PCI address; memif socket path; vdev as "net_NAME,args"
  MemifRole memif_role = MemifRole::server;
  std::vector<InterfaceAddress> addresses;    // pci, memif, vdev: ours on that wire, at least one
  std::vector<IpAddress> gateways;            // at most one of each family
  std::optional<std::uint16_t> vlan;          // 1..4094
  unsigned queues = 1;                        // receive and transmit queue pairs, 1..128
  clock::NicRole phc = clock::NicRole::free;  // af_xdp, af_packet, pci: what the NIC's clock is to us
  // pci, memif, vdev: what the kernel's interface on that wire is called; empty: there is none; nothing: one
  // is made if that can be, and the kernel names it.
  std::optional<std::string> kernel_interface{};
  LineOrigin origin{};

  // The kernel has the interface too: it answers ARP and ND, and hears what we do not take.
  [[nodiscard]] bool kernel_owns_port() const noexcept {
    return kind == Kind::af_xdp || kind == Kind::af_packet;
  }

  friend bool operator==(const DataplaneConfig&, const DataplaneConfig&) = default;
};

// As the configuration spells it.
[[nodiscard]] constexpr std::string_view name(DataplaneConfig::Kind kind) noexcept {
  using Kind = DataplaneConfig::Kind;
  switch (kind) {
    case Kind::af_xdp:
      return "af_xdp";
    case Kind::af_packet:
      return "af_packet";
    case Kind::pci:
      return "pci";
    case Kind::memif:
      return "memif";
    case Kind::vdev:
      break;
  }
  return "vdev";
}

// What a worker does after polls that found nothing.
enum class WorkerIdle : std::uint8_t {
  spin,  // poll on: lowest latency, takes the whole CPU
  nap,   // short growing sleeps
};

enum class Hugepages : std::uint8_t { on, off, automatic };

}  // namespace wiretime::server
