// SPDX-License-Identifier: BSD-3-Clause
// Keeps workers and net_memif's connection handling apart. The driver maps and unmaps the rings on EAL's
// interrupt thread without asking who is using them: a peer that dies under load would take us with it. So
// workers serve a memif port only while the interrupt thread is shut in, and once a tick, with the workers
// held, it is let out to see to connections. Control thread.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "dpdk/interrupt_gate.hpp"
#include "dpdk/memif_slots.hpp"
#include "dpdk/port.hpp"
#include "dpdk/worker.hpp"

namespace wiretime::dpdk {

class MemifLinks {
 public:
  struct Link {
    const Port* port;
    std::atomic<bool>* serve;     // writer: this class; readers: the port's workers
    std::span<MemifSlots> slots;  // by queue; written here while the workers are held or do not serve it
  };

  // `workers` serve these links among others, and outlive this object.
  MemifLinks(std::vector<Link> links, std::vector<Worker*> workers)
      : links_(std::move(links)), workers_(std::move(workers)) {}

  // Once a second: a peer's coming or going takes effect here.
  void update();

 private:
  [[nodiscard]] bool hold_workers();
  void let_interrupts_run();
  void decide();
  void follow_slots();

  std::vector<Link> links_;
  std::vector<Worker*> workers_;
  InterruptGate gate_;
};

}  // namespace wiretime::dpdk
