// SPDX-License-Identifier: BSD-3-Clause
// What a network card is worth to wiretimed. Pure.
#pragma once

#include <vector>

#include "deploy/doctor/finding.hpp"
#include "deploy/doctor/judge_host.hpp"
#include "deploy/doctor/nic_facts.hpp"
#include "deploy/doctor/outlook.hpp"

namespace wiretime::doctor {

// As the port that the configuration makes of it; `port` null: as what it could be.
[[nodiscard]] Findings judge_nic(const NicFacts& nic, const server::DataplaneConfig* port,
                                 const HostFacts& host, const Purpose& purpose, const Build& build);

// All ports together: queues for the workers, and whether the two are close to each other. `nics`: of each
// port, in the configuration's order.
[[nodiscard]] Findings judge_ports(const std::vector<NicFacts>& nics, const HostFacts& host,
                                   const Purpose& purpose);

}  // namespace wiretime::doctor
