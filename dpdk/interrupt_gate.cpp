// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/interrupt_gate.hpp"

#include <rte_alarm.h>

#include <chrono>
#include <thread>

namespace wiretime::dpdk {

void InterruptGate::park(void* gate) {
  auto& self = *static_cast<InterruptGate*>(gate);
  self.entered_.release();
  self.leave_.acquire();
  self.left_.release();
}

bool InterruptGate::close() {
  if (closed_) return true;
  if (rte_eal_alarm_set(1, park, this) != 0) return false;
  closed_ = entered_.try_acquire_for(std::chrono::milliseconds{200});
  if (!closed_) {
    leave_.release();
    rte_eal_alarm_cancel(park, this);  // returns when park is not and will not be running
    while (entered_.try_acquire() || leave_.try_acquire() || left_.try_acquire()) {
    }
  }
  return closed_;
}

void InterruptGate::open() {
  if (!closed_) return;
  leave_.release();
  // Cancelling spins until the thread is out of the alarm. Where both share a CPU the thread would not get on
  // while we do, nor a worker of that CPU: so it is left to run first.
  left_.acquire();
  std::this_thread::yield();
  rte_eal_alarm_cancel(park, this);
  closed_ = false;
}

}  // namespace wiretime::dpdk
