// SPDX-License-Identifier: BSD-3-Clause
#include "clock/receive_ladder.hpp"

#include <utility>

namespace wiretime::clock {

StampSums sums_of(const StampCounts& stamps) {
  StampSums sums;
  for (std::size_t v = 0; v < stamps.size(); ++v)
    (v <= static_cast<std::size_t>(StampVerdict::probation) ? sums.good : sums.refused) += stamps[v];
  return sums;
}

std::optional<ReceiveLadder::Change> ReceiveLadder::look(Nanoseconds now, bool nic_clock,
                                                         const StampCounts& hardware,
                                                         const StampCounts& xdp_program) {
  status_.hardware = hardware;
  status_.xdp_program = xdp_program;
  const StampSums nic = sums_of(hardware);
  const StampSums xdp = sums_of(xdp_program);
  if (status_.offers_hardware) hardware_.look(now, nic_clock, nic.good, nic.refused);
  if (status_.offers_xdp_program) xdp_program_.look(now, true, xdp.good, xdp.refused);
  const ReceiveRung from = status_.rung;
  const ReceiveRung to = hardware_.trusted()      ? ReceiveRung::hardware
                         : xdp_program_.trusted() ? ReceiveRung::xdp_program
                                                  : ReceiveRung::tsc;
  status_.rung = to;
  if (!std::exchange(begun_, true)) return Change{to, to, StampTrust::Reason::none};
  if (to == from) return std::nullopt;
  ++status_.changes;
  const StampTrust& lost = from == ReceiveRung::hardware ? hardware_ : xdp_program_;
  return Change{from, to, to > from ? lost.reason() : StampTrust::Reason::none};
}

}  // namespace wiretime::clock
