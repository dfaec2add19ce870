// SPDX-License-Identifier: BSD-3-Clause
// Machines, servers and a network on one timeline. Everything random follows from one seed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/node.hpp"

namespace wiretime::sim {

class World {
 public:
  // `trace`: every log line of every node and every packet to standard output.
  World(std::uint64_t seed, WallTime start, bool trace);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Addresses: servers are 10.0.0.1, 10.0.0.2, ..., nodes 10.0.1.1, 10.0.1.2, ... in the order added.
  ReferenceServer& add(const ServerConfig& config);
  Node& add(const NodeConfig& config);
  void link(const IpAddress& a, const IpAddress& b, const PathConfig& path) { network_.link(a, b, path); }
  void name(const std::string& name, std::vector<IpAddress> addresses) {
    names_[name] = std::move(addresses);
  }

  [[nodiscard]] Node& node(std::size_t i) { return *nodes_.at(i); }
  [[nodiscard]] std::size_t nodes() const { return nodes_.size(); }
  [[nodiscard]] ReferenceServer& server(std::size_t i) { return *servers_.at(i); }
  [[nodiscard]] double now() const { return seconds(timeline_.now()); }

  // At `s` seconds of true time.
  void at(double s, std::function<void(World&)> what) {
    timeline_.at(true_time(s), [this, what = std::move(what)] { what(*this); });
  }
  void run(double until);

 private:
  void advance(TrueTime to);
  void trace_packet(const Packet& packet, double delay) const;

  std::uint64_t seed_;
  WallTime start_;
  bool trace_;
  Timeline timeline_;
  Network network_;
  Names names_;
  std::vector<std::unique_ptr<ReferenceServer>> servers_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

[[nodiscard]] IpAddress server_address(std::size_t i);
[[nodiscard]] IpAddress node_address(std::size_t i);

}  // namespace wiretime::sim
