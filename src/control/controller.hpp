// SPDX-License-Identifier: BSD-3-Clause
// The control thread's work: owns the service's state, its kernel sockets and timers, publishes time and
// tables to the workers, and executes what chronyc asks. Knows a data plane only as a DataPlaneView.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/command_endpoints.hpp"
#include "control/commands.hpp"
#include "control/config.hpp"
#include "control/metrics_endpoint.hpp"
#include "control/ntp_endpoints.hpp"
#include "control/service_state.hpp"
#include "control/status_report.hpp"
#include "control/sync_notice.hpp"
#include "control/upstream.hpp"
#include "os/event_loop.hpp"
#include "os/interfaces.hpp"
#include "os/log.hpp"

namespace wiretime::control {

class Controller final : private CommandTarget {
 public:
  struct Environment {
    os::EventLoop& loop;  // both outlive the controller
    os::Log& log;
    Family only = Family::unspecified;  // -4, -6
    std::string config_file;            // for messages; empty: directives came from the command line
    ClockUse clock_use = ClockUse::follow;
    bool clock_control = true;  // not -x
    bool restarted = false;     // -R
    bool reload_dumps = false;  // -r
    // -q, -Q, maxchange: called once, in the loop.
    std::function<void(bool success)> finish = {};
  };

  // Resolves names in access rules. `config` is copied. No sockets yet.
  [[nodiscard]] static Result<std::unique_ptr<Controller>> create(const Config& config,
                                                                  Environment environment);
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;
  ~Controller() override = default;

  // What data-plane workers read, and the addresses they answer on beside the kernel.
  [[nodiscard]] server::Channels& channels() { return state_.channels; }
  [[nodiscard]] const std::vector<IpAddress>& host_addresses() const { return host_addresses_; }
  // In the order of a start: NTP, UDP command port and metrics while privileged; the data plane; the unix
  // command socket as the user we stay; then begin(), and the loop.
  [[nodiscard]] Result<void> open_privileged_sockets();
  // Publishes time from now on: once before the workers start, so that they find it there.
  [[nodiscard]] Result<void> prepare_data_plane();
  void attach_data_plane(DataPlaneView& view);
  void detach_data_plane();
  [[nodiscard]] Result<void> open_command_socket();
  void begin();
  // Before the loop's end is the daemon's: saves what is to be saved.
  void end();

  [[nodiscard]] status::Report& report() { return report_; }
  [[nodiscard]] status::Executor& executor() { return commands_; }

 private:
  struct Parts;
  Controller(const Config& config, Environment environment, Parts parts);

  // CommandTarget
  ntp::AccessRules& ntp_access() override { return state_.ntp_access; }
  ntp::AccessRules& command_access() override { return state_.command_access; }
  bool access_changed() override;
  clock::LocalConfig local() const override { return state_.time.local(); }
  void set_local(const clock::LocalConfig& local) override;
  std::chrono::duration<double> default_orphan_wait() const override;
  SourceManager* sources() override { return state_.sources; }
  bool cycle_logs() override;
  bool reread_keys() override;
  bool dump() override;
  void reload_sources() override;
  void begin_shutdown() override;

  [[nodiscard]] Result<void> make_upstream();
  [[nodiscard]] bool follows_sources() const;
  [[nodiscard]] bool has_peers() const;
  [[nodiscard]] WallTime served_time(WallTime kernel) const;
  [[nodiscard]] bool take_peer_packet(const os::Datagram& datagram);
  [[nodiscard]] Result<void> open_ntp_socket(Family family);
  [[nodiscard]] Result<void> open_command_udp(const IpAddress& address);
  [[nodiscard]] bool family_wanted(Family family) const;
  // Notes a family that the host does not have and goes on; any other failure is the caller's.
  [[nodiscard]] Result<void> note_or_fail(const os::SocketResult<void>& opened, const IpAddress& address);
  [[nodiscard]] bool read_keys();
  void publish_tables();
  void refresh_reference();
  void tell_synchronisation();
  void take_reading();
  void every_second();
  void clock_stepped();
  void read_host_addresses();
  void tell_peers();
  void log_what_is_served();

  const Config config_;
  Environment environment_;
  ServiceState state_;
  StatusReport report_;
  Commands commands_;
  SyncNotice notice_;
  HardwareStamps stamps_;
  NtpEndpoints ntp_;
  CommandEndpoints command_;
  MetricsEndpoint metrics_;
  std::unique_ptr<Upstream> upstream_;
  std::optional<os::InterfaceWatcher> interface_watcher_;
  std::vector<os::EventLoop::WatchId> data_plane_watches_;
  std::vector<IpAddress> host_addresses_;
  std::vector<IpAddress> data_plane_peers_;  // as the data plane knows them
  std::vector<IpAddress> host_broadcasts_;   // of the subnets these addresses are in
  bool noted_missing_v6_ = false;
  bool serving_ = false;
};

}  // namespace wiretime::control
