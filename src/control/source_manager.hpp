// SPDX-License-Identifier: BSD-3-Clause
// Everything between packets and the clock: owns the sources, carries out what their associations want,
// selects among them, steers the clock, and answers chronyc about all of it. Control thread. No sockets, no
// threads, no clock reading: those are SourceHost's, so that tests and simulators can take its place.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clock/fallback_drift.hpp"
#include "clock/leap_schedule.hpp"
#include "clock/manual_input.hpp"
#include "clock/selection.hpp"
#include "clock/served_reference.hpp"
#include "clock/smoothing.hpp"
#include "control/clock_steering.hpp"
#include "control/drift_file.hpp"
#include "control/kernel_stamp.hpp"
#include "control/selection_notice.hpp"
#include "control/source.hpp"
#include "control/source_dump.hpp"
#include "ntp/mac.hpp"
#include "os/log.hpp"
#include "status/command.hpp"
#include "status/log_record.hpp"
#include "status/report.hpp"

namespace wiretime::control {

class SourceHost {
 public:
  virtual ~SourceHost() = default;

  [[nodiscard]] virtual Nanoseconds monotonic() const = 0;
  [[nodiscard]] virtual WallTime kernel_time() const = 0;
  [[nodiscard]] virtual std::array<std::uint64_t, 3> random() = 0;
  // What we serve now, for symmetric packets and loop detection.
  [[nodiscard]] virtual clock::Reference reference() const = 0;
  [[nodiscard]] virtual bool serves_others() const = 0;

  // False: could not be sent.
  [[nodiscard]] virtual bool send(SourceId id, const os::Endpoint& to, std::span<const std::byte> bytes,
                                  ntp::SocketUse socket) = 0;
  virtual void close_socket(SourceId id) = 0;
  // Replaces the source's one timer: calls SourceManager::timer at that monotonic time.
  virtual void set_timer(SourceId id, std::optional<Nanoseconds> at) = 0;
  // Replaces the one timer that ends a slew: calls SourceManager::service_clock.
  virtual void set_clock_timer(std::optional<Nanoseconds> delay) = 0;
  // Whether the routing table knows a way to `to` now.
  [[nodiscard]] virtual bool has_route(const os::Endpoint& to) = 0;
  // Calls SourceManager::looked_up later, never from inside; one at a time.
  virtual void look_up(const std::string& name, Family family) = 0;

  // Asks the driver of the refclock line `index`, counted from 0.
  [[nodiscard]] virtual std::optional<clock::ClockReading> read_refclock(std::size_t /*index*/) { return {}; }

  virtual void log(os::LogLevel level, const std::string& line) = 0;
  // A line of a log file that the configuration asks for.
  virtual void record(const status::LogRecord& /*record*/) {}
  // The clock was stepped by us.
  virtual void clock_stepped() = 0;
  // The reference changed.
  virtual void clock_updated() = 0;
  // -q, -Q, maxchange: the daemon's work is over.
  virtual void finish(bool success) = 0;
};

enum class ClockUse : std::uint8_t {
  follow,      // the daemon
  step_once,   // -q
  print_once,  // -Q
};

class SourceManager {
 public:
  struct Options {
    ClockUse use = ClockUse::follow;
    Family only = Family::unspecified;    // -4, -6
    double clock_precision = 1e-7;        // s
    bool restarted = false;               // -R: no steps only because of the start
    std::optional<Drift> drift;           // read from the drift file
    const ntp::KeyTable* keys = nullptr;  // outlive the manager; null: none
    DumpTexts dumps;                      // -r: what was found in dumpdir
    std::string boot;                     // the kernel's boot id, for new dumps; empty: not known
    bool controls_clock = true;           // the configuration says how, if only by hand
  };
  // All three outlive the manager. `settings` is the configuration as read.
  SourceManager(const Settings& settings, const Options& options, clock::ClockDevice& device,
                SourceHost& host);
  SourceManager(const SourceManager&) = delete;
  SourceManager& operator=(const SourceManager&) = delete;

  // Starts the configured sources, after initstepslew's.
  void start();
  // The daemon ends: leaves the clock running at its own frequency, and the kernel without a leap second that
  // nobody watches over.
  void end();

