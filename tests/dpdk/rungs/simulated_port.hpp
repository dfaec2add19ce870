// SPDX-License-Identifier: BSD-3-Clause
// What lies between the wire and a worker's queue, in simulated time: requests come, are stamped, wait to be
// polled; replies wait for the NIC, for their launch time and for one another, leave, and may be stamped.
// Every instant is computed, none is when this program happened to get there.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "ring_port.hpp"
#include "rungs/processor.hpp"

namespace wiretime::dpdk::test {

struct LinkConfig {
  double speed = 10e9;               // bit/s
  double load = 0.5;                 // of the wire, by requests, while there are any
  double receive_latency = 600e-9;   // s, from a frame's end to where a poll finds it
  double receive_jitter = 60e-9;     // s, mean of what comes on top
  bool through_kernel = false;       // AF_XDP: an interrupt, the XDP program, then the worker's ring
  double program_latency = 4e-6;     // s, from the NIC to when the program runs
  double program_jitter = 3e-6;      // s, mean of what comes on top
  double batch = 10e-6;              // s, at most, until the kernel shows the worker what it has
  double transmit_latency = 700e-9;  // s, from the driver's call to the wire
  double transmit_jitter = 30e-9;    // s, mean of what comes on top
  double stamp_latency = 10e-6;      // s, from a frame's departure to when its stamp can be read
  double stamp_loss = 0.02;          // share of stamps that never come
  std::uint64_t launch_step = 8;     // ticks of the NIC's clock, of launch times
  std::uint64_t seed = 1;
};

enum class FrameMark : std::uint8_t { none, nic, program };

// A request on its way, and all that is true of it.
struct Arrival {
  std::uint64_t id = 0;
  double end = 0;           // s, of the frame on the wire: the true receive time
  double visible = 0;       // s, to a poll
  std::uint64_t stamp = 0;  // the NIC's, of its beginning
};

struct Departure {
  double at = 0;            // s, of the frame's beginning on the wire: the true transmit time
  std::uint64_t stamp = 0;  // number of the NIC's stamp of it, from 1; 0: none
  std::uint64_t origin = 0;
  NtpTimestamp receive{};
  NtpTimestamp transmit{};
};

class SimulatedPort {
 public:
  SimulatedPort(RingPort& port, Processor& cpu, wiretime::test::SimulatedNic& nic, const LinkConfig& config);
  SimulatedPort(const SimulatedPort&) = delete;
  SimulatedPort& operator=(const SimulatedPort&) = delete;
  ~SimulatedPort();

  // Requests begin to come now. `next`: the frame of the next one, with its id.
  using Source = std::function<std::pair<std::uint64_t, const Bytes*>()>;
  void begin(Source next) {
    source_ = std::move(next);
    next_ = cpu_.now;
  }
  // No more come than are on their way.
  void end() { source_ = nullptr; }
  // Waits until there is a frame to be polled; then everything up to a burst that has come is in the ring.
  // What came; empty when nothing will.
  [[nodiscard]] std::vector<Arrival> poll(FrameMark mark);
  // What left since the last call.
  [[nodiscard]] std::vector<Departure> take_departures();

  // As a driver would read them: the one transmit stamp, NIC ticks, and how many launch times had passed.
  [[nodiscard]] std::optional<std::uint64_t> take_stamp();
  [[nodiscard]] bool was_taken(std::uint64_t stamp) const { return taken_.count(stamp) != 0; }
  [[nodiscard]] std::uint64_t late() const { return late_; }
  [[nodiscard]] std::uint64_t launched() const { return launched_; }

  bool mute = false;  // stamps no more replies
  // What becomes of a receive stamp on its way; null: nothing.
  std::function<std::uint64_t(std::uint64_t)> spoil;
  [[nodiscard]] const NicStamps& receive_stamps() const { return receive_stamps_; }
  [[nodiscard]] const LaunchField& launch_field() const { return launch_; }

 private:
  struct Waiting {
    Arrival arrival;
    rte_mbuf* frame = nullptr;
  };
  struct Slot {
    std::uint64_t number = 0;
    std::uint64_t stamp = 0;
    double ready = 0;  // s
    bool lost = false;
  };

  static std::uint16_t on_transmit(std::uint16_t port, std::uint16_t queue, rte_mbuf** frames,
                                   std::uint16_t count, void* self);
  void transmit(rte_mbuf* frame, double ready);
  void arrive(FrameMark mark);
  [[nodiscard]] double on_wire(std::uint32_t length) const;  // s, from one frame's beginning to the next
  [[nodiscard]] double jitter(double mean);

  RingPort& port_;
  Processor& cpu_;
  wiretime::test::SimulatedNic& nic_;
  LinkConfig config_;
  std::mt19937_64 random_;
  NicStamps receive_stamps_;
  LaunchField launch_;
  const rte_eth_rxtx_callback* callback_ = nullptr;

  Source source_;
  double next_ = 0;  // s, when the next request begins
  std::deque<Waiting> waiting_;
  double wire_free_ = 0;   // s, from when on the next reply can leave
  double last_ready_ = 0;  // s, when the NIC had the last reply: it takes them in order
  std::vector<Departure> departures_;
  std::optional<Slot> slot_;
  std::uint64_t stamps_ = 0;
  std::set<std::uint64_t> taken_;
  std::uint64_t late_ = 0;
  std::uint64_t launched_ = 0;
};

}  // namespace wiretime::dpdk::test
