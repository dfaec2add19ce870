// SPDX-License-Identifier: BSD-3-Clause
// A non-blocking TCP listener and its connections, for the metrics endpoint. Control thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "os/socket.hpp"

namespace wiretime::os {

class TcpConnection {
 public:
  TcpConnection(FileDescriptor fd, const Endpoint& peer) : fd_(std::move(fd)), peer_(peer) {}

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const Endpoint& peer() const noexcept { return peer_; }

  enum class State : std::uint8_t { open, would_block, closed };
  struct Transfer {
    State state;
    std::size_t bytes;  // 0 unless open
  };
  Transfer receive(std::span<std::byte> buffer) noexcept;
  Transfer send(std::span<const std::byte> data) noexcept;

 private:
  FileDescriptor fd_;
  Endpoint peer_;
};

class TcpListener {
 public:
  [[nodiscard]] static SocketResult<TcpListener> open(const Endpoint& bind_to, int backlog = 16);

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] Endpoint local() const noexcept { return bound_endpoint(fd_.get()); }
  // The next waiting connection, or nullopt. Out of descriptors also reads as nullopt: the caller limits how
  // many connections it keeps, and stops watching the listener at that limit.
  [[nodiscard]] std::optional<TcpConnection> accept() noexcept;

 private:
  explicit TcpListener(FileDescriptor fd) : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

}  // namespace wiretime::os
