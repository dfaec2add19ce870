// SPDX-License-Identifier: BSD-3-Clause
// One source as the source manager keeps it: what is known of its clock (clock::SourceStatistics), how it
// took part in the last selection, and where its samples come from. Control thread; no sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "clock/delay_test.hpp"
#include "clock/poll_control.hpp"
#include "clock/refclock.hpp"
#include "clock/sample_filter.hpp"
#include "clock/selection.hpp"
#include "clock/source_statistics.hpp"
#include "control/source_config.hpp"
#include "ntp/association.hpp"
#include "os/socket.hpp"

namespace wiretime::control {

using SourceId = std::uint32_t;  // never reused

inline constexpr unsigned kBadToReplace = 4;    // bad samples in a row, as chronyd
inline constexpr double kUnknownSkew = 300e-6;  // s/s: crystals are within 100 ppm of their frequency

// What only a source that is asked over the network has.
struct NtpPart {
  NtpPart(const NtpSource& its_config, const SourceDefaults& defaults);

  NtpSource config;                // with what chronyc changed; but Source::select
  bool config_is_numeric = false;  // an address, not a name
  os::Endpoint address;            // no family until its name has an address
  ntp::Association association;
  clock::DelayTest delays;
  clock::PollControl polls;
  std::optional<std::uint32_t> copied_refid;
  unsigned bad_samples = 0;  // in a row that left the source false, too distant or too noisy

  [[nodiscard]] bool resolved() const { return address.address.family != Family::unspecified; }
};

// What only a reference clock has.
struct RefclockPart {
  RefclockPart(const Refclock& its_config, std::size_t its_index, const SourceDefaults& defaults);

  Refclock config;
  std::size_t index;   // among the refclock lines
  std::uint32_t lock;  // refid; 0: none
  clock::Refclock clock;
  ntp::ReachRegister reach;
  unsigned polls = 0;
};

struct Source {
  Source(SourceId its_id, std::uint32_t its_line, const NtpSource& config, const SourceDefaults& defaults);
  Source(SourceId its_id, std::uint32_t its_line, const Refclock& config, std::size_t index,
         const SourceDefaults& defaults);

  SourceId id;
  std::uint32_t line;                    // of the configuration: all of a pool share one
  std::optional<NtpPart> ntp;            // this
  std::optional<RefclockPart> refclock;  // or that
  std::uint32_t refid = 0;
  SelectOptions select;  // as configured or changed by chronyc

  clock::SourceStatistics statistics;
  std::optional<clock::SampleFilter> filter;

  ntp::StatusUpdate status;  // the last
  bool fresh = false;        // has a sample that the clock was not updated with
  clock::SourceVerdict verdict;
  bool called_false = false;       // the log knows it as a falseticker
  clock::SelectOptions effective;  // after authselectmode
  double measured_offset = 0;      // s, of the last sample, as measured

  [[nodiscard]] bool is_peer() const { return ntp && ntp->config.kind == NtpSource::Kind::peer; }
  [[nodiscard]] bool authenticated() const { return ntp && (ntp->config.key_id != 0 || ntp->config.nts); }
  // False: maxunreach polls gave nothing.
  [[nodiscard]] bool may_be_selected() const;
  // Has not had the polls yet to collect enough samples.
  [[nodiscard]] bool starting() const;
  void set_selected(bool selected);
  void shift(const clock::ClockChange& change);
  // "192.0.2.1", before its name has an address chronyd's "ID#0000000007"; "GPS" of a reference clock.
  [[nodiscard]] std::string address_text() const;
  // For the log: "192.0.2.1", and with its name "192.0.2.1 (ntp.example.net)"; "GPS" of a reference clock.
  [[nodiscard]] std::string label() const;
};

}  // namespace wiretime::control
