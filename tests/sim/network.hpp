// SPDX-License-Identifier: BSD-3-Clause
// A simulated network: datagrams between addresses, over paths that delay, lose, repeat and reorder them.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "os/socket.hpp"
#include "sim/timeline.hpp"

namespace wiretime::sim {

// Both directions between two hosts, "there" being from the first to the second.
struct PathConfig {
  double base = 100e-6;      // s, one way
  double jitter = 100e-6;    // s, mean of an exponential part, each way
  double jitter_back = -1;   // s, of the way back if it differs
  double normal_jitter = 0;  // s, standard deviation of a normal part, its magnitude taken
  double asymmetry = 0;      // s, added to the way there only
  double loss = 0;           // probability, each packet
  double duplication = 0;    // probability, each packet; the copy takes its own time
  double detour = 0;         // probability, each packet, of being later by detour_delay: it is overtaken
  double detour_delay = 0;   // s
  double reroute_at = 1e18;  // s of true time: from then on the path is longer
  double reroute = 0;        // s, by this each way
  double up_from = 0;        // s of true time: packets pass in [up_from, up_until)
  double up_until = 1e18;
  double off_period = 0;  // s: an intermittent link, up and down for this long in turn; 0: always up
};

struct Packet {
  os::Endpoint from;
  os::Endpoint to;
  std::vector<std::byte> bytes;
};

class Network {
 public:
  using Receiver = std::function<void(const Packet&)>;

  Network(Timeline& timeline, std::uint64_t seed) : timeline_{timeline}, random_{seed} {}

  void attach(const IpAddress& address, Receiver receiver) { hosts_[address] = std::move(receiver); }
  void detach(const IpAddress& address) { hosts_.erase(address); }
  void link(const IpAddress& a, const IpAddress& b, const PathConfig& path);
  // Seen by `watch` when they leave, and when they do not arrive.
  void watch(std::function<void(const Packet&, double delay)> watch) { watch_ = std::move(watch); }

  void send(const Packet& packet);

 private:
  struct Direction {
    PathConfig path;
    bool there = true;
  };
  [[nodiscard]] double delay(const Direction& direction);
  [[nodiscard]] bool up(const PathConfig& path) const;
  void deliver(const Packet& packet, double delay);

  Timeline& timeline_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> exponential_{1.0};
  std::uniform_real_distribution<double> uniform_;
  std::normal_distribution<double> normal_;
  std::map<IpAddress, Receiver> hosts_;
  std::map<std::pair<IpAddress, IpAddress>, Direction> directions_;
  std::function<void(const Packet&, double)> watch_;
};

}  // namespace wiretime::sim