  // --- events
  void timer(SourceId id);
  struct Packet {
    std::span<const std::byte> bytes;
    std::optional<KernelStamp> received;
    os::Endpoint from;
    IpAddress local;
  };
  void receive(SourceId id, const Packet& packet);
  // A packet to the server's port that may be a peer's: true if it was one's.
  [[nodiscard]] bool receive_symmetric(const Packet& packet);
  // The kernel's stamp for a packet of ours; it ends `frame`, what the link put before it does not matter.
  void transmit_stamp(SourceId id, std::span<const std::byte> frame, const KernelStamp& kernel);
  // The same for one that left from the server's port: whichever peer's it is.
  void transmit_stamp_symmetric(std::span<const std::byte> frame, const KernelStamp& kernel);
  void looked_up(const Result<std::vector<IpAddress>>& answer);
  // The driver of a refclock line had something.
  void receive_reading(std::size_t index, const clock::ClockReading& reading);
  void service_clock();
  void every_second();
  // Somebody else set the clock by `delta` seconds; or the kernel did, for a leap second.
  void clock_was_set(double delta);

  // The table that Options::keys points to has other keys now.
  void keys_changed();

  // --- the clock
  [[nodiscard]] bool has_sources() const { return !sources_.empty(); }
  // Our best estimate of the time.
  [[nodiscard]] WallTime true_time(WallTime kernel) const { return steering_.cooked(kernel); }
  // What others are told: smoothed.
  [[nodiscard]] WallTime served_time(WallTime kernel) const;
  [[nodiscard]] clock::ClockState clock_state() const;
  // Empty: none is to be had.
  void set_leap_table(std::optional<clock::LeapTable> table);
  // tempcomp: how much faster the clock is to run now. False: beyond reason, not done.
  bool compensate_temperature(double ppm);
  // What to write into the drift file; nothing while there is no news for it.
  [[nodiscard]] std::optional<Drift> take_drift();
  [[nodiscard]] const ClockSteering& steering() const { return steering_; }
  // The history of every source, to be written into dumpdir.
  [[nodiscard]] DumpTexts dumps() const;

  // --- chronyc, source_commands.cpp
  status::Status online(const status::SourceMask& mask);
  status::Status offline(const status::SourceMask& mask);
  // Each source online or offline, by whether there is a route to it.
  void online_where_routed();
  status::Status burst(const status::Burst& command);
  status::Status modify(const status::ModifySource& command);
  status::Status add(const status::AddSource& command);
  status::Status remove(const status::SourceAddress& address);
  status::Status set_select_options(const status::SetSelectOptions& command);
  status::Status set_offset(const status::SetOffset& command);
  status::Status makestep();
  status::Status adjust_frequency(double ppm);
  status::Status adjust_offset(double offset);
  void set_makestep(double threshold, int limit);
  void set_max_update_skew(double ppm);
  void reselect();
  void set_reselect_distance(double s);
  void refresh();
  void reset_sources();
  // What the directories of `sourcedir` hold now: lines that are as before are left alone.
  void set_directory_sources(const std::vector<NtpSource>& sources);
  [[nodiscard]] status::Status manual(status::Manual::Action action);
  [[nodiscard]] status::Status delete_manual_sample(std::uint32_t index);
  [[nodiscard]] status::Outcome set_time(WallTime typed);
  status::Status smooth_time(status::Smoothtime::Action action);

  // --- status, source_status.cpp
  void describe(status::Tracking& tracking) const;
  [[nodiscard]] std::optional<status::Smoothing> smoothing() const;
  [[nodiscard]] status::Activity activity() const;
  [[nodiscard]] std::uint32_t source_count() const { return static_cast<std::uint32_t>(sources_.size()); }
  [[nodiscard]] std::optional<status::SourceReport> source(std::uint32_t index) const;
  [[nodiscard]] std::optional<status::SourceStats> source_stats(std::uint32_t index) const;
  [[nodiscard]] std::optional<status::SelectData> select_data(std::uint32_t index) const;
  [[nodiscard]] std::optional<std::string> source_name(const status::SourceAddress& address) const;
  [[nodiscard]] std::optional<status::NtpData> ntp_data(const status::SourceAddress& address) const;
  [[nodiscard]] std::optional<status::AuthData> auth_data(const status::SourceAddress& address) const;
  [[nodiscard]] std::vector<status::ManualSample> manual_samples() const;

