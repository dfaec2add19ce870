// SPDX-License-Identifier: BSD-3-Clause
// A worker, its NIC, its clients and its control thread's clock work in simulated time: dpdk/worker.cpp on a
// ring port, clock/nic_timekeeper on a simulated oscillator, and for each reply what its stamps were off by.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clock/nic_timekeeper.hpp"
#include "clock/tick_map.hpp"
#include "rungs/errors.hpp"
#include "rungs/simulated_port.hpp"

namespace wiretime::dpdk::test {

struct RigConfig {
  wiretime::test::NicConfig nic;
  LinkConfig link;
  clock::NicRole role = clock::NicRole::free;
  FrameMark mark = FrameMark::nic;  // who stamps requests
  bool interleaved = false;         // the clients' mode
  // Requests come during so many polls, every 10 ms.
  unsigned polls = 3;
  double cycles_per_request = 55;  // between two readings of the counter: twice for each request
  double interrupted = 1e-3;       // of these intervals
};

class Rig {
 public:
  explicit Rig(const RigConfig& config);

  // The control thread alone, without requests: maps settle.
  void settle(double seconds);
  // And with them.
  void run(double seconds);

  // s, the NIC's clock less UTC.
  [[nodiscard]] double clock_error() { return nic_->error(epoch_ns()); }
  [[nodiscard]] wiretime::test::SimulatedNic& nic() { return *nic_; }
  [[nodiscard]] SimulatedPort& port() { return *port_; }
  [[nodiscard]] clock::NicTimekeeper& keeper() { return *keeper_; }
  [[nodiscard]] std::uint64_t count(server::Stamp s) const { return serving_->count(s); }
  [[nodiscard]] std::uint64_t count(Verdict v) const { return serving_->count(v); }
  [[nodiscard]] std::uint64_t count(server::Feature f) const {
    return serving_->fixture.state.features.get(f);
  }

  std::uint64_t asked = 0;
  Errors receive;      // of each reply
  Errors transmit;     // of each reply in basic mode, and each first one
  Errors interleaved;  // of interleaved replies: of the reply before
  Errors measured;     // those of them whose reply before the NIC has stamped

 private:
  static constexpr std::size_t kClients = 200;
  struct Client {
    Bytes request;
    bool waiting = false;
    std::uint64_t receive = 0;  // of the last reply, as it stands there; 0: none
    double left = 0;            // s, when that left
    bool stamped = false;
  };

  [[nodiscard]] static std::uint64_t epoch_ns() {
    return static_cast<std::uint64_t>(kEpoch.time_since_epoch().count());
  }
  void tick();
  void publish_time();
  void refresh_clock();
  void serve();
  void judge(const Departure& departure);
  [[nodiscard]] std::pair<std::uint64_t, const Bytes*> next_request();

  RigConfig config_;
  std::mt19937_64 random_;
  std::unique_ptr<Processor> cpu_;
  double next_tick_ = 0;
  unsigned ticks_ = 0;
  wiretime::test::SimulatedNic* nic_ = nullptr;
  std::unique_ptr<clock::NicTimekeeper> keeper_;
  clock::TickMap time_map_;
  Seqlock<clock::NicSnapshot> nic_map_;
  std::unique_ptr<Serving> serving_;
  std::unique_ptr<SimulatedPort> port_;
  std::vector<Client> clients_;
  std::size_t next_client_ = 0;
  struct Request {
    std::size_t client = 0;
    double end = 0;  // s, on the wire
  };
  std::vector<Request> requests_;  // by id
};

}  // namespace wiretime::dpdk::test
