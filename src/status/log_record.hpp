// SPDX-License-Identifier: BSD-3-Clause
// One line of each of chrony's log files (measurements.log, statistics.log, ...) as a value, and as text in
// chronyd 4.3's columns, which parsers and gnuplot scripts know. Control thread; pure. Source:
// chrony.conf(5), directive `log`, which also gives the signs: they are kept here, unlike in the rest of this
// program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.hpp"

namespace wiretime::status {

// Sources are named by address, or by reference ID for reference clocks. Leap is NTP's: 0 none, 1 a second
// more, 2 a second less, 3 unsynchronised. Times of lines are shown in whole seconds unless said otherwise.

struct MeasurementRecord {
  WallTime time{};
  std::string source;
  std::uint8_t leap = 3;
  std::uint8_t stratum = 0;
  std::uint16_t tests = 0;  // ten bits: 1 2 3 5 6 7 A B C D from the highest; 1 is passed
  int poll = 0;             // log2 s
  int source_poll = 0;
  double poll_score = 0;       // fraction of a poll
  double offset = 0;           // s, positive: the clock is slow
  double peer_delay = 0;       // s
  double peer_dispersion = 0;  // s
  double root_delay = 0;       // s, of the source
  double root_dispersion = 0;  // s, of the source
  std::uint32_t refid = 0;
  std::uint8_t mode = 0;
  bool interleaved = false;
  char transmit_stamp = 'D';  // D, K or H: daemon, kernel, hardware
  char receive_stamp = 'D';
};

struct StatisticsRecord {
  WallTime time{};  // of the last sample
  std::string source;
  double std_dev = 0;    // s
  double offset = 0;     // s, positive: the clock is fast
  double offset_sd = 0;  // s
  double frequency = 0;  // s/s, positive: the clock gains
  double skew = 0;       // s/s
  double stress = 0;     // change of the frequency in old skews
  unsigned samples = 0;  // before old ones were dropped
  unsigned dropped = 0;  // because a line no longer fits them
  unsigned runs = 0;     // of residuals of one sign
  double asymmetry = 0;  // -0.5..0.5
};

struct TrackingRecord {
  WallTime time{};
  std::string source;
  unsigned stratum = 0;      // ours
  double frequency_ppm = 0;  // positive: the clock runs fast
  double skew_ppm = 0;
  double offset = 0;  // s, positive: the clock is fast
  std::uint8_t leap = 3;
  unsigned combined = 0;       // sources
  double offset_sd = 0;        // s
  double remaining = 0;        // s, of the correction before, positive: the clock is slow
  double root_delay = 0;       // s
  double root_dispersion = 0;  // s
  double max_error = 0;        // s, since the update before
};

struct SelectionRecord {
  WallTime time{};
  std::string source;
  char state = 'M';  // letter of chronyc selectdata
  bool no_select = false;
  bool prefer = false;
  bool trust = false;
  bool require = false;
  std::uint8_t reach = 0;
  double score = 1;
  double last_sample_age = 0;  // s
  double low = 0;              // s, the clock's error lies between; positive: fast
  double high = 0;
};

// Shown with microseconds.
struct RefclockRecord {
  WallTime time{};
  std::string refid;
  std::uint8_t leap = 0;
  // Of a sample as the driver gave it; without, the line is the filter's result.
  struct Raw {
    unsigned poll = 0;  // of the driver within one polling interval
    bool pulse = false;
    double offset = 0;  // s
  };
  std::optional<Raw> raw;
  double offset = 0;      // s, corrected; positive: the clock is slow
  double dispersion = 0;  // s
};

struct TemperatureRecord {
  WallTime time{};
  double temperature = 0;       // as the sensor says
  double compensation_ppm = 0;  // positive: the clock is made to run faster
};

using LogRecord = std::variant<MeasurementRecord, StatisticsRecord, TrackingRecord, SelectionRecord,
                               RefclockRecord, TemperatureRecord>;

struct LogFormat {
  std::string_view file;     // without ".log"
  std::string_view columns;  // the banner's middle line
};
// By LogRecord::index().
[[nodiscard]] LogFormat log_format(std::size_t index);
// Three lines.
[[nodiscard]] std::string log_banner(const LogFormat& format);
// Without a line end.
[[nodiscard]] std::string log_line(const LogRecord& record);

}  // namespace wiretime::status
