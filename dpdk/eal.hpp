// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment abstraction layer, started once per process with arguments worked out from our
// configuration and this host, never from an operator's EAL line. Control thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "dpdk/driver_log.hpp"
#include "dpdk/host.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::dpdk {

struct EalOptions {
  // The drivers, devices and memory that these ports need; the rest as initialised.
  [[nodiscard]] static EalOptions for_ports(const std::vector<server::DataplaneConfig>& ports);

  std::vector<unsigned> worker_cpus;  // empty: one worker that floats over the process's CPUs
  std::optional<unsigned> control_cpu;
  server::Hugepages hugepages = server::Hugepages::automatic;
  std::size_t memory = 0;            // bytes that buffers and rings will need
  std::vector<std::string> drivers;  // files to load, without directory; empty: all that are installed
  std::vector<std::string> pci;      // addresses of the devices to probe; no other is touched
  std::string_view worker_option = "workercpus";  // what the operator calls it, for messages
};

struct EalPlan {
  std::vector<std::string> arguments;  // without argv[0]
  bool hugepages = false;
};

// Pure: the arguments for `host`, or what is wrong with the options there.
[[nodiscard]] Result<EalPlan> plan_eal(const EalOptions& options, const Host& host);

class Eal {
 public:
  // At most one success per process, DPDK allows no second. The calling thread becomes the main lcore and
  // takes the control CPU. Worker threads receive no signals.
  [[nodiscard]] static Result<std::unique_ptr<Eal>> start(const EalOptions& options, DriverLog& log);
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;
  ~Eal();  // after the last port is closed and the last worker has returned

  [[nodiscard]] bool hugepages() const { return hugepages_; }
  [[nodiscard]] unsigned worker_count() const { return worker_count_; }
  // Worker n runs on DPDK's lcore n + 1; the control thread is lcore 0.
  [[nodiscard]] static unsigned worker_lcore(unsigned worker) { return worker + 1; }

 private:
  Eal(bool hugepages, unsigned worker_count) : hugepages_(hugepages), worker_count_(worker_count) {}

  bool hugepages_;
  unsigned worker_count_;
};

}  // namespace wiretime::dpdk
