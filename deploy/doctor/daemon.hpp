// SPDX-License-Identifier: BSD-3-Clause
// What a running wiretimed says of its ports, from its metrics page, beside what was expected of them. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/doctor/finding.hpp"
#include "deploy/doctor/metrics_page.hpp"
#include "deploy/doctor/outlook.hpp"

namespace wiretime::doctor {

// The names of rungs are those of clock::name().
struct PortNow {
  std::string name;
  std::string receive;                      // empty: not told
  std::vector<std::string> receive_offers;  // best first
  double rung_changes = 0;
  std::map<std::string, double> refused;  // by rung: frames whose stamp of it was not used
  std::string transmit;                   // empty: not told
  std::map<std::string, double> events;   // of transmit stamps
  std::optional<double> spread;           // s, of predicted stamps
  std::optional<bool> clock_ready;        // nothing: it has none
  std::optional<double> clock_error;      // s
};

[[nodiscard]] std::vector<PortNow> ports_now(const std::vector<Sample>& page);

// `expected`: nothing when that could not be told.
[[nodiscard]] Findings judge_port_now(const PortNow& now, const std::optional<Outlook>& expected);

// Whether it answers, and what clients are told. `page` empty: `error` says why.
[[nodiscard]] Findings judge_daemon(const std::vector<Sample>& page, const std::string& where,
                                    const std::string& error);

}  // namespace wiretime::doctor
