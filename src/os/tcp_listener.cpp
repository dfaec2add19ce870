// SPDX-License-Identifier: BSD-3-Clause
#include "os/tcp_listener.hpp"

#include <cerrno>

namespace wiretime::os {

namespace {

TcpConnection::Transfer failed_transfer() noexcept {
  const bool later = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  return {later ? TcpConnection::State::would_block : TcpConnection::State::closed, 0};
}

}  // namespace

TcpConnection::Transfer TcpConnection::receive(std::span<std::byte> buffer) noexcept {
  const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0) return failed_transfer();
  return {n == 0 ? State::closed : State::open, static_cast<std::size_t>(n)};
}

TcpConnection::Transfer TcpConnection::send(std::span<const std::byte> data) noexcept {
  const ssize_t n = ::send(fd_.get(), data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) return failed_transfer();
  return {State::open, static_cast<std::size_t>(n)};
}

SocketResult<TcpListener> TcpListener::open(const Endpoint& bind_to, int backlog) {
  const bool v6 = bind_to.address.family == Family::ipv6;
  auto fd = make_socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, describe_listener("TCP", bind_to));
  if (!fd) return tl::make_unexpected(fd.error());
  set_option(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1);  // restart at once, past connections in TIME-WAIT
  if (v6) set_option(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  const auto address = to_system(bind_to);
  if (bind(fd->get(), &address.base, system_length(bind_to.address.family)) != 0 ||
      listen(fd->get(), backlog) != 0)
    return tl::make_unexpected(explain_bind("TCP", bind_to, errno));
  return TcpListener{std::move(*fd)};
}

std::optional<TcpConnection> TcpListener::accept() noexcept {
  SocketAddress peer;
  socklen_t length = sizeof peer;
  FileDescriptor fd{::accept(fd_.get(), &peer.base, &length)};
  if (!fd.valid()) return std::nullopt;
  set_close_on_exec(fd.get());
  set_non_blocking(fd.get());
  return TcpConnection{std::move(fd), from_system(peer)};
}

}  // namespace wiretime::os
