// SPDX-License-Identifier: BSD-3-Clause
// A worker, its NIC, its clients and its control thread's clock work in simulated time: dpdk/worker.cpp on a
// ring port, clock/nic_timekeeper on a simulated oscillator, and for each reply what its stamps were off by.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clock/nic_timekeeper.hpp"
#include "clock/tick_map.hpp"
#include "dpdk/transmit_stamps.hpp"
#include "rungs/errors.hpp"
#include "rungs/simulated_port.hpp"

namespace wiretime::dpdk::test {

struct RigConfig {
  wiretime::test::NicConfig nic;
  LinkConfig link;
  clock::NicRole role = clock::NicRole::free;
  FrameMark mark = FrameMark::nic;  // who stamps requests
  bool launches = false;            // the NIC sends at the time that it is told to
  bool stamps_replies = false;      // it says when a reply left that it was told to watch
  bool interleaved = false;         // the clients' mode
  // Requests come during so many polls, every 10 ms.
  unsigned polls = 4;
  double cycles_per_request = 55;  // between two readings of the counter: twice for each request
  double interruptions = 1000;     // of the worker a second, as by a timer's tick
  double interruption = 5e-6;      // s, at most, what one takes
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
  [[nodiscard]] clock::TransmitStatus transmit_status() const { return transmit_stamps_->status(); }
  [[nodiscard]] std::uint64_t count(server::Stamp s) const {
    return serving_->count(s) - counted_[static_cast<std::size_t>(s)];
  }

  // Counts and errors from now on.
  void begin_anew();

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
    std::uint64_t stamp = 0;    // number of the NIC's stamp of that; 0: none
  };

  [[nodiscard]] static std::uint64_t epoch_ns() {
    return static_cast<std::uint64_t>(kEpoch.time_since_epoch().count());
  }
  void tick();
  void publish_time();
  void refresh_clock();
  [[nodiscard]] TransmitCalls transmit_calls();
  void wait_for_tick();
  [[nodiscard]] bool serve();  // one poll; false: nothing came
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
  clock::NicSnapshot nic_snapshot_;
  Seqlock<clock::NicSnapshot> nic_map_;
  os::Log log_ = os::Log::to_stderr(os::LogLevel::fatal);
  std::unique_ptr<TransmitStamps> transmit_stamps_;
  std::unique_ptr<Serving> serving_;
  std::array<std::uint64_t, static_cast<std::size_t>(server::Stamp::kCount)> counted_{};
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
