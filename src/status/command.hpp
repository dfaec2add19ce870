// SPDX-License-Identifier: BSD-3-Clause
// What chronyc can ask the daemon to do, as values: cmdmon decodes a request into a Command, the controller
// executes it on the control thread and answers with a Status. Units: seconds unless the name says ppm.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "status/report.hpp"

namespace wiretime::status {

// The protocol's status codes; chronyc prints its own sentence for each.
enum class Status : std::uint16_t {
  success = 0,
  failed = 1,
  unauthorised = 2,
  invalid = 3,
  no_such_source = 4,
  invalid_timestamp = 5,
  not_enabled = 6,
  bad_subnet = 7,
  access_allowed = 8,
  access_denied = 9,
  source_already_known = 11,
  too_many_sources = 12,
  no_rtc = 13,
  bad_rtc_file = 14,
  inactive = 15,
  bad_sample = 16,
  invalid_address_family = 17,
  bad_packet_version = 18,
  bad_packet_length = 19,
  invalid_name = 21,
};

// Sources named by address and mask.
struct SourceMask {
  SourceAddress address;  // empty: all sources
  IpAddress mask;

  [[nodiscard]] bool selects(const SourceAddress& source) const noexcept;
};

// allow, deny, cmdallow, cmddeny and their `all` forms.
struct AllowDeny {
  bool command_port = false;  // the command port's list instead of the NTP server's
  bool allow = false;
  bool all = false;                // overrides earlier, narrower entries
  std::optional<IpPrefix> prefix;  // empty: every IPv4 and IPv6 address
};

struct Local {
  struct Waits {
    double activate = 0;
    double wait_synced = 0;
    double wait_unsynced = 0;
  };
  bool on = false;
  std::uint32_t stratum = 10;
  double distance = 1;
  bool orphan = false;
  std::optional<Waits> waits;  // empty: the client predates them (chronyc before 4.6)
};

struct Online {
  SourceMask sources;
};
struct Offline {
  SourceMask sources;
};
struct OnOffline {};  // each source by whether it has a route now
struct Burst {
  SourceMask sources;
  std::int32_t good_samples = 0;
  std::int32_t total_samples = 0;
};

enum class SourceParameter : std::uint8_t {
  min_poll,
  max_poll,
  max_delay,
  max_delay_ratio,
  max_delay_dev_ratio,
  min_stratum,
  poll_target,
};
struct ModifySource {
  SourceAddress source;
  SourceParameter parameter = SourceParameter::min_poll;
  double value = 0;  // whole numbers for polls, stratum and target
};

// Bits as chronyc sends them in SetSelectOptions; AddSource has them spelled out.
inline constexpr std::uint32_t kAddPrefer = 0x8;
inline constexpr std::uint32_t kAddNoSelect = 0x10;
inline constexpr std::uint32_t kAddTrust = 0x20;
inline constexpr std::uint32_t kAddRequire = 0x40;

struct AddSource {
  enum class Kind : std::uint8_t { server, peer, pool };
  Kind kind = Kind::server;
  std::string name;
  Family family = Family::unspecified;  // restricts resolution
  std::uint32_t port = 123;
  std::int32_t min_poll = 6;
  std::int32_t max_poll = 10;
  std::int32_t presend_min_poll = 100;
  std::uint32_t min_stratum = 0;
  std::uint32_t poll_target = 8;
  std::uint32_t version = 0;  // 0: choose
  std::uint32_t max_sources = 4;
  std::int32_t min_samples = -1;  // -1: the global setting
  std::int32_t max_samples = -1;
  std::uint32_t key_id = 0;  // 0: none
  std::uint32_t nts_port = 4460;
  double max_delay = 3;
  double max_delay_ratio = 0;
  double max_delay_dev_ratio = 10;
  double max_delay_quantile = 0;
  double min_delay = 0;
  double asymmetry = 1;
  double offset = 0;
  std::int32_t filter_length = 0;
  std::uint32_t certificate_set = 0;
  std::int32_t max_unreach = 0;  // 0 from clients before 4.8: not set
  bool online = false;
  bool auto_offline = false;
  bool iburst = false;
  bool burst = false;
  bool prefer = false;
  bool no_select = false;
  bool trust = false;
  bool require = false;
  bool interleaved = false;
  bool nts = false;
  bool copy = false;
  bool extension_f323 = false;  // monotonic root
  bool extension_f324 = false;  // network correction
};
struct DeleteSource {
  SourceAddress source;
};
struct SetSelectOptions {
  SourceAddress source;  // empty: the reference clock `reference_id`
  std::uint32_t reference_id = 0;
  std::uint32_t mask = 0;  // kAdd bits to change
  std::uint32_t options = 0;
};
struct SetOffset {
  SourceAddress source;  // empty: the reference clock `reference_id`
  std::uint32_t reference_id = 0;
  double offset = 0;
};
struct RefreshSources {};
struct ReloadSources {};
struct ResetSources {};

struct Makestep {};
struct SetMakestep {
  std::int32_t limit = 0;  // updates; negative: always
  double threshold = 0;
};
struct AdjustFrequency {
  double ppm = 0;
};
struct AdjustOffset {
  double offset = 0;
};
struct SetMaxUpdateSkew {
  double ppm = 0;
};
struct Reselect {};
struct SetReselectDistance {
  double distance = 0;
};

struct SetTime {
  WallTime time;
};
struct Manual {
  enum class Action : std::uint8_t { off, on, reset };
  Action action = Action::off;
};
struct ManualDelete {
  std::uint32_t index = 0;
};
struct Smoothtime {
  enum class Action : std::uint8_t { reset, activate };
  Action action = Action::reset;
};
struct WriteRtc {};
struct TrimRtc {};

struct Dump {};
struct CycleLogs {};
struct Rekey {};
// The reply goes out after this returns: begin the exit, do not perform it.
struct Shutdown {};

using Command = std::variant<AllowDeny, Local, Online, Offline, OnOffline, Burst, ModifySource, AddSource,
                             DeleteSource, SetSelectOptions, SetOffset, RefreshSources, ReloadSources,
                             ResetSources, Makestep, SetMakestep, AdjustFrequency, AdjustOffset,
                             SetMaxUpdateSkew, Reselect, SetReselectDistance, SetTime, Manual, ManualDelete,
                             Smoothtime, WriteRtc, TrimRtc, Dump, CycleLogs, Rekey, Shutdown>;

// What settime prints.
struct ManualResult {
  double offset = 0;
  double frequency_change_ppm = 0;
  double new_frequency_ppm = 0;
};

struct Outcome {
  Status status = Status::success;
  ManualResult manual;  // read for SetTime only

  Outcome(Status s) : status(s) {}  // NOLINT: every other command's answer is just a status
  Outcome(const ManualResult& m) : manual(m) {}
};

class Executor {
 public:
  virtual ~Executor() = default;
  // Control thread; returns without waiting for anything.
  virtual Outcome execute(const Command& command) = 0;
};

}  // namespace wiretime::status
