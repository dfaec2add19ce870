// SPDX-License-Identifier: BSD-3-Clause
// What all sockets share: endpoints, sockaddr conversion, and bind errors that say what to do next.
// Control thread and start-up.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <compare>
#include <cstdint>
#include <string>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "os/file_descriptor.hpp"

namespace wiretime::os {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t scope = 0;  // interface index of an IPv6 link-local address, else 0

  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
  [[nodiscard]] std::string to_string() const;  // "192.0.2.1:123", "[2001:db8::1]:123"
};

struct SocketError {
  enum class Kind : std::uint8_t {
    not_available,  // the host does not have this family at all (IPv6 disabled): note it and go on
    in_use,
    no_permission,
    no_such_address,
    no_such_interface,
    other,
  };
  Kind kind = Kind::other;
  std::string message;  // one line for the operator

  [[nodiscard]] Error error() const { return {message}; }
};

template <typename T>
using SocketResult = tl::expected<T, SocketError>;

// The system's address structures as one value, so that nothing needs a pointer cast.
union SocketAddress {
  sockaddr base;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_un local;
  sockaddr_storage storage{};
};

[[nodiscard]] SocketAddress to_system(const Endpoint& endpoint) noexcept;
[[nodiscard]] socklen_t system_length(Family family) noexcept;
[[nodiscard]] Endpoint from_system(const SocketAddress& address) noexcept;
[[nodiscard]] IpAddress to_ip(const in_addr& address) noexcept;
[[nodiscard]] IpAddress to_ip(const in6_addr& address) noexcept;

// A close-on-exec, non-blocking socket of plain `type` (SOCK_DGRAM, SOCK_STREAM). `what`: "UDP port 123".
[[nodiscard]] SocketResult<FileDescriptor> make_socket(int family, int type, const std::string& what);

// "UDP port 123" or "UDP 192.0.2.1 port 123"
[[nodiscard]] std::string describe_listener(const char* protocol, const Endpoint& endpoint);
// Turns bind's errno into an error. `protocol`: "UDP" or "TCP".
[[nodiscard]] SocketError explain_bind(const char* protocol, const Endpoint& endpoint, int error);
// SO_BINDTODEVICE; an empty name does nothing.
[[nodiscard]] SocketResult<void> bind_to_interface(int fd, const std::string& interface);

// setsockopt of an int; false when refused.
bool set_option(int fd, int level, int option, int value) noexcept;

// The address a socket is bound to; how tests learn an ephemeral port.
[[nodiscard]] Endpoint bound_endpoint(int fd) noexcept;

}  // namespace wiretime::os
