// SPDX-License-Identifier: BSD-3-Clause
// From configuration text's values to what the service works with: access rules with names resolved, the
// `local` reference with its effective waits, the open commands. Start-up, control thread.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "base/result.hpp"
#include "clock/served_reference.hpp"
#include "control/command_line.hpp"
#include "control/config.hpp"
#include "ntp/access_list.hpp"
#include "ntp/client_table.hpp"
#include "status/cmdmon.hpp"

namespace wiretime::control {

using Resolve = std::function<Result<std::vector<IpAddress>>(const std::string& name)>;

// A name that has no address is an error: leaving a `deny` out would open what was meant to be closed.
[[nodiscard]] Result<ntp::AccessRules> access_rules(const std::vector<AccessRule>& rules,
                                                    const Resolve& resolve);

[[nodiscard]] bool has_sources(const Settings& settings);
// Whether the system clock is ours to steer: from sources, or by hand.
[[nodiscard]] bool controls_clock(const Settings& settings);
// How long an orphan waits for its sources after start when nobody said: a restart must not serve an unset
// clock, and an isolated network has nothing to wait for.
[[nodiscard]] std::chrono::seconds default_orphan_wait(const Settings& settings);
[[nodiscard]] clock::LocalConfig local_config(const Settings& settings);

// Clients that the NTP client logs have room for: the kernel sockets', and that of each worker on each port.
// All together stay within clientloglimit, of which the kernel sockets have a sixteenth beside a data plane.
// Without one: the kernel sockets 64 K IPv4 clients, the workers 1 M, and a quarter as many of IPv6.
struct ClientCapacities {
  ntp::ClientCapacity kernel;
  ntp::ClientCapacity worker;
};
[[nodiscard]] ClientCapacities client_capacities(const Settings& settings);
[[nodiscard]] ntp::RateLimit ntp_rate_limit(const RateLimit& configured);

// -q and -Q: the same sources and clock settings, and no service; -Q does not even claim the pid file.
[[nodiscard]] Config config_for_once(const Config& config, Options::Once once);

[[nodiscard]] status::OpenCommands open_commands(const Settings& settings);

}  // namespace wiretime::control
