// SPDX-License-Identifier: BSD-3-Clause
// Decides when EAL's interrupt thread may run. Drivers do surprising things there: net_memif unmaps the rings
// of a lost peer while a worker may be reading them. Closed, the thread waits inside an alarm of ours, where
// it can do nothing else; what happens meanwhile is served when it opens. Control thread.
#pragma once

#include <semaphore>

namespace wiretime::dpdk {

class InterruptGate {
 public:
  InterruptGate() = default;
  InterruptGate(const InterruptGate&) = delete;
  InterruptGate& operator=(const InterruptGate&) = delete;
  ~InterruptGate() { open(); }

  // Waits until the thread has finished what it was doing, 200 ms at most; false: it has not, the gate is
  // open. While it is closed, do not call what waits for the interrupt thread (closing a port may).
  [[nodiscard]] bool close();
  void open();
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  static void park(void* gate);  // interrupt thread

  std::counting_semaphore<> entered_{0};
  std::counting_semaphore<> leave_{0};
  std::counting_semaphore<> left_{0};
  bool closed_ = false;
};

}  // namespace wiretime::dpdk
