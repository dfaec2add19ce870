// SPDX-License-Identifier: BSD-3-Clause
// What the daemon is doing, in one place: the controller changes it, the status report reads it.
// Control thread, but for what server::Channels and WorkerState say of themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "control/data_plane_view.hpp"
#include "control/time_publisher.hpp"
#include "ntp/access_list.hpp"
#include "os/kernel_clock.hpp"
#include "server/tables.hpp"
#include "server/worker_state.hpp"

namespace wiretime::control {

class SourceManager;

struct CommandCounts {
  std::uint64_t hits = 0;
  std::uint64_t drops = 0;
};

struct ServiceState {
  ServiceState(std::unique_ptr<const server::Tables> tables, const TimePublisher::Settings& time_settings,
               std::array<std::uint64_t, 2> seed, std::unique_ptr<ntp::ClientTable> clients)
      : channels{std::move(tables)},
        time{time_settings, channels.time},
        kernel{"kernel", 0, seed, std::move(clients)},
        command_clients{kernel.clients ? std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{}, seed)
                                       : nullptr},
        started{os::wall_now()},
        started_monotonic{os::monotonic_now()} {}

  [[nodiscard]] Seconds uptime() const { return os::monotonic_now() - started_monotonic; }
  // The kernel sockets' state first.
  [[nodiscard]] std::vector<server::WorkerState*> states() {
    std::vector<server::WorkerState*> all{&kernel};
    if (data_plane != nullptr) {
      const auto workers = data_plane->states();
      all.insert(all.end(), workers.begin(), workers.end());
    }
    return all;
  }

  ntp::KeyTable keys;  // the control thread's own; workers have a copy in their tables
  server::Channels channels;
  TimePublisher time;
  server::WorkerState kernel;
  std::unique_ptr<ntp::ClientTable> command_clients;  // null with noclientlog
  ntp::AccessRules ntp_access;
  ntp::AccessRules command_access;
  CommandCounts command_counts;
  const WallTime started;
  const Nanoseconds started_monotonic;
  DataPlaneView* data_plane = nullptr;  // not owned; null: none configured
  SourceManager* sources = nullptr;     // not owned; null: none, and none can be added
};

}  // namespace wiretime::control
