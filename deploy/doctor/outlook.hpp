// SPDX-License-Identifier: BSD-3-Clause
// On which rungs of the two ladders (clock/receive_ladder, clock/transmit_ladder) a port would stand, and
// what is between it and a better one. Pure. What DPDK's drivers stamp is read in their sources, 22.11
// to 25.07: a card that the kernel has does not tell.
#pragma once

#include <string>

#include "clock/receive_ladder.hpp"
#include "clock/transmit_plan.hpp"
#include "deploy/doctor/host_facts.hpp"
#include "deploy/doctor/judge_host.hpp"
#include "deploy/doctor/nic_facts.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::doctor {

template <typename Rung>
struct Prospect {
  Rung rung{};
  std::string why;   // with the best: where the stamps are from; with any other: why it is not a better one
  std::string next;  // how to come to a better one; empty: there is no way that we know of
  bool at_least = false;  // it may be a better one: only a start tells
};

struct Outlook {
  Prospect<clock::ReceiveRung> receive;
  Prospect<clock::TransmitRung> transmit;
};

// `stamps_refused`: a hwtimestamp line says that the NIC is not to stamp what comes in.
[[nodiscard]] Outlook outlook(server::DataplaneConfig::Kind kind, const NicFacts& nic, const HostFacts& host,
                              const Build& build, bool stamps_refused);

}  // namespace wiretime::doctor
