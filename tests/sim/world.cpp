// SPDX-License-Identifier: BSD-3-Clause
#include "sim/world.hpp"

#include <fmt/core.h>

#include "ntp/packet.hpp"

namespace wiretime::sim {

namespace {

// Streams of random numbers: one each for the network, the servers and the nodes.
constexpr std::uint64_t kStreams = 1000;
constexpr std::uint64_t kServerStreams = 100;
constexpr std::uint64_t kNodeStreams = 200;

}  // namespace

IpAddress server_address(std::size_t i) {
  return IpAddress::v4(0x0A00'0001U + static_cast<std::uint32_t>(i));
}

IpAddress node_address(std::size_t i) {
  return IpAddress::v4(0x0A00'0101U + static_cast<std::uint32_t>(i));
}

World::World(std::uint64_t seed, WallTime start, bool trace)
    : seed_{seed * kStreams}, start_{start}, trace_{trace}, network_{timeline_, seed_ + 1} {
  if (trace_) network_.watch([this](const Packet& packet, double delay) { trace_packet(packet, delay); });
}

ReferenceServer& World::add(const ServerConfig& config) {
  const std::size_t i = servers_.size();
  servers_.push_back(std::make_unique<ReferenceServer>(config, server_address(i), start_, timeline_, network_,
                                                       seed_ + kServerStreams + i));
  return *servers_.back();
}

Node& World::add(const NodeConfig& config) {
  const std::size_t i = nodes_.size();
  Node::Trace trace;
  if (trace_)
    trace = [this, i](const std::string& line) {
      fmt::print("{:14.6f} {} {}\n", now(), node_address(i).to_string(), line);
    };
  nodes_.push_back(std::make_unique<Node>(config, node_address(i), start_, timeline_, network_, names_,
                                          std::move(trace), seed_ + kNodeStreams + 2 * i));
  return *nodes_.back();
}

void World::advance(TrueTime to) {
  timeline_.advance(to);
  for (const auto& node : nodes_) node->advance();
}

void World::run(double until) {
  for (const TrueTime end = true_time(until);;) {
    const auto event = timeline_.next();
    TrueTime next = event.value_or(TrueTime::max());
    Node* first = nullptr;
    for (const auto& node : nodes_) {
      const auto due = node->next_timer();
      if (!due || *due >= next) continue;
      next = *due;
      first = node.get();
    }
    if (next > end) return advance(end);
    advance(next);
    if (first != nullptr)
      first->run_timers();
    else
      timeline_.run_next();
  }
}

void World::trace_packet(const Packet& packet, double delay) const {
  const std::byte* const m = packet.bytes.data();
  fmt::print("{:14.6f} {} > {} mode {} stratum {} poll {} {}\n", now(), packet.from.to_string(),
             packet.to.to_string(), static_cast<int>(ntp::mode(m)), static_cast<int>(m[1]),
             static_cast<std::int8_t>(m[2]), delay < 0 ? "lost" : fmt::format("{:.9f} s", delay));
}

}  // namespace wiretime::sim
