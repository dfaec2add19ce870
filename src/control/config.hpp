// SPDX-License-Identifier: BSD-3-Clause
// The validated configuration: every directive of chrony.conf and our own, as typed values whose initial
// value is the documented default. config_parse.hpp makes one from text. Control thread; immutable once made.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ip_address.hpp"
#include "control/config_sources.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::control {

// One allow, deny, cmdallow or cmddeny line. Order matters: later lines refine or override earlier ones.
struct AccessRule {
  bool allow = false;
  bool all = false;                // also drops what earlier lines said about parts of the range
  std::optional<IpPrefix> prefix;  // neither prefix nor name: every address of both families
  std::string name;                // host name, resolved at start

  friend bool operator==(const AccessRule&, const AccessRule&) = default;
};

struct LocalReference {
  bool enabled = false;
  unsigned stratum = 10;  // 1..15
  bool orphan = false;
  Seconds distance{1.0};  // serve local time once the root distance exceeds this
  Seconds activate{0.0};  // not before the distance was once below this; 0: no such condition
  Seconds waitsynced{0.0};
  Seconds waitunsynced{0.0};  // not given: 300 s with orphan, else 0
  bool waitunsynced_given = false;

  friend bool operator==(const LocalReference&, const LocalReference&) = default;
};

struct RateLimit {
  bool enabled = false;
  int interval = 3;    // log2 seconds between answers to one client, -19..12
  unsigned burst = 8;  // 1..255
  unsigned leak = 2;   // 1..4: about one in 2^leak of the refused requests is answered all the same
  unsigned kod = 0;    // 0..4: about one in 2^kod of the others gets a KoD RATE; 0: none

  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

struct MakeStep {
  Seconds threshold{0.0};
  int limit = 0;  // updates during which a step may happen; 0: never, negative: always

  friend bool operator==(const MakeStep&, const MakeStep&) = default;
};

struct MaxChange {
  Seconds offset{0.0};
  int start = 0;   // updates before the check begins
  int ignore = 0;  // large offsets ignored before giving up; negative: all

  friend bool operator==(const MaxChange&, const MaxChange&) = default;
};

struct InitStepSlew {
  Seconds threshold{0.0};  // 0: line without effect
  std::vector<std::string> hosts;

  friend bool operator==(const InitStepSlew&, const InitStepSlew&) = default;
};

struct FallbackDrift {
  int min = 0;  // log2 seconds; both 0: off
  int max = 0;

  friend bool operator==(const FallbackDrift&, const FallbackDrift&) = default;
};

struct SmoothTime {
  bool enabled = false;
  double max_frequency_ppm = 0.0;
  double max_wander_ppm = 0.0;  // ppm per second
  bool leap_only = false;
  bool linear = false;  // noon to noon around a leap second; nothing else counts then

  friend bool operator==(const SmoothTime&, const SmoothTime&) = default;
};

struct TemperatureCoefficients {
  double t0 = 0.0, k0 = 0.0, k1 = 0.0, k2 = 0.0;

  friend bool operator==(const TemperatureCoefficients&, const TemperatureCoefficients&) = default;
};

struct TemperatureCompensation {
  std::string sensor_file;
  Seconds interval{0.0};
  std::variant<TemperatureCoefficients, std::string> curve;  // coefficients, or a file of points

  friend bool operator==(const TemperatureCompensation&, const TemperatureCompensation&) = default;
};

struct Broadcast {
  std::chrono::seconds interval{0};
  IpAddress address;
  std::uint16_t port = 123;

  friend bool operator==(const Broadcast&, const Broadcast&) = default;
};

struct TrustedCerts {
  std::uint32_t set = 0;
  std::string path;  // file or directory

  friend bool operator==(const TrustedCerts&, const TrustedCerts&) = default;
};

// The files that a `log` line turns on.
struct LogChoice {
  bool measurements = false;
  bool raw_measurements = false;
  bool statistics = false;
  bool tracking = false;
  bool rtc = false;
  bool refclocks = false;
  bool temperature = false;
  bool selection = false;

  friend bool operator==(const LogChoice&, const LogChoice&) = default;
};

enum class AuthSelectMode : std::uint8_t { require, prefer, mix, ignore };
enum class LeapSecondMode : std::uint8_t { system, step, slew, ignore };

struct Settings {
  // sources
  std::vector<NtpSource> sources;  // from the configuration itself
  std::vector<std::string>
      source_directories;                    // one entry a sourcedir line, its directories joined by spaces
  std::vector<NtpSource> directory_sources;  // found in those when the configuration was read
  std::vector<Refclock> refclocks;
  std::vector<HwTimestamp> hw_timestamps;
  InitStepSlew init_step_slew;
  bool manual = false;
  std::uint16_t acquisition_port = 0;  // 0: random for each request
  std::optional<IpAddress> acquisition_address_v4;
  std::optional<IpAddress> acquisition_address_v6;
  std::string acquisition_device;
  unsigned dscp = 0;  // 0..63
  std::string dump_directory;
  unsigned max_samples = 0;  // 0: as many as are kept (64)
  unsigned min_samples = 6;
  std::chrono::seconds name_refresh{1'209'600};
  std::string key_file;

