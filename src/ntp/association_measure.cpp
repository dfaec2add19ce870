// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/association_measure.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::ntp {

double remote_minus_local(NtpTimestamp remote, WallTime local) noexcept {
  constexpr double kEra = 4294967296.0;  // s
  const double difference = (remote - NtpTimestamp::from(local)).seconds();
  const double since_1970 = std::chrono::duration<double>(local.time_since_epoch()).count() + difference;
  // Half a second of grace: at 1970-01-01 exactly the server may be a little behind us.
  return since_1970 < -0.5 ? difference + kEra : difference;
}

Measurement measure(const ExchangeStamps& s, double precision, double skew) noexcept {
  const WallTime t1 = s.local_transmit.time;
  const WallTime t4 = s.local_receive.time;
  const double local_interval = clock::seconds_between(t1, t4);
  const double remote_interval = (s.remote_transmit - s.remote_receive).seconds();

  Measurement m;
  m.time = t1 + (t4 - t1) / 2;
  m.offset = (remote_minus_local(s.remote_receive, t1) + remote_minus_local(s.remote_transmit, t4)) / 2;
  m.delay = std::max(std::fabs(local_interval - remote_interval), precision);
  const double stamp_error = std::max(s.local_transmit.error, s.local_receive.error);
  m.dispersion = std::max(precision, stamp_error) + skew * std::fabs(local_interval);
  return m;
}

}  // namespace wiretime::ntp
