// SPDX-License-Identifier: BSD-3-Clause
// A network interface of the kernel whose wire is this process (/dev/net/tun), with its MAC, addresses and
// routes set by rtnetlink. It is gone when the object is. Made while privileged; frames need no privilege.
// Control thread.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "os/file_descriptor.hpp"

namespace wiretime::os {

struct TapOptions {
  struct Address {
    IpAddress address;
    unsigned prefix_length = 0;
  };
  std::string name;  // empty: the kernel's choice, wt0, wt1, ...
  std::array<std::byte, 6> mac{};
  std::vector<Address> addresses;
  std::vector<IpAddress> gateways;  // default routes, behind any other that the host has
};

class Tap {
 public:
  // Up when this returns. Error: what was refused and why; nothing stays behind.
  [[nodiscard]] static Result<Tap> create(const TapOptions& options);

  // Of a descriptor that keeps frames apart: a tap made elsewhere, a datagram socket.
  Tap(FileDescriptor fd, std::string name) noexcept : fd_(std::move(fd)), name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }  // readable: the kernel has sent

  // The next frame that the kernel has sent, whole; nothing: none for now.
  [[nodiscard]] std::optional<std::size_t> read(std::span<std::byte> buffer) const noexcept;
  // To the kernel, as if it came from a wire. False: not taken.
  [[nodiscard]] bool write(std::span<const std::byte> frame) const noexcept;

 private:
  FileDescriptor fd_;
  std::string name_;
};

}  // namespace wiretime::os