 private:
  // A name to be looked up for the sources of one line.
  struct Lookup {
    std::uint32_t line = 0;
    std::optional<SourceId> replace;  // an unreachable or denied source: give it another address
  };
  struct Retry {
    std::uint32_t line = 0;
    unsigned failures = 0;
    Nanoseconds at{0};
  };

  // A packet with room for its MAC.
  class Outgoing {
   public:
    std::span<const std::byte> write(const ntp::Header& header, const ntp::Key* key);

   private:
    std::array<std::byte, ntp::kHeaderLength + ntp::kMaxMacLength> bytes_;
  };

  // source_manager.cpp
  [[nodiscard]] SourceDefaults defaults() const;
  // For an event of this source; until the next one.
  [[nodiscard]] ntp::Moment moment(const Source& source);
  [[nodiscard]] WallTime cooked_now() const { return steering_.cooked(host_.kernel_time()); }
  [[nodiscard]] Source* find(SourceId id);
  [[nodiscard]] Source* find(const status::SourceAddress& address);
  // Of a reference clock when there is no address.
  [[nodiscard]] Source* find(const status::SourceAddress& address, std::uint32_t refid);
  [[nodiscard]] const Source* find(const status::SourceAddress& address) const;
  [[nodiscard]] static status::SourceAddress address_of(const Source& source);
  void start_configured();
  std::uint32_t add_line(const NtpSource& config);
  void add_directory_line(const NtpSource& config);
  void remove_line(std::uint32_t line);
  void start_source(Source& source);
  void forget_measurements(Source& source);
  void remove_source(SourceId id);
  void act(Source& source, ntp::Actions actions);
  void send(Source& source, const ntp::Send& send);
  void take_sample(Source& source, const clock::Sample& sample);
  [[nodiscard]] bool accumulate(Source& source, const clock::Sample& sample);
  void take_status(Source& source, const ntp::StatusUpdate& status);
  void unreachable(Source& source, ntp::Unreachable::Reason reason);
  void log(os::LogLevel level, const std::string& line) { host_.log(level, line); }

  // source_keys.cpp
  [[nodiscard]] const ntp::Key* key_of(const NtpPart& source) const;
  [[nodiscard]] ntp::AuthResult authenticate(const NtpPart& source, std::span<const std::byte> message) const;
  [[nodiscard]] std::span<const std::byte> without_mac(const NtpPart& source,
                                                       std::span<const std::byte> frame) const;
  void check_key(const NtpSource& config);

  // source_refclocks.cpp
  void start_refclocks();
  [[nodiscard]] Source* find_refclock(std::uint32_t refid);
  void refclock_timer(Source& source);
  void take_reading(Source& source, const clock::ClockReading& reading);
  void poll_refclock(Source& source);
  [[nodiscard]] bool add_refclock_sample(Source& source, clock::Sample sample);
  [[nodiscard]] std::uint8_t pulse_stratum(const Source& source);
  void follow_local(Source& source, const clock::SourceEstimate& before);

  // source_names.cpp
  void want_address(std::uint32_t line, std::optional<SourceId> replace = {});
  void look_up_next();
  void retry_later(std::uint32_t line);
  void retry_due();
  [[nodiscard]] bool address_in_use(const IpAddress& address) const;
  void fill_line(std::uint32_t line, const std::vector<IpAddress>& addresses);
  void replace_address(Source& source, const std::vector<IpAddress>& addresses);
  void give_address(Source& source, const IpAddress& address);

