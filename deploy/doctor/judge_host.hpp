// SPDX-License-Identifier: BSD-3-Clause
// What this host is worth to wiretimed with that configuration. Pure.
#pragma once

#include <string>
#include <vector>

#include "control/config.hpp"
#include "deploy/doctor/finding.hpp"
#include "deploy/doctor/host_facts.hpp"

namespace wiretime::doctor {

// What was built in.
struct Build {
  bool dpdk = false;
  bool xdp = false;
  std::string dpdk_version{};  // "22.11.11"
  std::string module_error{};  // why the data plane's module cannot be loaded; empty: it can
};

// `configured`: there is a configuration; else `settings` are the defaults, and what they lack is only noted.
struct Purpose {
  const control::Settings& settings;
  bool configured = false;

  [[nodiscard]] bool has_ports() const { return !settings.dataplanes.empty(); }
  [[nodiscard]] bool has_port(server::DataplaneConfig::Kind kind) const;
  // How much it matters that something of the data plane's is not at its best.
  [[nodiscard]] Level for_ports() const { return has_ports() ? Level::warning : Level::note; }
};

[[nodiscard]] Findings judge_host(const HostFacts& host, const Purpose& purpose, const Build& build);
// Who else answers on the NTP port or steers the clock.
[[nodiscard]] Findings judge_neighbours(const HostFacts& host, const std::vector<PortHolder>& holders,
                                        const Purpose& purpose);

}  // namespace wiretime::doctor
