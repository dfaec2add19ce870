// SPDX-License-Identifier: BSD-3-Clause
#include "clock/served_reference.hpp"

#include <algorithm>
#include <cmath>

#include "clock/sample.hpp"

namespace wiretime::clock {

namespace {

using Seconds = std::chrono::duration<double>;
using namespace std::chrono_literals;

Seconds root_distance(const ClockState& state) {
  return state.root_dispersion + state.root_delay / 2.0;
}

}  // namespace

void apply_smoothing(Reference& reference, const ClockState& state, std::int8_t precision) {
  if (state.hide_leap && (reference.leap == Leap::insert || reference.leap == Leap::remove))
    reference.leap = Leap::none;
  if (std::fabs(state.smoothing) <= std::ldexp(1.0, precision)) return;
  reference.refid = kSmoothedRefid;
  const NtpTimestamp t = reference.reference_time;
  if (t.value == 0) return;
  reference.reference_time =
      t + NtpDuration{std::llround(std::ldexp(std::clamp(state.smoothing, -1e8, 1e8), 32))};
}

bool ReferenceSelector::local_active(const ClockState& state, Seconds uptime) const {
  if (!local_.enabled) return false;
  if (state.synchronised && root_distance(state) <= local_.distance) return false;
  if (local_.activate > 0s && !distance_was_below_activate_) return false;
  return last_synced_ ? uptime - *last_synced_ >= local_.wait_synced : uptime >= local_.wait_unsynced;
}

ServedReference ReferenceSelector::select(const ClockState& state, Seconds uptime, WallTime now) {
  if (state.synchronised) {
    last_synced_ = uptime;
    if (root_distance(state) < local_.activate) distance_was_below_activate_ = true;
  }
  ServedReference served;
  if (local_active(state, uptime)) {
    // As chronyd: a second old, and renewed only now and then, so that clients see one reference update a
    // minute.
    if (now - local_reference_time_ > 65s || now - local_reference_time_ < 1s)
      local_reference_time_ = now - 1s;
    served.as = ServedAs::local;
    served.reference.leap = Leap::none;
    served.reference.stratum = local_.stratum;
    served.reference.refid = kLocalRefid;
    served.reference.reference_time = NtpTimestamp::from(local_reference_time_);
  } else if (state.synchronised) {
    served.as = ServedAs::synchronised;
    served.reference = {state.leap,
                        state.stratum,
                        state.refid,
                        NtpShort::from(state.root_delay),
                        NtpShort::from(state.root_dispersion),
                        NtpTimestamp::from(state.reference_time)};
  } else {
    // chronyd's wire values of an unsynchronised server: one second of root delay and root dispersion.
    served.reference.root_delay = NtpShort::from(1s);
    served.reference.root_dispersion = NtpShort::from(1s);
  }
  return served;
}

}  // namespace wiretime::clock
