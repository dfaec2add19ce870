// SPDX-License-Identifier: BSD-3-Clause
// hwtimestamp lines as they concern the NIC of a `dataplane` line. Start-up; pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "clock/nic_options.hpp"
#include "control/config_sources.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::control {

struct PortNicOptions {
  clock::NicOptions options;
  std::vector<std::string> warnings;  // what of the port's own line cannot be done there
};

// The port's own line counts, or else that of `*`, whose warnings nobody asked for.
[[nodiscard]] PortNicOptions nic_options(std::span<const HwTimestamp> lines,
                                         const server::DataplaneConfig& port);

}  // namespace wiretime::control
