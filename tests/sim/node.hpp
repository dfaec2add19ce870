// SPDX-License-Identifier: BSD-3-Clause
// A simulated machine that runs wiretimed: its clocks, and the daemon's whole control plane without the
// system calls: configuration, source manager, discipline, publication, and the answering side.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "clock/device.hpp"
#include "control/config.hpp"
#include "control/source_manager.hpp"
#include "control/step_watch.hpp"
#include "control/time_publisher.hpp"
#include "sim/answering.hpp"
#include "sim/network.hpp"
#include "sim/oscillator.hpp"

namespace wiretime::sim {

using Names = std::map<std::string, std::vector<IpAddress>>;

// What the driver of a `refclock` line gives when it is asked.
struct RefclockModel {
  bool pulse = false;       // the last whole second's; else the time
  double offset = 0;        // s, the reference clock is ahead by this
  double noise = 0;         // s, standard deviation of a reading
  double dead_from = 1e18;  // s of true time
};

struct NodeConfig {
  std::string directives;  // chrony.conf's language
  OscillatorConfig oscillator;
  double stamp_noise = 0;        // s, normal: of the kernel's stamps of what the sources are asked and answer
  double timer_latency = 50e-6;  // s, mean: how late the daemon is woken
  bool free_running = false;     // -x
  std::vector<RefclockModel> refclocks;  // in the order of the lines
  std::optional<control::Drift> drift;   // what the drift file says at the first start
};

class Node final : private control::SourceHost {
 public:
  using Trace = std::function<void(const std::string& line)>;

  Node(const NodeConfig& config, const IpAddress& address, WallTime start, Timeline& timeline,
       Network& network, const Names& names, Trace trace, std::uint64_t seed);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() override;

  void start();
  // The daemon's orderly end: the drift file is kept for the next start.
  void stop();
  // Meanwhile the machine was off: its clock is `offset` ahead, its frequency uncorrected.
  void power_cycle(double offset);

  // Brings the machine's clocks to the timeline's present.
  void advance() { oscillator_.advance(timeline_.now()); }
  // When the daemon's next timer is due; runs what is.
  [[nodiscard]] std::optional<TrueTime> next_timer() const;
  void run_timers();

  // --- what is looked at
  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] Oscillator& oscillator() { return oscillator_; }
  [[nodiscard]] bool running() const { return daemon_ != nullptr; }
  [[nodiscard]] control::SourceManager& manager() { return daemon_->manager; }
  [[nodiscard]] const clock::ServedReference& served() const { return daemon_->publisher.served(); }
  // s, of the kernel's clock and of the time served.
  [[nodiscard]] double error() const { return oscillator_.error(); }
  [[nodiscard]] double served_error() const;
  [[nodiscard]] std::string states() const;  // of the sources, selectdata letters
  [[nodiscard]] double first_correction() const { return first_correction_; }  // s after start; -1: none
  [[nodiscard]] unsigned switches() const { return switches_; }                // lines "Selected source"
  [[nodiscard]] bool finished() const { return finished_; }                    // maxchange gave up

 private:
  // As the kernel's second_overflow(): told to insert a second, it does so at midnight, once, and is then
  // deaf to it until told that there is none.
  struct KernelLeap {
    std::optional<WallTime> at;
    bool done = false;
  };
  class KernelClock final : public clock::ClockDevice {
   public:
    KernelClock(Oscillator& oscillator, KernelLeap& leap) : oscillator_{oscillator}, leap_{leap} {}
    [[nodiscard]] WallTime raw(WallTime kernel) const override { return kernel; }
    [[nodiscard]] double frequency() const override { return oscillator_.correction(); }
    [[nodiscard]] Result<void> set_frequency(WallTime kernel, double frequency) override;
    [[nodiscard]] Result<void> step(WallTime kernel, double seconds) override;
    void notify(const clock::KernelNotice& notice) override;

   private:
    Oscillator& oscillator_;
    KernelLeap& leap_;
  };
  // What lives from start to stop.
  struct Daemon {
    Daemon(Node& node, const control::SourceManager::Options& options,
           const control::TimePublisher::Settings& time_settings);
    std::unique_ptr<clock::ClockDevice> device;
    Seqlock<clock::TimeSnapshot> workers;
    control::TimePublisher publisher;
    control::StepWatch step_watch;
    control::SourceManager manager;
    Nanoseconds started;
  };

  // SourceHost
  [[nodiscard]] Nanoseconds monotonic() const override { return oscillator_.monotonic(); }
  [[nodiscard]] WallTime kernel_time() const override { return oscillator_.read(); }
  [[nodiscard]] std::array<std::uint64_t, 3> random() override { return {random_(), random_(), random_()}; }
  [[nodiscard]] clock::Reference reference() const override;
  [[nodiscard]] bool serves_others() const override { return serves_; }
  [[nodiscard]] bool send(control::SourceId id, const os::Endpoint& to, std::span<const std::byte> bytes,
                          ntp::SocketUse socket) override;
  void close_socket(control::SourceId id) override { ports_.erase(id); }
  void set_timer(control::SourceId id, std::optional<Nanoseconds> at) override;
  void set_clock_timer(std::optional<Nanoseconds> delay) override;
  bool has_route(const os::Endpoint& /*to*/) override { return true; }
  void look_up(const std::string& name, Family family) override;
  [[nodiscard]] std::optional<clock::ClockReading> read_refclock(std::size_t index) override;
  void log(os::LogLevel level, const std::string& line) override;
  void clock_stepped() override;
  void clock_updated() override;
  void finish(bool success) override { finished_ = !success; }

  void receive(const Packet& packet);
  void every_second();
  void refresh_reference();
  [[nodiscard]] NtpTimestamp served_now() const;
  [[nodiscard]] WallTime stamped();
  [[nodiscard]] Nanoseconds late(Nanoseconds at);
  // Calls `what` later, unless the daemon was stopped meanwhile.
  void later(double s, std::function<void()> what);
  [[nodiscard]] control::Seconds uptime() const { return oscillator_.monotonic() - daemon_->started; }

  const NodeConfig config_;
  const IpAddress address_;
  const WallTime start_;
  const control::Config settings_;
  const ntp::AccessRules access_;
  const bool serves_;
  Timeline& timeline_;
  Network& network_;
  const Names& names_;
  const Trace trace_;
  Oscillator oscillator_;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  std::exponential_distribution<double> exponential_{1.0};
  Answering answering_;
  std::optional<control::Drift> drift_;
  std::unique_ptr<Daemon> daemon_;
  std::uint64_t life_ = 0;  // starts and stops so far

  std::unordered_map<control::SourceId, std::uint16_t> ports_;  // open sockets
  std::map<control::SourceId, Nanoseconds> timers_;             // monotonic
  std::optional<Nanoseconds> clock_timer_;                      // monotonic
  Nanoseconds second_timer_{0};                                 // monotonic
  KernelLeap kernel_leap_;
  double first_correction_ = -1;
  double started_at_ = 0;  // s of true time
  unsigned switches_ = 0;
  bool finished_ = false;
};

}  // namespace wiretime::sim
