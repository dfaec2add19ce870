// SPDX-License-Identifier: BSD-3-Clause
// When a packet of a kernel socket came or left, on CLOCK_REALTIME, and who says so. Control thread.
#pragma once

#include "base/time.hpp"
#include "ntp/association_event.hpp"

namespace wiretime::control {

struct KernelStamp {
  WallTime time{};
  double error = 0;  // s, bound
  ntp::StampSource source = ntp::StampSource::kernel;

  // NOLINTNEXTLINE(google-explicit-constructor): a plain time is the kernel's own.
  KernelStamp(WallTime t, double e = 0, ntp::StampSource s = ntp::StampSource::kernel)
      : time{t}, error{e}, source{s} {}
};

}  // namespace wiretime::control
