// SPDX-License-Identifier: BSD-3-Clause
#include "clock/transmit_ladder.hpp"

#include <algorithm>

namespace wiretime::clock {

namespace {

constexpr double kWindow = 1;  // s

}  // namespace

bool TransmitLadder::is_late(const Evidence& e) {
  const std::uint64_t late = e.late - window_late_;
  const std::uint64_t launched = e.launched - window_launched_;
  const bool too_many = late >= limits_.late && late * limits_.late_share > launched;
  if (e.now - window_start_ >= kWindow) {
    window_start_ = e.now;
    window_launched_ = e.launched;
    window_late_ = e.late;
  }
  return too_many;
}

std::string_view TransmitLadder::fault(const Evidence& e) {
  switch (rung_) {
    case TransmitRung::launch:
      if (!e.clock_usable) return "clock";
      if (is_late(e)) return "late";
      if (e.off_schedule >= limits_.off_schedule) return "off-schedule";
      break;
    case TransmitRung::predicted:
      if (e.spread > limits_.spread) return "spread";
      if (e.lost >= limits_.lost) return "lost";
      break;
    case TransmitRung::plain:
      break;
  }
  return {};
}

// Stricter than fault(): nobody climbs to fall at the next look.
bool TransmitLadder::may_stand_on(TransmitRung rung, const Evidence& e) const {
  if (e.now < records_[static_cast<std::size_t>(rung)].barred_until) return false;
  switch (rung) {
    case TransmitRung::launch:
      return offer_.launch && e.clock_usable;
    case TransmitRung::predicted:
      return offer_.stamps && e.calibrated && e.spread <= limits_.spread / 2 && e.lost < limits_.lost / 2;
    case TransmitRung::plain:
      break;
  }
  return true;
}

void TransmitLadder::bar(double now, bool for_the_clock) {
  Record& r = record(rung_);
  if (for_the_clock) {
    r.barred_until = now + limits_.clock_quiet;
    return;
  }
  if (now - r.since >= limits_.trusted) r.quiet = 0;
  r.quiet = std::clamp(r.quiet * 2, limits_.quiet, limits_.longest_quiet);
  r.barred_until = now + r.quiet;
}

std::optional<TransmitLadder::Change> TransmitLadder::judge(const Evidence& e) {
  std::string_view why = fault(e);
  if (!why.empty()) bar(e.now, why == "clock");
  const TransmitRung from = rung_;
  for (const TransmitRung rung : kTransmitRungs) {
    if (why.empty() && rung == from) return std::nullopt;
    if (!may_stand_on(rung, e)) continue;
    rung_ = rung;
    break;
  }
  if (rung_ == from) return std::nullopt;
  record(rung_).since = e.now;
  if (rung_ == TransmitRung::launch) {
    window_start_ = e.now;
    window_launched_ = e.launched;
    window_late_ = e.late;
  }
  return Change{from, rung_, why.empty() ? "offered" : why};
}

}  // namespace wiretime::clock
