// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/memif_links.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace wiretime::dpdk {

namespace {

using Clock = std::chrono::steady_clock;

// A connection takes some ten messages to and fro; each passage of the gate serves what has come by then.
constexpr int kPassagesWhileConnecting = 20;
constexpr int kPassages = 2;  // the second serves what the first's batch left over
constexpr std::chrono::milliseconds kHoldPatience{100};
constexpr std::chrono::milliseconds kPassagePatience{50};

}  // namespace

void MemifLinks::update() {
  if (links_.empty()) return;
  // While the gate is open no worker serves a link, and the interrupt thread needs no invitation.
  if (!gate_.closed()) return decide();
  // A worker that does not get the CPU cannot be held: leave everything as it is until the next time.
  if (hold_workers()) {
    let_interrupts_run();
    decide();
  }
  for (Worker* worker : workers_) worker->release();
}

// With no peer at all there is nothing to protect, and the first one should not have to wait.
void MemifLinks::decide() {
  const auto is_up = [](const Link& link) { return link.port->link_up(); };
  if (std::any_of(links_.begin(), links_.end(), is_up))
    (void)gate_.close();
  else
    gate_.open();
  follow_slots();
  for (const Link& link : links_) link.serve->store(gate_.closed() && is_up(link), std::memory_order_release);
}

void MemifLinks::follow_slots() {
  std::vector<MemifSlots*> up;
  for (const Link& link : links_) {
    for (MemifSlots& slots : link.slots) {
      if (gate_.closed() && link.port->link_up())
        up.push_back(&slots);
      else
        slots.forget();
    }
  }
  MemifSlots::follow(up);
}

bool MemifLinks::hold_workers() {
  for (Worker* worker : workers_) worker->hold();
  const auto deadline = Clock::now() + kHoldPatience;
  for (const Worker* worker : workers_) {
    while (!worker->held()) {
      if (Clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::microseconds{20});
    }
  }
  return true;
}

void MemifLinks::let_interrupts_run() {
  const bool all_up =
      std::all_of(links_.begin(), links_.end(), [](const Link& link) { return link.port->link_up(); });
  const auto deadline = Clock::now() + kPassagePatience;
  for (int i = 0; i < (all_up ? kPassages : kPassagesWhileConnecting); ++i) {
    if (i >= kPassages && Clock::now() > deadline)
      return;  // a busy machine: the control thread has more to do
    gate_.open();
    (void)gate_.close();
  }
}

}  // namespace wiretime::dpdk
