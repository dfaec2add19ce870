// SPDX-License-Identifier: BSD-3-Clause
// The one status model. The command port (cmdmon.hpp) and the metrics page (metrics.hpp) are two views of it;
// the controller implements Report over what it owns. Control thread only, values are snapshots by copy.
// Unless said otherwise a double is seconds, a wire float; an empty optional is "never" or "does not apply".
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "base/verdict.hpp"
#include "clock/nic_status.hpp"
#include "clock/receive_ladder.hpp"
#include "clock/transmit_status.hpp"

namespace wiretime::status {

using Age = std::optional<std::chrono::seconds>;  // time since an event; empty: it never happened

// Which source is meant. Both empty: none, or in a command that takes a mask: all of them.
struct SourceAddress {
  IpAddress ip;                             // a reference clock puts its refid here, as IPv4
  std::optional<std::uint32_t> unresolved;  // number of a source whose name has no address yet
  friend bool operator==(const SourceAddress&, const SourceAddress&) = default;
};

struct Tracking {
  std::uint32_t reference_id = 0;  // as on the wire: 0x7f7f0101 is 127.127.1.1, the local reference
  IpAddress source;                // the selected NTP source; unspecified for local, refclock or none
  std::uint16_t stratum = 0;       // 0 while unsynchronised
  std::uint8_t leap = 3;           // leap indicator of RFC 5905: 3 is unsynchronised
  WallTime reference_time;
  double current_correction = 0;  // positive: the system clock is behind NTP time
  double last_offset = 0;
  double rms_offset = 0;
  double frequency_ppm = 0;  // positive: the clock would run fast without correction
  double residual_frequency_ppm = 0;
  double skew_ppm = 0;
  double root_delay = 0;
  double root_dispersion = 0;
  double last_update_interval = 0;
};

struct Activity {
  std::uint32_t online = 0;
  std::uint32_t offline = 0;
  std::uint32_t burst_online = 0;   // online, and sending a burst now
  std::uint32_t burst_offline = 0;  // offline after the burst that runs now
  std::uint32_t unresolved = 0;
};

// Values are those of the command protocol.
enum class SourceMode : std::uint16_t { client = 0, peer = 1, reference_clock = 2 };
enum class SourceState : std::uint16_t {
  selected = 0,
  not_selectable = 1,
  falseticker = 2,
  jittery = 3,
  combined = 4,      // not the best, but part of the result
  not_combined = 5,  // selectable, but too far from the selected one
};

struct SourceReport {
  SourceAddress address;
  SourceMode mode = SourceMode::client;
  SourceState state = SourceState::not_selectable;
  int poll = 0;  // log2 seconds
  std::uint16_t stratum = 0;
  std::uint8_t reachability = 0;  // last eight polls, newest in the lowest bit
  Age last_sample_age;
  double last_sample_original_offset = 0;  // as measured
  double last_sample_offset = 0;           // with what the clock was corrected since; positive: we are fast
  double last_sample_error = 0;
};

struct SourceStats {
  std::uint32_t reference_id = 0;
  SourceAddress address;  // empty for a reference clock
  std::uint32_t samples = 0;
  std::uint32_t runs = 0;
  std::chrono::seconds span{0};
  double standard_deviation = 0;
  double residual_frequency_ppm = 0;
  double skew_ppm = 0;
  double estimated_offset = 0;
  double estimated_offset_error = 0;
};

// Bits of SelectData's options, as in the command protocol.
inline constexpr std::uint16_t kOptionNoSelect = 1;
inline constexpr std::uint16_t kOptionPrefer = 2;
inline constexpr std::uint16_t kOptionTrust = 4;
inline constexpr std::uint16_t kOptionRequire = 8;

struct SelectData {
  std::uint32_t reference_id = 0;
  SourceAddress address;    // empty for a reference clock
  char state_letter = '?';  // as `chronyc selectdata` explains them: * + - x ...
  bool authenticated = false;
  std::uint8_t leap = 3;
  std::uint16_t configured_options = 0;
  std::uint16_t effective_options = 0;
  Age last_sample_age;
  double score = 0;  // ratio to the selected source; no unit
  double low_limit = 0;
  double high_limit = 0;
};

struct NtpData {
  SourceAddress remote;
  IpAddress local;
  std::uint16_t remote_port = 123;
  std::uint8_t leap = 3;
  std::uint8_t version = 4;
  std::uint8_t mode = 4;
  std::uint8_t stratum = 0;
  std::int8_t poll = 0;
  std::int8_t precision = 0;
  double root_delay = 0;
  double root_dispersion = 0;
  std::uint32_t reference_id = 0;
  WallTime reference_time;
  double offset = 0;
  double peer_delay = 0;
  double peer_dispersion = 0;
  double response_time = 0;
  double jitter_asymmetry = 0;  // -0.5 to 0.5, no unit
  std::uint16_t tests = 0;      // ten bits, one for each packet test passed
  bool interleaved = false;
  bool authenticated = false;
  char transmit_timestamping = 'D';  // D daemon, K kernel, H hardware
  char receive_timestamping = 'D';
  std::uint32_t transmitted = 0;
  std::uint32_t received = 0;
  std::uint32_t received_valid = 0;
  std::uint32_t received_good = 0;
  std::uint32_t kernel_transmit_timestamps = 0;
  std::uint32_t kernel_receive_timestamps = 0;
  std::uint32_t hardware_transmit_timestamps = 0;
  std::uint32_t hardware_receive_timestamps = 0;
};

enum class AuthMode : std::uint16_t { none = 0, symmetric_key = 1, nts = 2 };

struct AuthData {
  AuthMode mode = AuthMode::none;
  std::uint16_t key_type = 0;  // symmetric key: hash or cipher; NTS: AEAD number
  std::uint32_t key_id = 0;
  std::uint16_t key_bits = 0;
  std::uint16_t key_establishment_attempts = 0;
  Age last_key_establishment;
  std::uint16_t cookies = 0;
  std::uint16_t cookie_length = 0;
  bool nak = false;
};

// Everything counted since start, all workers and sockets summed; the union of what all client generations
// ask.
struct ServerStats {
  std::uint64_t ntp_hits = 0;
  std::uint64_t nts_ke_hits = 0;
  std::uint64_t command_hits = 0;
  std::uint64_t ntp_drops = 0;
  std::uint64_t nts_ke_drops = 0;
  std::uint64_t command_drops = 0;
  std::uint64_t log_drops = 0;  // client records replaced for want of room
  std::uint64_t ntp_authenticated = 0;
  std::uint64_t ntp_interleaved = 0;
  std::uint64_t timestamps_held = 0;
  std::uint64_t timestamps_evicted = 0;  // given up for others
  std::uint64_t timestamp_span = 0;  // seconds covered by timestamps_held, as far as a sample of them shows
  std::uint64_t daemon_receive_timestamps = 0;
  std::uint64_t daemon_transmit_timestamps = 0;
  std::uint64_t kernel_receive_timestamps = 0;
  std::uint64_t kernel_transmit_timestamps = 0;
  std::uint64_t hardware_receive_timestamps = 0;
  std::uint64_t hardware_transmit_timestamps = 0;
};

inline constexpr std::int8_t kIntervalUnknown = 127;

struct ClientActivity {
  std::uint64_t hits = 0;
  std::uint64_t drops = 0;
  std::int8_t interval = kIntervalUnknown;  // log2 seconds between hits
  Age last_hit;
};

struct ClientRecord {
  IpAddress address;
  ClientActivity ntp;
  ClientActivity nts_ke;
  ClientActivity command;
  std::int8_t ntp_timeout_interval = kIntervalUnknown;  // log2 seconds after a request that got no answer
};

inline constexpr std::uint32_t kClientPageRecords = 8;

struct ClientPage {
  std::array<ClientRecord, kClientPageRecords> records;
  std::uint32_t count = 0;
  std::uint32_t next_index = 0;  // where the next page starts; equal to indices or above: that was the last
  std::uint32_t indices = 0;     // size of the table, used or not
};

struct RtcReport {
  WallTime reference_time;
  std::uint16_t samples = 0;
  std::uint16_t runs = 0;
  std::chrono::seconds span{0};
  double seconds_fast = 0;
  double gain_rate_ppm = 0;
};

struct Smoothing {
  bool active = false;
  bool leap_only = false;
  double offset = 0;
  double frequency_ppm = 0;
  double wander_ppm = 0;  // per second
  double last_update_ago = 0;
  double remaining_time = 0;
};

struct ManualSample {
  WallTime when;
  double slewed_offset = 0;
  double original_offset = 0;
  double residual = 0;
};

using VerdictCounts = std::array<std::uint64_t, kVerdictCount>;

struct WorkerReport {
  std::string port;  // interface or device name; "kernel" for the control thread's own sockets
  std::uint32_t worker = 0;
  VerdictCounts verdicts{};
};

// Frames that ended in one way, by name.
struct SteeringCount {
  std::string reason;  // what became of the frame: redirected_ipv4, not_udp, ...
  std::uint64_t frames = 0;
};

struct PortReport {
  std::string name;
  std::string transport;                  // af_xdp, af_packet, pci, memif, vdev, kernel
  std::string timestamp_rung;             // where receive and transmit stamps come from, best first in DESIGN
  std::vector<SteeringCount> steering{};  // af_xdp: frames the XDP program saw, by what became of them
  std::optional<clock::NicStatus> nic_clock{};      // empty: the port has no clock
  std::optional<clock::ReceiveStatus> receive{};    // empty: the kernel's sockets
  std::optional<clock::TransmitStatus> transmit{};  // empty: kernel sockets
  // Port with a kernel interface of our making: frames between the two, by what became of them.
  std::vector<SteeringCount> kernel_frames{};
};

struct ClientLogUse {
  std::uint64_t records = 0;
  std::uint64_t capacity = 0;
};

struct ServiceReport {
  std::string version;
  WallTime started;
  std::optional<double> error_bound;  // of the time being served; empty while there is none
};

class Report {
 public:
  virtual ~Report() = default;

