// SPDX-License-Identifier: BSD-3-Clause
// The NICs of af_xdp ports, had to stamp requests on receipt: at start, and again when another program has
// had them stamp something else. Control thread.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "clock/receive_ladder.hpp"
#include "control/config_sources.hpp"
#include "os/log.hpp"
#include "os/stamping.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::control {

class RequestStamps {
 public:
  static constexpr unsigned kAskAgain = 64;  // calls of tick

  // `log` outlives it.
  explicit RequestStamps(os::Log& log, os::Ioctl ioctl = os::system_ioctl())
      : log_{log}, ioctl_{std::move(ioctl)} {}

  // Of the af_xdp interfaces among `ports` those that stamp from now on; the log says of each what the
  // receive time of its requests is. `obstacle`: why its XDP program hands on no stamps, or nothing.
  [[nodiscard]] std::vector<std::string> switch_on(
      std::span<const server::DataplaneConfig> ports, std::span<const HwTimestamp> lines,
      const std::function<std::string(const std::string&)>& obstacle);

  // Once a second. `ports`: whatever has a name and the receive status of that port.
  template <typename Ports>
  void tick(const Ports& ports) {
    if (++ticks_ % kAskAgain != 0) return;
    for (const auto& port : ports)
      if (has_stepped_down(port.receive)) ask_again(port.name);
  }

 private:
  // From the stamps that come through an XDP program; a NIC that DPDK drives is nobody else's.
  [[nodiscard]] static bool has_stepped_down(const clock::ReceiveStatus& receive) {
    return receive.offers_xdp_program && receive.offers_hardware &&
           receive.rung != clock::ReceiveRung::hardware;
  }
  [[nodiscard]] std::string try_to_switch_on(const std::string& interface,
                                             std::span<const HwTimestamp> lines) const;
  void ask_again(const std::string& interface);

  os::Log& log_;
  os::Ioctl ioctl_;
  unsigned ticks_ = 0;
};

}  // namespace wiretime::control
