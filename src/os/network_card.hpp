// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says of a network interface's hardware and how it is set up, read only (ethtool's ioctls):
// for programs that look at a host before anything runs on it. Start-up.
#pragma once

#include <optional>
#include <string>

#include "os/ptp_clock.hpp"
#include "os/stamping.hpp"

namespace wiretime::os {

// Queue pairs, as `ethtool -l` shows them; all 0 where the driver counts otherwise.
struct Channels {
  unsigned receive = 0;
  unsigned transmit = 0;
  unsigned combined = 0;
  unsigned most_combined = 0;
};
// Nothing: the driver does not tell.
[[nodiscard]] std::optional<Channels> channels(const std::string& interface,
                                               const Ioctl& ioctl = system_ioctl());

// The kernel driver's name: "ice", "veth". Empty: it does not tell.
[[nodiscard]] std::string driver_of(const std::string& interface, const Ioctl& ioctl = system_ioctl());

// What the hardware is stamping now, whoever asked it to. Nothing: the driver does not tell.
struct StampsNow {
  bool transmit = false;
  StampFilter receive = StampFilter::none;
};
[[nodiscard]] std::optional<StampsNow> stamps_now(const std::string& interface,
                                                  const Ioctl& ioctl = system_ioctl());

// The NIC takes VLAN tags off received frames, so that XDP programs do not see them.
[[nodiscard]] bool strips_vlan_tags(const std::string& interface, const Ioctl& ioctl = system_ioctl());

}  // namespace wiretime::os
