// SPDX-License-Identifier: BSD-3-Clause
// Four timestamps become a measurement (RFC 5905 section 8, RFC 9769 for where the four come from in
// interleaved mode). Control thread; pure.
//
//   T1 local transmit, T2 remote receive, T3 remote transmit, T4 local receive
//   offset = ((T2 - T1) + (T3 - T4)) / 2     > 0: our clock is behind
//   delay  = (T4 - T1) - (T3 - T2)           at least the precision of both clocks
//   dispersion = max(precision, stamps' error) + skew * (T4 - T1)
//
// T3 before T2 is possible in interleaved mode, where T1..T4 come from two exchanges, and T1 may then be
// after T4: the formulas hold for the magnitudes. Differences are taken modulo 2^64 and are right within 68
// years of the local clock; a remote time that would fall before 1970 is taken from the next era, so that a
// host booting in 1970 for want of a battery finds its way after 2036.
#pragma once

#include "base/time.hpp"
#include "clock/sample.hpp"
#include "ntp/association_event.hpp"

namespace wiretime::ntp {

struct ExchangeStamps {
  LocalStamp local_transmit;
  NtpTimestamp remote_receive;
  NtpTimestamp remote_transmit;
  LocalStamp local_receive;
};

struct Measurement {
  WallTime time{};        // local, midway between T1 and T4
  double offset = 0;      // s
  double delay = 0;       // s
  double dispersion = 0;  // s
};

// `precision`: of both clocks together, s; `skew`: bound on the relative frequency error, s/s.
[[nodiscard]] Measurement measure(const ExchangeStamps& stamps, double precision, double skew) noexcept;

// remote - local in seconds, in the era described above.
[[nodiscard]] double remote_minus_local(NtpTimestamp remote, WallTime local) noexcept;

}  // namespace wiretime::ntp
