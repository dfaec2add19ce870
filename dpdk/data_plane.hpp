// SPDX-License-Identifier: BSD-3-Clause
// The DPDK data plane as a whole: EAL, ports and workers, from the configuration's plain values to running
// threads and back. The one header of dpdk/ that main includes; it shows no DPDK type. Control thread. One
// per process and life: DPDK cannot be started twice.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "clock/nic_options.hpp"
#include "dpdk/driver_log.hpp"
#include "dpdk/placement.hpp"
#include "dpdk/port_info.hpp"
#include "os/log.hpp"
#include "server/dataplane_config.hpp"
#include "server/tables.hpp"
#include "server/worker_state.hpp"

namespace wiretime::dpdk {

class Eal;
class MemifLinks;
class Port;
class ServedPort;
class Worker;
struct ClockOffsets;

struct DataPlaneOptions {
  std::vector<server::DataplaneConfig> ports;  // at least one
  std::vector<std::string> generic_xdp;        // af_xdp interfaces whose XDP program runs in generic mode
  std::vector<std::string> nic_stamp_xdp;  // af_xdp interfaces whose XDP program hands on the NIC's stamps
  std::vector<unsigned> worker_cpus;       // empty: one worker, not pinned
  std::optional<unsigned> control_cpu;
  server::WorkerIdle idle = server::WorkerIdle::nap;
  server::Hugepages hugepages = server::Hugepages::automatic;
  bool client_log = false;
  ntp::ClientCapacity clients;            // of each worker's client log on each port
  std::array<std::uint64_t, 2> secret{};  // keys the client logs' hash and seeds the workers' randomness
  std::vector<clock::NicOptions> nics;    // by port, or nothing
};

class DataPlane {
 public:
  // Everything runs when this returns. An error is one sentence for the operator and leaves nothing behind
  // but EAL's threads, idle. `channels` and `log` outlive the object.
  [[nodiscard]] static Result<std::unique_ptr<DataPlane>> start(const DataPlaneOptions& options,
                                                                server::Channels& channels, os::Log& log);
  DataPlane(const DataPlane&) = delete;
  DataPlane& operator=(const DataPlane&) = delete;
  ~DataPlane();  // workers, then ports, then EAL; well within a second

  // One for each worker and port it serves; stable while this object lives. Counters and client log may be
  // read at any time.
  [[nodiscard]] std::span<server::WorkerState* const> workers() const { return state_view_; }
  [[nodiscard]] std::size_t worker_count() const { return workers_.size(); }
  [[nodiscard]] std::span<const PortInfo> ports() const { return infos_; }
  [[nodiscard]] bool hugepages() const;

  // Housekeeping, about once a second: clock offsets, link changes, statistics, announcements, workers'
  // pulse. Call it also right after the clock was set.
  void tick();
  // NIC clocks, about 10 times a second: read, mapped for the workers, kept on time where they are ours.
  void refresh_clocks();
  // Whether sample_transmits is to be called, TransmitStamps::kSampleInterval apart.
  [[nodiscard]] bool samples_transmits() const;
  void sample_transmits();
  // Descriptors of the ways to the kernel that ports have which it does not own: to call carry_frames() when
  // one is readable.
  [[nodiscard]] std::vector<int> descriptors() const;
  void carry_frames();
  // How frames on these ways ended, by reason; empty for a port without.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::uint64_t>> kernel_frames(std::size_t port) const;

  // False when a worker has not been seen alive for 3 s.
  [[nodiscard]] bool healthy() const { return healthy_; }

 private:
  struct Pulse {
    std::uint64_t heartbeat = 0;
    std::chrono::steady_clock::time_point seen{};
  };

  DataPlane(server::Channels& channels, os::Log& log);

  void place(const DataPlaneOptions& options);
  [[nodiscard]] Result<void> open_ports(const DataPlaneOptions& options);
  void make_workers(const DataPlaneOptions& options);
  [[nodiscard]] server::WorkerState& state_of(const Port& port, unsigned worker,
                                              const DataPlaneOptions& options);
  [[nodiscard]] Result<void> launch();
  void tell_opened(std::size_t port);
  void check_pulse();
  void pass_on_driver_log();

  server::Channels& channels_;
  os::Log& log_;
  // In the order in which they come to life; destroyed in the reverse.
  DriverLog driver_log_;
  std::unique_ptr<Eal> eal_;
  std::unique_ptr<ClockOffsets> offsets_;
  std::vector<std::unique_ptr<server::WorkerState>> states_;
  std::vector<server::WorkerState*> state_view_;
  std::vector<PlacedQueue> placed_;  // by port
  std::vector<std::unique_ptr<ServedPort>> ports_;
  std::vector<PortInfo> infos_;  // by port
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Pulse> pulses_;  // by worker
  std::unique_ptr<MemifLinks> memif_links_;
  bool healthy_ = true;
};

}  // namespace wiretime::dpdk