  // source_selection.cpp
  void update_selection();
  [[nodiscard]] std::vector<clock::Candidate> candidates();
  void note_selection(const clock::Selection& selection);
  void note_falseticker(Source& source, const clock::Selection& selection, bool switched);
  void note_bad(Source& source);
  void select(std::optional<SourceId> id);
  void update_clock(const clock::Selection& selection);
  void once(const clock::Selection& selection);
  void give_up_once();
  enum class Move : std::uint8_t { slewed, stepped };
  void shift(const clock::ClockChange& change, Move how = Move::slewed);
  void shift_memory(const clock::ClockChange& change);
  void smooth(const clock::ClockChange& change, Move how);
  void arm_clock_timer();
  void tell_kernel();
  void report_failure(const Error& error);

  // source_log.cpp: each only when the configuration asks for it
  void record(const Source& source, const ntp::PacketJudged& packet);
  void record_statistics(const Source& source, const std::optional<clock::LineFit>& before);
  // `raw`: s, as the driver measured it; without, the sample is filtered.
  void record(const Source& refclock, std::optional<double> raw, const clock::Sample& sample);
  void record_selection(const clock::Selection& selection, WallTime now);
  // The update that made `action` of `offset`, or the loss of all sources when there is no selection.
  struct BeforeUpdate {
    double remaining = 0;      // s, of the correction
    double root_distance = 0;  // s
  };
  [[nodiscard]] BeforeUpdate before_update(WallTime kernel) const;
  void record_tracking(const BeforeUpdate& before, const clock::Selection* selection);
  // source_history.cpp
  [[nodiscard]] ClockMark clock_mark() const;
  void take_dumps();
  void restore(Source& source);

  // initial_offset.cpp
  [[nodiscard]] bool wants_initial_offset() const;
  void start_initial();
  void correct_initial(const clock::Selection& selection);
  void give_up_initial();
  void end_initial();

  // source_leap.cpp: leap seconds, smoothing, and what corrects the frequency beside the sources
  void warn_about_leap_mode();
  [[nodiscard]] bool smears_leap() const;
  void update_leap();
  void service_leap();
  void correct_leap(WallTime kernel);
  void leap_passed(WallTime before);
  void fall_back();
  void withdraw_leap();

  // source_commands.cpp
  template <typename Action>
  status::Status for_each(const status::SourceMask& mask, Action action);
  void set_online(Source& source);
  void set_offline(Source& source);
  [[nodiscard]] std::optional<status::ManualResult> apply(const clock::ManualInput::Estimate& estimate);

  const Settings& settings_;
  Options options_;
  SourceHost& host_;
  ClockSteering steering_;
  clock::SourceSelector selector_;
  std::vector<std::unique_ptr<Source>> sources_;  // in the order of the configuration
  std::vector<Nanoseconds> sends_;                // what the last moment() refers to
  SourceId last_id_ = 0;
  std::uint32_t last_line_ = 0;

  std::vector<std::pair<NtpSource, std::uint32_t>> directory_lines_;  // with the number of each
  std::map<std::string, SourceDump> dumps_;                           // by file name, not yet claimed

  std::deque<Lookup> lookups_;  // the first one runs while looking_up_
  bool looking_up_ = false;
  std::vector<Retry> retries_;
  Nanoseconds refreshed_at_{0};

  // Of the last selection that found a source; kept when none is left, as the clock then holds over.
  struct Followed {
    bool ever = false;
    clock::Leap leap = clock::Leap::none;
    std::uint8_t stratum = 0;
    std::uint32_t refid = 0;
    IpAddress address;
  };
  Followed followed_;
  std::optional<SourceId> selected_;
  SelectionNotice selection_notice_;
  double last_system_offset_ = 0;  // s, found by the last update and not corrected before
  clock::LeapSchedule leap_;
  clock::Smoothing smoothing_;
  clock::FallbackDrift fallback_;
  std::optional<WallTime> updated_at_;           // the clock, the last time
  clock::Leap kernel_leap_ = clock::Leap::none;  // what the kernel was told
  int kernel_tai_offset_ = 0;                    // s, the same
  bool leap_applied_ = false;                    // since then
  std::uint64_t drift_written_at_ = 0;           // updates
  clock::ManualInput manual_;
  bool manual_on_ = false;
  std::optional<Nanoseconds> initial_until_;  // initstepslew's sources are being asked, that long at most
  bool finished_ = false;
};

}  // namespace wiretime::control
