// SPDX-License-Identifier: BSD-3-Clause
// What the configuration (hwtimestamp) says of a data-plane port's NIC: plain values.
#pragma once

namespace wiretime::clock {

struct NicOptions {
  static constexpr unsigned kLeastReadings = 8;  // for a line that others than its points can trust
  static constexpr unsigned kMostReadings = 64;

  double least_interval = 0;  // s between readings of its clock while stamps come in; 0: ten a second
  double most_interval = 0;   // s, when none came for a minute
  unsigned least_readings = kLeastReadings;  // that its clock is known from
  unsigned most_readings = kMostReadings;    // and that are kept
  double precision = 0;                      // s, what a reading is wrong by at least
  double receive_compensation = 0;           // s, subtracted from receive stamps
  double transmit_compensation = 0;          // s, added to transmit stamps
  bool no_cross_stamps = false;              // the hardware's own are not used
  bool no_receive_stamps = false;            // receive stamps are not used
};

}  // namespace wiretime::clock
