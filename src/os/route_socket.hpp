// SPDX-License-Identifier: BSD-3-Clause
// Changes to interfaces, addresses and routes over rtnetlink (rtnetlink(7)), one request and its answer at a
// time. Start-up, control thread, with CAP_NET_ADMIN.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "os/file_descriptor.hpp"

namespace wiretime::os {

class RouteSocket {
 public:
  [[nodiscard]] static Result<RouteSocket> open();

  // Each returns 0 or what errno would say.
  [[nodiscard]] int bring_up(unsigned interface, std::span<const std::byte> mac) const noexcept;
  // IPv6 without duplicate address detection: usable at once.
  [[nodiscard]] int add_address(unsigned interface, const IpAddress& address,
                                unsigned prefix_length) const noexcept;
  // `metric`: higher ones are used when there is no other.
  [[nodiscard]] int add_default_route(unsigned interface, const IpAddress& gateway,
                                      std::uint32_t metric) const noexcept;

 private:
  explicit RouteSocket(FileDescriptor fd) noexcept : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

}  // namespace wiretime::os
