// SPDX-License-Identifier: BSD-3-Clause
#include "os/interfaces.hpp"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

IpAddress ip_of(const sockaddr* address) {
  if (address == nullptr) return {};
  SocketAddress copy;
  const auto family = address->sa_family;
  if (family != AF_INET && family != AF_INET6) return {};
  std::memcpy(&copy.storage, address, family == AF_INET ? sizeof copy.v4 : sizeof copy.v6);
  return from_system(copy).address;
}

unsigned prefix_length(const IpAddress& mask) {
  unsigned bits = 0;
  for (const auto byte : mask.bytes) bits += static_cast<unsigned>(std::popcount(byte));
  return bits;
}

void add_link_layer(const sockaddr* address, Interface& out) {
  sockaddr_ll link{};
  std::memcpy(&link, address, sizeof link);
  out.index = static_cast<unsigned>(link.sll_ifindex);
  if (link.sll_halen != 6 || out.loopback) return;
  std::array<std::uint8_t, 6> mac{};
  std::memcpy(mac.data(), link.sll_addr, mac.size());
  out.mac = mac;
}

void add_entry(const ifaddrs& entry, Interface& out) {
  out.up = (entry.ifa_flags & IFF_UP) != 0;
  out.loopback = (entry.ifa_flags & IFF_LOOPBACK) != 0;
  if (entry.ifa_addr == nullptr) return;
  if (entry.ifa_addr->sa_family == AF_PACKET) return add_link_layer(entry.ifa_addr, out);
  InterfaceAddress address{ip_of(entry.ifa_addr), prefix_length(ip_of(entry.ifa_netmask)), {}};
  if (address.address.family == Family::unspecified) return;
  if (address.address.family == Family::ipv4 && (entry.ifa_flags & IFF_BROADCAST) != 0)
    if (const auto broadcast = ip_of(entry.ifa_broadaddr); !broadcast.is_unspecified())
      address.broadcast = broadcast;
  out.addresses.push_back(address);
}

// An ioctl that takes an interface's name; any datagram socket will do.
bool interface_ioctl(const std::string& name, unsigned long request, ifreq& argument) {
  if (name.size() >= sizeof argument.ifr_name) return false;
  std::memcpy(argument.ifr_name, name.c_str(), name.size() + 1);
  const FileDescriptor fd{socket(AF_INET, SOCK_DGRAM, 0)};
  return fd.valid() && ioctl(fd.get(), request, &argument) == 0;
}

}  // namespace

Result<std::vector<Interface>> list_interfaces() {
  ifaddrs* head = nullptr;
  if (getifaddrs(&head) != 0) return fail("cannot list network interfaces: " + errno_text());
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner{head, freeifaddrs};
  std::vector<Interface> out;
  for (const ifaddrs* entry = head; entry != nullptr; entry = entry->ifa_next) {
    auto found =
        std::find_if(out.begin(), out.end(), [&](const auto& i) { return i.name == entry->ifa_name; });
    if (found == out.end()) {
      found = out.insert(out.end(), Interface{});
      found->name = entry->ifa_name;
    }
    add_entry(*entry, *found);
  }
  for (auto& interface : out)
    if (interface.index == 0) interface.index = if_nametoindex(interface.name.c_str());
  return out;
}

Result<std::vector<IpAddress>> local_addresses() {
  auto interfaces = list_interfaces();
  if (!interfaces) return tl::make_unexpected(interfaces.error());
  std::vector<IpAddress> out;
  for (const auto& interface : *interfaces)
    for (const auto& entry : interface.addresses) out.push_back(entry.address);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<Interface> find_interface(const std::string& name) {
  auto interfaces = list_interfaces();
  if (!interfaces) return tl::make_unexpected(interfaces.error());
  for (auto& interface : *interfaces)
    if (interface.name == name) return std::move(interface);
  return fail(fmt::format("no network interface \"{}\" (list them with: ip -brief link)", name));
}

std::optional<unsigned> link_flags(const std::string& name) {
  ifreq request{};
  if (!interface_ioctl(name, SIOCGIFFLAGS, request)) return std::nullopt;
  return static_cast<std::uint16_t>(request.ifr_flags);
}

std::optional<std::uint64_t> receive_hash(const std::string& name, std::uint32_t flow) {
  ethtool_rxnfc query{};
  query.cmd = ETHTOOL_GRXFH;
  query.flow_type = flow;
  ifreq request{};
  request.ifr_data = static_cast<char*>(static_cast<void*>(&query));
  if (!interface_ioctl(name, SIOCETHTOOL, request)) return std::nullopt;
  return query.data;
}

std::optional<unsigned> link_mtu(const std::string& name) {
  ifreq request{};
  if (!interface_ioctl(name, SIOCGIFMTU, request) || request.ifr_mtu <= 0) return std::nullopt;
  return static_cast<unsigned>(request.ifr_mtu);
}

std::optional<unsigned> link_speed(const std::string& name) {
  ethtool_cmd command{};
  command.cmd = ETHTOOL_GSET;
  ifreq request{};
  request.ifr_data = static_cast<char*>(static_cast<void*>(&command));
  if (!interface_ioctl(name, SIOCETHTOOL, request)) return std::nullopt;
  const auto speed = ethtool_cmd_speed(&command);
  if (speed == 0 || speed == 0xFFFFU || speed == 0xFFFF'FFFFU) return std::nullopt;
  return speed;
}

SocketResult<InterfaceWatcher> InterfaceWatcher::open() {
  FileDescriptor fd{socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)};
  union {
    sockaddr base;
    sockaddr_nl netlink;
  } address{};
  address.netlink.nl_family = AF_NETLINK;
  address.netlink.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (!fd.valid() || bind(fd.get(), &address.base, sizeof address.netlink) != 0)
    return tl::make_unexpected(
        SocketError{SocketError::Kind::not_available, "cannot watch network interfaces: " + errno_text()});
  set_close_on_exec(fd.get());
  set_non_blocking(fd.get());
  return InterfaceWatcher{std::move(fd)};
}

bool InterfaceWatcher::take_changes() noexcept {
  bool changed = false;
  std::array<std::byte, 8192> buffer;
  for (;;) {
    const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n > 0 || (n < 0 && errno == ENOBUFS))
      changed = true;  // only our groups arrive here, so every message is a change
    else if (n == 0 || errno != EINTR)
      return changed;
  }
}

}  // namespace wiretime::os
