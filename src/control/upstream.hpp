// SPDX-License-Identifier: BSD-3-Clause
// The source manager's outside: a socket for each request, timers, names, randomness, the drift file. Control
// thread, and a thread for the name that is being looked up.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "clock/device.hpp"
#include "control/clock_files.hpp"
#include "control/hardware_stamps.hpp"
#include "control/log_files.hpp"
#include "control/source_manager.hpp"
#include "control/step_watch.hpp"
#include "os/async_resolver.hpp"
#include "os/event_loop.hpp"
#include "os/log.hpp"
#include "os/refclock_driver.hpp"
#include "os/udp_socket.hpp"

namespace wiretime::control {

class Upstream final : private SourceHost {
 public:
  struct Callbacks {
    std::function<clock::Reference()> reference;
    std::function<bool()> serves_others;
    std::function<void(bool stepped)> clock_changed;
    std::function<void(bool success)> finish;
    // Out of the NTP server's own socket, for peers. False: not sent.
    std::function<bool(const os::Endpoint&, std::span<const std::byte>)> send_from_server;
  };
  // Everything outlives this object; the device is its own.
  Upstream(const Settings& settings, SourceManager::Options options,
           std::unique_ptr<clock::ClockDevice> device, std::optional<clock::TemperatureCurve> curve,
           HardwareStamps& stamps, os::EventLoop& loop, os::Log& log, Callbacks callbacks);
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;
  ~Upstream() override;

  // Reference clocks; while there are still privileges.
  [[nodiscard]] Result<void> open_refclocks();
  void start();
  // The log files were renamed.
  void cycle_logs() { log_files_.cycle(); }
  // The drift file and the history of the sources, for the last time.
  void stop();
  // chronyc dump. False: a file could not be written.
  [[nodiscard]] bool dump();

  [[nodiscard]] SourceManager& manager() { return manager_; }
  [[nodiscard]] const SourceManager& manager() const { return manager_; }

 private:
  struct Exchange {
    std::optional<os::UdpSocket> socket;
    os::EventLoop::WatchId watch = os::EventLoop::WatchId::none;
    os::EventLoop::TimerId timer = os::EventLoop::TimerId::none;
    // The request left through hardware whose stamp is still to come: until then, or for hwtstimeout, an
    // answer waits.
    bool awaits_stamp = false;
    os::EventLoop::TimerId stamp_timer = os::EventLoop::TimerId::none;
  };

  // SourceHost
  [[nodiscard]] Nanoseconds monotonic() const override;
  [[nodiscard]] WallTime kernel_time() const override;
  [[nodiscard]] std::array<std::uint64_t, 3> random() override;
  [[nodiscard]] clock::Reference reference() const override { return callbacks_.reference(); }
  [[nodiscard]] bool serves_others() const override { return callbacks_.serves_others(); }
  [[nodiscard]] bool send(SourceId id, const os::Endpoint& to, std::span<const std::byte> bytes,
                          ntp::SocketUse socket) override;
  void close_socket(SourceId id) override;
  void set_timer(SourceId id, std::optional<Nanoseconds> at) override;
  void set_clock_timer(std::optional<Nanoseconds> delay) override;
  [[nodiscard]] bool has_route(const os::Endpoint& to) override;
  void look_up(const std::string& name, Family family) override;
  [[nodiscard]] std::optional<clock::ClockReading> read_refclock(std::size_t index) override;
  void log(os::LogLevel level, const std::string& line) override { log_.write(level, line); }
  void record(const status::LogRecord& record) override { log_files_.write(record); }
  void clock_stepped() override;
  void clock_updated() override { callbacks_.clock_changed(false); }
  void finish(bool success) override { callbacks_.finish(success); }

  void receive_readings(std::size_t index);
  [[nodiscard]] bool open_socket(Exchange& exchange, SourceId id, const os::Endpoint& to);
  void receive(SourceId id, os::Ready ready);
  void take_transmit_stamps(SourceId id, Exchange& exchange);
  void wait_for_stamp(SourceId id, Exchange& exchange);
  void stop_waiting(Exchange& exchange);
  void take_answer();
  void watch_for_steps();
  void every_second();
  void write_drift();

  const Settings& settings_;
  const ClockUse use_;
  std::unique_ptr<clock::ClockDevice> device_;
  HardwareStamps& stamps_;
  os::EventLoop& loop_;
  os::Log& log_;
  LogFiles log_files_;
  Callbacks callbacks_;
  std::unordered_map<SourceId, Exchange> exchanges_;
  std::vector<std::unique_ptr<os::RefclockDriver>> refclocks_;  // one a refclock line
  std::set<std::size_t> refclocks_told_;                        // by index: how it is read
  std::vector<os::EventLoop::WatchId> refclock_watches_;
  os::ReceiveBatch batch_;
  os::AsyncResolver resolver_;
  std::optional<Result<std::vector<IpAddress>>> failed_lookup_;
  os::EventLoop::TimerId resolver_timer_ = os::EventLoop::TimerId::none;
  os::EventLoop::TimerId clock_timer_ = os::EventLoop::TimerId::none;
  os::EventLoop::TimerId second_timer_ = os::EventLoop::TimerId::none;
  StepWatch step_watch_;
  Nanoseconds drift_due_{0};
  SourceManager manager_;
  ClockFiles clock_files_;
};

// What the drift file says; a line in the log either way. Empty: none configured, none there, or unreadable.
[[nodiscard]] std::optional<Drift> read_drift_file(const Settings& settings, os::Log& log);

}  // namespace wiretime::control