  // NTS
  std::vector<unsigned> nts_aeads{30, 15};  // IANA AEAD numbers, best first
  std::string nts_dump_directory;
  std::chrono::seconds nts_refresh{2'419'200};
  std::vector<TrustedCerts> nts_trusted_certs;
  bool no_system_cert = false;
  unsigned no_cert_time_check = 0;  // clock updates before certificate dates are checked
  std::uint16_t nts_port = 4460;
  std::vector<std::string> nts_server_certs;  // as many as keys, in the same order
  std::vector<std::string> nts_server_keys;
  unsigned nts_processes = 1;
  unsigned nts_max_connections = 100;  // per process
  std::string nts_ntp_server;
  std::chrono::seconds nts_rotate{604'800};  // 0: keys come from outside
  RateLimit nts_rate_limit{.interval = 6};

  // selection
  AuthSelectMode auth_select_mode = AuthSelectMode::mix;
  double combine_limit = 3.0;
  Seconds max_distance{3.0};
  Seconds max_jitter{1.0};
  unsigned max_stratum = 15;
  unsigned min_stratum = 0;
  unsigned min_sources = 1;
  Seconds reselect_distance{1e-4};
  Seconds stratum_weight{1e-3};

  // system clock
  std::optional<Seconds> clock_precision;  // not given: measured
  double correction_time_ratio = 3.0;
  std::string drift_file;
  std::chrono::seconds drift_file_interval{3600};
  FallbackDrift fallback_drift;
  LeapSecondMode leap_second_mode = LeapSecondMode::system;
  std::string leap_second_timezone;
  std::string leap_second_list;
  MakeStep make_step;
  std::optional<MaxChange> max_change;
  double max_clock_error_ppm = 1.0;
  double max_drift_ppm = 100'000.0;
  double max_update_skew_ppm = 1000.0;
  double max_slew_rate_ppm = 83333.333;
  std::optional<TemperatureCompensation> temperature_compensation;
  bool rtc_sync = false;
  std::string hw_clock_file;
  std::string rtc_device = "/dev/rtc";
  std::string rtc_file;
  std::optional<Seconds> rtc_auto_trim;
  bool rtc_on_utc = false;

  // NTP server
  std::uint16_t port = 123;                  // 0: closed
  std::optional<IpAddress> bind_address_v4;  // not given: every address
  std::optional<IpAddress> bind_address_v6;
  std::string bind_device;
  std::vector<AccessRule> access_rules;  // none: every client is denied
  LocalReference local;
  std::vector<Broadcast> broadcasts;
  std::optional<std::uint64_t> client_log_limit;  // bytes; not given: by what kind of host this is
  bool no_client_log = false;
  RateLimit rate_limit;
  SmoothTime smooth_time;
  std::uint16_t ptp_port = 0;  // 0: off
  unsigned ptp_domain = 123;
  std::string ntp_signd_socket;

  // command port and monitoring
  IpAddress command_address_v4 = IpAddress::v4(0x7F000001);
  IpAddress command_address_v6 = *IpAddress::parse("::1");
  std::string command_socket = "/run/chrony/chronyd.sock";  // empty: no Unix socket
  std::string command_device;
  std::uint16_t command_port = 323;  // 0: no UDP
  std::vector<AccessRule> command_access_rules;
  RateLimit command_rate_limit{.interval = -4};
  std::optional<std::vector<std::string>> open_commands;  // lower case; not given: the built-in set

  // logging and process
  LogChoice logs;
  std::string log_directory;
  unsigned log_banner = 32;  // lines between banners; 0: none
  Seconds log_change{1.0};
  std::string mail_on_change;
  Seconds mail_on_change_threshold{0.0};
  bool lock_memory = false;
  unsigned scheduler_priority = 0;                   // SCHED_FIFO 1..100; 0: normal scheduling
  std::string pid_file = "/run/chrony/chronyd.pid";  // empty: none
  std::string user;                                  // empty: the daemon's own default
  Seconds hw_timestamp_timeout{0.001};
  unsigned max_tx_buffers = 0;

  // ours
  std::vector<server::DataplaneConfig> dataplanes;
  std::vector<unsigned> worker_cpus;                         // ascending
  std::optional<unsigned> control_cpu;                       // not given: wherever the kernel puts us
  server::WorkerIdle worker_idle = server::WorkerIdle::nap;  // not given: spin with workercpus, else nap
  server::Hugepages hugepages = server::Hugepages::automatic;
  std::uint16_t metrics_port = 0;            // 0: no metrics endpoint
  std::vector<IpAddress> metrics_addresses;  // never empty after parsing: 127.0.0.1

  friend bool operator==(const Settings&, const Settings&) = default;
};

// `where` is "file:line" or "command line:N".
struct ConfigLine {
  std::string where;
  std::string text;  // canonical directive name and its words, single spaces
};

// Something an operator should hear about although the configuration is usable: one log line each.
struct Warning {
  std::string where;  // may be empty: about the configuration as a whole
  std::string text;

  [[nodiscard]] std::string to_string() const { return where.empty() ? text : where + ": " + text; }
};

struct Config : Settings {
  std::vector<ConfigLine> lines;  // in the order read, include and confdir resolved
  std::vector<Warning> warnings;

  [[nodiscard]] const Settings& settings() const noexcept { return *this; }
};

}  // namespace wiretime::control
