// SPDX-License-Identifier: BSD-3-Clause
// Small files that say something about the clock and change now and then: leap second tables (leapseclist,
// leapsectz) and the temperature sensor (tempcomp). Control thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "clock/leap.hpp"
#include "clock/temperature.hpp"
#include "control/config.hpp"
#include "os/log.hpp"
#include "status/log_record.hpp"

namespace wiretime::control {

// Of tempcomp's points, if that is what is configured; the error names the file.
[[nodiscard]] Result<clock::TemperatureCurve> temperature_curve(const TemperatureCompensation& config);
// Where a zone's file is; empty: no zone has such a name.
[[nodiscard]] std::string zone_path(const std::string& zone);

class ClockFiles {
 public:
  struct Actions {
    std::function<void(std::optional<clock::LeapTable>)> leap_table;
    std::function<bool(double ppm)> compensate;  // false: beyond reason
    std::function<void(const status::TemperatureRecord&)> record;
  };
  // `settings` and `log` outlive the object. `curve`: of the temperature; empty: no compensation.
  ClockFiles(const Settings& settings, std::optional<clock::TemperatureCurve> curve, os::Log& log,
             Actions actions);

  // At the start and once a second; reads what is due.
  void look(Nanoseconds monotonic, WallTime now);

 private:
  [[nodiscard]] std::optional<clock::LeapTable> read_leap_table(WallTime now);
  [[nodiscard]] std::optional<clock::LeapTable> read_list(WallTime now);
  [[nodiscard]] std::optional<clock::LeapTable> read_zone();
  // What became of a file, told when that changes.
  void tell(os::LogLevel level, const std::string& line);
  void read_temperature(WallTime now);

  const Settings& settings_;
  const std::optional<clock::TemperatureCurve> curve_;
  os::Log& log_;
  Actions actions_;
  std::optional<Nanoseconds> leap_due_;         // monotonic
  std::optional<Nanoseconds> temperature_due_;  // the same
  bool had_table_ = false;
  std::string told_;  // of leap second files
};

}  // namespace wiretime::control
