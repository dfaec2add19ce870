// SPDX-License-Identifier: BSD-3-Clause
// One worker lcore: polls its queues, answers what came, keeps house now and then, and does nothing else. No
// allocation, lock or log. Its system calls are the nap and, for frames that are the kernel's, the wake-up of
// a control thread that sleeps (exception_path.hpp); its one wait is for a memif's peer (transmit). run() is
// the worker thread's; the rest the control thread's.
#pragma once

#include <rte_mempool.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "clock/snapshot.hpp"
#include "dpdk/exception_path.hpp"
#include "dpdk/memif_slots.hpp"
#include "dpdk/receive_time.hpp"
#include "dpdk/transmit_time.hpp"
#include "net/neighbor.hpp"
#include "net/rate_limiter.hpp"
#include "server/burst.hpp"
#include "server/dataplane_config.hpp"
#include "server/tables.hpp"
#include "server/worker_state.hpp"

struct rte_mbuf;

namespace wiretime::dpdk {

// What all queues of a port that the kernel does not own share. Constant once workers run.
struct OwnedPort {
  net::OwnAddresses neighbor;      // who we are in ARP and ND
  server::LocalAddresses serving;  // where we answer NTP: the same addresses
};

// One receive and transmit queue pair; belongs to one worker.
struct PortQueue {
  std::uint16_t port = 0;  // DPDK's number
  std::uint16_t queue = 0;
  rte_mempool* pool = nullptr;
  server::WorkerState* state = nullptr;
  const OwnedPort* owned = nullptr;  // null: the kernel owns the port, its addresses are in Tables
  bool xdp_metadata = false;         // frames carry the XDP program's receive time, and maybe the NIC's
  NicStamps nic_stamps;
  TransmitPath transmit;
  const std::atomic<bool>* serve = nullptr;  // writer: control thread; false: hands off. null: always serve
  std::atomic<bool>* announce = nullptr;     // writers: control thread sets, worker clears; null: never
  bool awaits_peer = false;                  // a process, not a wire, takes what we send
  MemifSlots* slots = nullptr;               // memif servers: to fetch ahead
  ExceptionLane* kernel = nullptr;           // owned ports: for what is not answered here; null: nobody is
};

class Worker {
 public:
  // `number` is the RCU reader number too. `channels` and `offsets` outlive the worker.
  Worker(unsigned number, server::WorkerIdle idle, server::Channels& channels, const ClockOffsets& offsets)
      : number_(number), idle_(idle), channels_(channels), offsets_(offsets) {}

  void add_queue(const PortQueue& queue);  // before run
  [[nodiscard]] std::size_t queues() const { return queues_.size(); }

  // Returns after stop().
  void run() noexcept;
  void stop() noexcept { stop_.store(true, std::memory_order_relaxed); }

  // Keeps the worker away from all queues, from when held() says so until release(). For moments only.
  void hold() noexcept { hold_.store(++hold_epoch_, std::memory_order_release); }
  [[nodiscard]] bool held() const noexcept { return held_.load(std::memory_order_acquire) == hold_epoch_; }
  void release() noexcept { hold_.store(++hold_epoch_, std::memory_order_release); }

  // Changes as long as the worker is alive.
  [[nodiscard]] std::uint64_t heartbeat() const noexcept {
    return heartbeat_.load(std::memory_order_relaxed);
  }

  // Part of run, apart for tests: one walk over all queues; the number of frames received.
  unsigned walk() noexcept;
  // Looks at what the control thread has decided; RCU quiescent.
  void keep_house() noexcept;

 private:
  struct Queue : PortQueue {
    net::RateLimiter neighbor_limit;
    ReceivePath in{nic_stamps, xdp_metadata};
    TransmitQueue out{transmit};
    bool peer_away = false;  // did not take the last burst
  };

  unsigned serve(Queue& q) noexcept;
  [[nodiscard]] unsigned take_in(Queue& q, std::span<rte_mbuf*> received, Ticks arrival) noexcept;
  [[nodiscard]] unsigned sort_out(Queue& q, unsigned count, Ticks now) noexcept;
  void send(Queue& q, unsigned count, const clock::Departure& departure) noexcept;
  [[nodiscard]] unsigned transmit(Queue& q, unsigned count) noexcept;
  void announce(Queue& q) noexcept;
  [[nodiscard]] bool rest(unsigned received) noexcept;
  [[nodiscard]] bool on_hold() noexcept;

  const unsigned number_;
  const server::WorkerIdle idle_;
  server::Channels& channels_;
  const ClockOffsets& offsets_;
  std::vector<Queue> queues_;
  const server::Tables* tables_ = nullptr;
  clock::TimeSnapshot snapshot_;
  std::uint64_t snapshot_loaded_ = Seqlock<clock::TimeSnapshot>::kNever;
  unsigned empty_walks_ = 0;
  long longest_nap_ns_ = 0;
  std::uint64_t patience_ = 0;  // ticks, with a process that does not take what we send

  // The burst in hand: frames_[i] lies in mbufs_[i].
  std::array<server::Frame, server::kBurstSize> frames_{};
  std::array<rte_mbuf*, server::kBurstSize> mbufs_{};
  std::array<server::Stamp, server::kBurstSize> stamps_{};  // by whom it was stamped on receipt

  alignas(64) std::atomic<std::uint64_t> heartbeat_{0};  // writer: the worker; reader: control thread
  std::atomic<std::uint32_t> held_{0};                   // the same: the hold that the worker has noticed
  alignas(64) std::atomic<bool> stop_{false};            // writer: control thread; reader: the worker
  std::atomic<std::uint32_t> hold_{0};                   // the same; odd: wait
  std::uint32_t hold_epoch_ = 0;                         // control thread
};

}  // namespace wiretime::dpdk
