// SPDX-License-Identifier: BSD-3-Clause
#include "os/socket.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "os/system_error.hpp"

namespace wiretime::os {

std::string Endpoint::to_string() const {
  return address.family == Family::ipv6 ? fmt::format("[{}]:{}", address.to_string(), port)
                                        : fmt::format("{}:{}", address.to_string(), port);
}

SocketAddress to_system(const Endpoint& endpoint) noexcept {
  SocketAddress out;
  if (endpoint.address.family == Family::ipv6) {
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(endpoint.port);
    out.v6.sin6_scope_id = endpoint.scope;
    std::memcpy(&out.v6.sin6_addr, endpoint.address.bytes.data(), 16);
  } else {
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(endpoint.port);
    std::memcpy(&out.v4.sin_addr, endpoint.address.bytes.data(), 4);
  }
  return out;
}

socklen_t system_length(Family family) noexcept {
  return family == Family::ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

IpAddress to_ip(const in_addr& address) noexcept {
  return IpAddress::v4(std::bit_cast<std::array<std::byte, 4>>(address).data());
}

IpAddress to_ip(const in6_addr& address) noexcept {
  std::array<std::byte, 16> bytes;
  std::memcpy(bytes.data(), &address, 16);
  return IpAddress::v6(bytes.data());
}

Endpoint from_system(const SocketAddress& address) noexcept {
  Endpoint out;
  if (address.base.sa_family == AF_INET) {
    out.address = to_ip(address.v4.sin_addr);
    out.port = ntohs(address.v4.sin_port);
  } else if (address.base.sa_family == AF_INET6) {
    out.address = to_ip(address.v6.sin6_addr);
    out.port = ntohs(address.v6.sin6_port);
    out.scope = address.v6.sin6_scope_id;
  }
  return out;
}

SocketResult<FileDescriptor> make_socket(int family, int type, const std::string& what) {
  FileDescriptor fd{socket(family, type, 0)};
  if (!fd.valid()) {
    const int error = errno;
    // EINVAL: simulators know only IPv4.
    if (error == EAFNOSUPPORT || error == EPROTONOSUPPORT || (family == AF_INET6 && error == EINVAL))
      return tl::make_unexpected(
          SocketError{SocketError::Kind::not_available,
                      fmt::format("{}: this host has no {}", what,
                                  family == AF_INET6 ? "IPv6" : "sockets of this family")});
    return tl::make_unexpected(SocketError{
        SocketError::Kind::other, fmt::format("cannot create a socket for {}: {}", what, errno_text(error))});
  }
  set_close_on_exec(fd.get());
  set_non_blocking(fd.get());
  return fd;
}

std::string describe_listener(const char* protocol, const Endpoint& endpoint) {
  return endpoint.address.is_unspecified()
             ? fmt::format("{} port {}", protocol, endpoint.port)
             : fmt::format("{} {} port {}", protocol, endpoint.address.to_string(), endpoint.port);
}

SocketError explain_bind(const char* protocol, const Endpoint& endpoint, int error) {
  using Kind = SocketError::Kind;
  const auto& address = endpoint.address;
  const auto what = describe_listener(protocol, endpoint);
  if (error == EADDRINUSE)
    return {Kind::in_use,
            fmt::format("cannot listen on {}: already in use by another program (find it with: ss -{}lnp "
                        "'sport = :{}')",
                        what, protocol[0] == 'U' ? 'u' : 't', endpoint.port)};
  if (error == EACCES || error == EPERM)
    return {Kind::no_permission,
            fmt::format("cannot listen on {}: no permission (a port below 1024 needs root or "
                        "CAP_NET_BIND_SERVICE)",
                        what)};
  if (error == EAFNOSUPPORT || (error == EADDRNOTAVAIL && address.family == Family::ipv6 &&
                                (address.is_unspecified() || address.is_loopback())))
    return {Kind::not_available, fmt::format("{}: IPv6 is disabled on this host", what)};
  if (error == EADDRNOTAVAIL)
    return {Kind::no_such_address,
            fmt::format("cannot listen on {}: this host does not have that address (list them with: "
                        "ip -brief address)",
                        what)};
  return {Kind::other, fmt::format("cannot listen on {}: {}", what, errno_text(error))};
}

SocketResult<void> bind_to_interface(int fd, const std::string& interface) {
  using Kind = SocketError::Kind;
  if (interface.empty()) return {};
  const auto length = static_cast<socklen_t>(interface.size() + 1);
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(), length) == 0) return {};
  const int error = errno;
  if (error == ENODEV)
    return tl::make_unexpected(
        SocketError{Kind::no_such_interface,
                    fmt::format("no network interface \"{}\" (list them with: ip -brief link)", interface)});
  if (error == EPERM)
    return tl::make_unexpected(
        SocketError{Kind::no_permission,
                    fmt::format("cannot bind to interface \"{}\": needs root or CAP_NET_RAW", interface)});
  return tl::make_unexpected(SocketError{
      Kind::other, fmt::format("cannot bind to interface \"{}\": {}", interface, errno_text(error))});
}

bool set_option(int fd, int level, int option, int value) noexcept {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

Endpoint bound_endpoint(int fd) noexcept {
  SocketAddress address;
  socklen_t length = sizeof address;
  if (getsockname(fd, &address.base, &length) != 0) return {};
  return from_system(address);
}

}  // namespace wiretime::os
