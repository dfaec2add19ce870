// SPDX-License-Identifier: BSD-3-Clause
// Learns how a NIC's clock maps to the CPU's counter (TSC): of each set of readings the narrowest, then a
// line through the last few seconds of them (trimmed regression, over the longest window in which a line
// fits), and a bound on what that may be wrong by. What a broken, frozen or reset clock gives is noticed,
// counted and kept out; the map is not ready while in doubt, and is again some readings after. Control
// thread; pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "clock/nic_clock.hpp"
#include "clock/nic_options.hpp"
#include "clock/nic_snapshot.hpp"
#include "clock/nic_status.hpp"

namespace wiretime::clock {

class NicMap {
 public:
  // `ticks_per_second`: of the counter, about.
  explicit NicMap(double ticks_per_second, unsigned counter_bits = 64, const NicOptions& options = {});

  // One set of readings, in order of time, some 10 times a second.
  NicEvent add(std::span<const NicReading> readings);
  // There was none to be had.
  NicEvent missed() { return count(NicEvent::missed); }

  // False too when the newest reading is older than NicSnapshot::expires allows.
  [[nodiscard]] bool ready(Ticks now) const;
  // The rate is 0 unless ready.
  [[nodiscard]] NicSnapshot snapshot() const;

  // We have corrected the clock: since counter `at` it runs faster by `frequency` (s/s) than before. Earlier
  // readings become what they would have been, had that always been so.
  void steered(Ticks at, double frequency);
  // We have set the clock: trust nothing but what comes.
  void forget();

  // NIC's ticks in a second of the counter; 0 until known.
  [[nodiscard]] double nic_ticks_per_second() const;
  [[nodiscard]] double error_bound() const;  // s, at the newest reading
  [[nodiscard]] const std::array<std::uint64_t, kNicEvents>& counts() const { return counts_; }

 private:
  struct Reading {
    std::uint64_t nic = 0;  // never wraps: a 32-bit counter's wraps are counted in
    Ticks ticks{};          // middle
    double fraction = 0;    // ticks, of the middle
    double half_width = 0;  // ticks
  };
  struct Line {
    double ticks_per_nic = 0;
    double offset = 0;  // ticks, of the line from the newest reading
    double error = 0;   // ticks, bound at the newest reading
    double skew = 0;    // relative, 95 %
  };

  [[nodiscard]] std::optional<Reading> best_of(std::span<const NicReading> readings) const;
  NicEvent count(NicEvent event);
  NicEvent take(const Reading& reading, NicEvent event);
  NicEvent doubt(NicEvent event);
  NicEvent jumped(const Reading& reading);
  void fit();
  void unwrap(Reading& reading) const;
  [[nodiscard]] double ticks_per_nic() const;
  // Ticks by which `reading` is late against what `earlier` and the rate say.
  [[nodiscard]] double late(const Reading& reading, const Reading& earlier) const;
  // Ticks that it may be, and still be of the same clock.
  [[nodiscard]] double tolerance(const Reading& reading, const Reading& earlier) const;

  double ticks_per_second_;
  bool wraps_at_32_;
  NicOptions options_;
  double expiry_;                  // s without readings
  std::vector<Reading> readings_;  // oldest first
  std::optional<Line> line_;
  bool in_doubt_ = false;
  std::optional<Reading> suspect_;  // the last one that did not fit
  unsigned repairs_ = 0;            // in a row
  std::array<std::uint64_t, kNicEvents> counts_{};
};

}  // namespace wiretime::clock
