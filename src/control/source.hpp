// SPDX-License-Identifier: BSD-3-Clause
// One NTP source as the source manager keeps it: the exchange (ntp::Association), what is known of its clock
// (clock::SourceStatistics) and how it took part in the last selection. Control thread; no sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "clock/delay_test.hpp"
#include "clock/poll_control.hpp"
#include "clock/sample_filter.hpp"
#include "clock/selection.hpp"
#include "clock/source_statistics.hpp"
#include "control/config.hpp"
#include "ntp/association.hpp"
#include "os/socket.hpp"

namespace wiretime::control {

using SourceId = std::uint32_t;  // never reused

struct SourceDefaults {
  const Settings& settings;
  double clock_precision = 1e-7;  // s
  double frequency_sd = 300e-6;   // s/s, of the clock before the first sample
};

[[nodiscard]] ntp::SourceOptions association_options(const NtpSource& config, const Settings& settings);
[[nodiscard]] clock::StatisticsConfig statistics_config(const NtpSource& config,
                                                        const SourceDefaults& defaults);
[[nodiscard]] clock::DelayLimits delay_limits(const NtpSource& config, const Settings& settings);
[[nodiscard]] clock::SelectOptions select_options(const SelectOptions& configured);

[[nodiscard]] clock::PollConfig poll_config(const NtpSource& config);

struct Source {
  Source(SourceId its_id, std::uint32_t its_line, const NtpSource& its_config,
         const SourceDefaults& defaults);

  SourceId id;
  std::uint32_t line;              // of the configuration: all of a pool share one
  NtpSource config;                // with what chronyc changed
  bool config_is_numeric = false;  // an address, not a name
  os::Endpoint address;            // no family until its name has an address
  std::uint32_t refid = 0;

  ntp::Association association;
  clock::SourceStatistics statistics;
  std::optional<clock::SampleFilter> filter;
  clock::DelayTest delays;
  clock::PollControl polls;

  ntp::StatusUpdate status;  // the last
  std::optional<std::uint32_t> copied_refid;
  bool fresh = false;  // has a sample that the clock was not updated with
  clock::SourceVerdict verdict;
  bool called_false = false;       // the log knows it as a falseticker
  clock::SelectOptions effective;  // after authselectmode
  double measured_offset = 0;      // s, of the last sample, as measured

  [[nodiscard]] bool resolved() const { return address.address.family != Family::unspecified; }
  // "192.0.2.1", and with its name "192.0.2.1 (ntp.example.net)".
  [[nodiscard]] std::string label() const;
};

}  // namespace wiretime::control
