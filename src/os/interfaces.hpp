// SPDX-License-Identifier: BSD-3-Clause
// Network interfaces of this host and their addresses, and word of changes by rtnetlink. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "os/socket.hpp"

namespace wiretime::os {

struct InterfaceAddress {
  IpAddress address;
  unsigned prefix_length = 0;
  std::optional<IpAddress> broadcast;  // IPv4 only

  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

struct Interface {
  std::string name;
  unsigned index = 0;
  bool up = false;
  bool loopback = false;
  std::optional<std::array<std::uint8_t, 6>> mac;
  std::vector<InterfaceAddress> addresses;
};

[[nodiscard]] Result<std::vector<Interface>> list_interfaces();
// Every unicast address of this host: what a packet from "ourselves" would carry.
[[nodiscard]] Result<std::vector<IpAddress>> local_addresses();

// Error: no such interface, with what to type to see them.
[[nodiscard]] Result<Interface> find_interface(const std::string& name);
// IFF_UP, IFF_RUNNING and so on (net/if.h); none: no such interface.
[[nodiscard]] std::optional<unsigned> link_flags(const std::string& name);
// By which parts of a packet of that flow type (UDP_V4_FLOW, ...) the NIC chooses the queue: RXH_ bits of
// linux/ethtool.h; none: it does not say.
[[nodiscard]] std::optional<std::uint64_t> receive_hash(const std::string& name, std::uint32_t flow);
[[nodiscard]] std::optional<unsigned> link_mtu(const std::string& name);  // bytes
[[nodiscard]] std::optional<unsigned> link_speed(
    const std::string& name);  // Mbit/s; none: unknown or link down

// Tells that addresses or links changed; the listener then lists them anew.
class InterfaceWatcher {
 public:
  // Error: no netlink here (sandbox, simulator): list again from a timer instead.
  [[nodiscard]] static SocketResult<InterfaceWatcher> open();
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // When readable: takes what is there. True when something changed, or messages were lost.
  [[nodiscard]] bool take_changes() noexcept;

 private:
  explicit InterfaceWatcher(FileDescriptor fd) : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

}  // namespace wiretime::os