  [[nodiscard]] virtual ServiceReport service() const = 0;
  [[nodiscard]] virtual Tracking tracking() const = 0;
  [[nodiscard]] virtual ServerStats server_stats() const = 0;

  // Unused slots are stepped over, and with min_hits > 0 records where none of the three hit counters reaches
  // it. Work per call is bounded by the provider: a page may come back short or empty with next_index <
  // indices, the client asks on. max_records <= 8; reset clears the counters of the records returned.
  // nullopt: noclientlog.
  [[nodiscard]] virtual std::optional<ClientPage> clients(std::uint32_t first_index,
                                                          std::uint32_t max_records, std::uint32_t min_hits,
                                                          bool reset) = 0;
  [[nodiscard]] virtual ClientLogUse client_log() const = 0;

  // What the access lists themselves say now (loopback, always allowed to command, is no exception here);
  // false for an address without a family.
  [[nodiscard]] virtual bool ntp_access(const IpAddress& client) const = 0;
  [[nodiscard]] virtual bool command_access(const IpAddress& client) const = 0;

  // (port, worker) is unique among workers, name among ports.
  [[nodiscard]] virtual std::vector<WorkerReport> workers() const = 0;
  [[nodiscard]] virtual std::vector<PortReport> ports() const = 0;

  // What a daemon without sources, RTC tracking, smoothing or manual input reports.
  [[nodiscard]] virtual Activity activity() const { return {}; }
  [[nodiscard]] virtual std::uint32_t source_count() const { return 0; }
  [[nodiscard]] virtual std::optional<SourceReport> source(std::uint32_t /*index*/) const { return {}; }
  [[nodiscard]] virtual std::optional<SourceStats> source_stats(std::uint32_t /*index*/) const { return {}; }
  [[nodiscard]] virtual std::optional<SelectData> select_data(std::uint32_t /*index*/) const { return {}; }
  // As configured, or its address as text: every NTP source has one.
  [[nodiscard]] virtual std::optional<std::string> source_name(const SourceAddress& /*source*/) const {
    return {};
  }
  [[nodiscard]] virtual std::optional<NtpData> ntp_data(const SourceAddress& /*source*/) const { return {}; }
  [[nodiscard]] virtual std::optional<AuthData> auth_data(const SourceAddress& /*source*/) const {
    return {};
  }
  [[nodiscard]] virtual std::optional<RtcReport> rtc() const { return {}; }
  [[nodiscard]] virtual std::optional<Smoothing> smoothing() const { return {}; }
  [[nodiscard]] virtual std::vector<ManualSample> manual_samples() const { return {}; }
};

}  // namespace wiretime::status
