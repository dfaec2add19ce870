// SPDX-License-Identifier: BSD-3-Clause
// The XDP steering programs of all `dataplane af_xdp` interfaces. One implementation with libbpf, one that
// says it was built without. Control thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "os/log.hpp"
#include "server/dataplane_config.hpp"
#include "status/report.hpp"

namespace wiretime {

class SteeringSet {
 public:
  virtual ~SteeringSet() = default;

  // Interfaces whose driver has no XDP: AF_XDP must copy there.
  [[nodiscard]] virtual std::vector<std::string> generic_interfaces() const = 0;
  // Why the program on `interface` does not hand on the NIC's receive stamps; empty: it does if there are
  // any.
  [[nodiscard]] virtual std::string no_hardware_time(const std::string& interface) const = 0;
  // What the program on `interface` did with frames; empty when there is none.
  [[nodiscard]] virtual std::vector<status::SteeringCount> counts(const std::string& interface) const = 0;
  virtual void set_local_addresses(std::span<const IpAddress> addresses) = 0;  // failures are logged
  virtual void set_peers(std::span<const IpAddress> addresses) = 0;            // the same
  virtual void detach() = 0;
};

// Attaches to every af_xdp interface among `ports`; none is an empty set. `log` outlives it.
[[nodiscard]] Result<std::unique_ptr<SteeringSet>> attach_steering(
    std::span<const server::DataplaneConfig> ports, std::uint16_t ntp_port,
    std::span<const IpAddress> addresses, os::Log& log);

}  // namespace wiretime
