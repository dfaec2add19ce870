// SPDX-License-Identifier: BSD-3-Clause
// The generator's end of the wire: DPDK started, one port open, the server's MAC found; answers ARP, ND and
// echo for all simulated clients. Control thread, but while a step runs port and answer() belong to the
// generator's core.
#pragma once

#include <rte_mbuf.h>

#include <memory>

#include "base/result.hpp"
#include "dpdk/driver_log.hpp"
#include "dpdk/eal.hpp"
#include "dpdk/interrupt_gate.hpp"
#include "dpdk/port.hpp"
#include "net/neighbor.hpp"
#include "perf/wireload/clients.hpp"
#include "perf/wireload/options.hpp"
#include "perf/wireload/request.hpp"

namespace wiretime::load {

class Wire {
 public:
  // An error is one sentence for the operator.
  [[nodiscard]] static Result<std::unique_ptr<Wire>> open(const Options& options);
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire();

  // Waits for the link and finds the way to the server; `asker` is one of our addresses. `stop` ends the
  // wait.
  [[nodiscard]] Result<Path> find_server(const IpAddress& asker, const std::atomic<bool>& stop);

  // The rings of a memif may go when the peer does, unless this keeps its connection as it is: around a step.
  void hold_connections();
  // Afterwards, and lets the connection's end, if that has come, take effect. An error: nobody is there.
  [[nodiscard]] Result<void> release_connections();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_->queue(0).device; }
  [[nodiscard]] rte_mempool* pool() const { return port_->pool(0); }
  [[nodiscard]] dpdk::PortStatistics statistics() { return port_->statistics(); }

  // Takes a frame that is no reply: sends the answer it asks for, or frees it.
  void answer(rte_mbuf* frame) noexcept;

 private:
  Wire() = default;
  [[nodiscard]] Result<void> await_link(const std::atomic<bool>& stop);
  [[nodiscard]] Result<net::MacAddress> resolve(const IpAddress& asker, const IpAddress& target,
                                                const std::atomic<bool>& stop);
  void ask(const IpAddress& asker, const IpAddress& target);
  [[nodiscard]] std::optional<net::MacAddress> listen(const IpAddress& target);

  Options options_;
  dpdk::DriverLog log_;
  std::unique_ptr<dpdk::Eal> eal_;
  std::unique_ptr<dpdk::Port> port_;
  dpdk::InterruptGate gate_;
  net::OwnAddresses own_;
};

}  // namespace wiretime::load
