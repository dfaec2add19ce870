// SPDX-License-Identifier: BSD-3-Clause
// Several machines that run wiretimed: a chain, peers, a pool behind a name, an isolated mesh.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/scenarios.hpp"

namespace wiretime::sim {

namespace {

using detail::lan;

constexpr double kMicro = 1e-6;

std::string server_line(const IpAddress& address, const char* options = "iburst minpoll 4 maxpoll 4") {
  return fmt::format("\nserver {} {}", address.to_string(), options);
}

std::string strata(World& world) {
  std::string text;
  for (std::size_t i = 0; i < world.nodes(); ++i) {
    if (!world.node(i).running()) continue;
    text += fmt::format("{}{}", text.empty() ? "" : " ", world.node(i).served().reference.stratum);
  }
  return text;
}

// Nodes' oscillators differ in everything.
NodeConfig machine(std::size_t i, std::string directives) {
  NodeConfig config;
  const double n = static_cast<double>(i);
  config.oscillator.offset = 0.02 * n - 0.01;
  config.oscillator.frequency = (20 - 15 * n) * kMicro;
  config.directives = std::move(directives);
  return config;
}

// --- chain ------------------------------------------------------------------------------------------------

std::string chain_adds_up(World& world) {
  double before = 0;
  for (std::size_t i = 0; i < world.nodes(); ++i) {
    Node& node = world.node(i);
    const double distance = root_distance(node);
    if (node.served().reference.stratum != i + 2) return fmt::format("strata {}", strata(world));
    // Half a round trip of at least 100 us more than the node before, which may have measured a longer one
    // since.
    if (distance < before + 20 * kMicro)
      return fmt::format("node {}'s root distance is {} s, that of the node before {} s", i, distance,
                         before);
    before = distance;
  }
  return {};
}

void add_chain(std::vector<Scenario>& out) {
  Scenario s;
  s.name = "chain";
  s.what = "last of three that follow one another, polling 4";
  s.limit = 12 * kMicro;
  s.build = [](World& world) {
    world.add(ServerConfig{});
    world.link(node_address(0), server_address(0), lan().path);
    world.add(machine(0, "allow" + server_line(server_address(0))));
    for (std::size_t i = 1; i < 3; ++i) {
      world.add(machine(i, "allow" + server_line(node_address(i - 1))));
      world.link(node_address(i), node_address(i - 1), lan().path);
    }
  };
  s.error = [](World& world) { return world.node(2).error(); };
  s.watch = chain_adds_up;
  s.describe = strata;
  s.expected = "2 3 4";
  out.push_back(std::move(s));
}

// --- peers ------------------------------------------------------------------------------------------------

void add_peers(std::vector<Scenario>& out, const char* name, const char* what, const char* options,
               double limit) {
  Scenario s;
  s.name = name;
  s.what = what;
  s.limit = limit;
  s.build = [options](World& world) {
    PathConfig until_4000 = lan().path;
    until_4000.up_until = 4000;
    for (std::size_t i = 0; i < 2; ++i) {
      world.add(ServerConfig{});
      world.link(node_address(i), server_address(i), i == 1 ? until_4000 : lan().path);
      world.add(machine(i, server_line(server_address(i)) +
                               fmt::format("\npeer {} {}", node_address(1 - i).to_string(), options)));
    }
    world.link(node_address(0), node_address(1), lan().path);
  };
  s.error = [](World& world) { return world.node(1).error(); };
  s.describe = [](World& world) { return world.node(1).states() + " " + strata(world); };
  s.expected = "?* 2 3";
  out.push_back(std::move(s));
}

// --- pool -------------------------------------------------------------------------------------------------

void add_pool(std::vector<Scenario>& out) {
  Scenario s;
  s.name = "pool";
  s.what = "three of a pool of six; one of them dies and is replaced";
  s.limit = 2 * kMicro;
  s.build = [](World& world) {
    std::vector<IpAddress> addresses;
    for (std::size_t i = 0; i < 6; ++i) {
      PathConfig path = lan().path;
      if (i == 1) path.up_until = 4000;
      world.add(ServerConfig{});
      world.link(node_address(0), server_address(i), path);
      addresses.push_back(server_address(i));
    }
    world.name("pool.test", addresses);
    world.add(machine(0, "pool pool.test maxsources 3 iburst minpoll 4 maxpoll 4"));
  };
  s.expected = "???";
  s.watch = [](World& world) -> std::string {
    if (world.now() < 5000) return {};
    for (const char c : world.node(0).states())
      if (c != '*' && c != '+' && c != 'D' && c != 'U')
        return "a source is of no use: " + world.node(0).states();
    return {};
  };
  out.push_back(std::move(s));
}

// --- orphans ----------------------------------------------------------------------------------------------

double spread(World& world) {
  double low = 1e18;
  double high = -1e18;
  for (std::size_t i = 0; i < world.nodes(); ++i) {
    if (!world.node(i).running()) continue;
    low = std::min(low, world.node(i).served_error());
    high = std::max(high, world.node(i).served_error());
  }
  return high - low;
}

// One parent at stratum 10, all others follow it.
std::string one_parent(World& world) {
  std::size_t parents = 0;
  bool runaway = false;
  for (std::size_t i = 0; i < world.nodes(); ++i) {
    if (!world.node(i).running()) continue;
    const unsigned stratum = world.node(i).served().reference.stratum;
    parents += stratum == 10;
    runaway = runaway || stratum > 11 || stratum < 10;
  }
  return parents == 1 && !runaway ? "" : "strata " + strata(world);
}

std::function<std::string(World&)> one_parent_but(double from, double until) {
  return [from, until](World& world) -> std::string {
    return world.now() >= from && world.now() < until ? "" : one_parent(world);
  };
}

// Every node of five polls every other one.
void add_mesh(World& world, const std::string& more = {}) {
  constexpr std::size_t kNodes = 5;
  for (std::size_t i = 0; i < kNodes; ++i) {
    std::string directives = "local stratum 10 orphan distance 0.002\nallow" + more;
    for (std::size_t j = 0; j < kNodes; ++j) {
      if (j == i) continue;
      directives += server_line(node_address(j));
      if (j < i) world.link(node_address(i), node_address(j), lan().path);
    }
    world.add(machine(i, directives));
  }
}

Scenario mesh(const char* name, const char* what) {
  Scenario s;
  s.name = name;
  s.what = what;
  s.duration = 12'000;
  s.first_limit = 0;  // the parent's clock is never corrected
  s.bounded = false;
  s.build = [](World& world) { add_mesh(world); };
  s.limit = 100 * kMicro;
  s.error = spread;
  s.describe = strata;
  s.expected = "10 11 11 11 11";
  return s;
}

// Those who lost their source hold over till the root distance of one exceeds 2 ms, half an hour at 1 ppm.
constexpr double kHoldover = 2500;

void add_orphans(std::vector<Scenario>& out) {
  Scenario s = mesh("orphans", "isolated mesh of five; spread; the parent dies at 6000 s");
  s.events = {{6000, [](World& world) {
                 for (std::size_t i = 0; i < world.nodes(); ++i)
                   if (world.node(i).served().reference.stratum == 10) return world.node(i).stop();
               }}};
  s.watch = one_parent_but(6000, 6000 + kHoldover);
  s.expected = "10 11 11 11";  // the next in the order of reference ids
  out.push_back(std::move(s));

  s = mesh("partition", "the same, cut in two from 4000 s to 8000 s");
  s.limit = 250 * kMicro;
  s.events = {{4000, [](World& world) {
                 PathConfig cut = lan().path;
                 cut.up_from = 8000;
                 for (std::size_t i = 0; i < 2; ++i)
                   for (std::size_t j = 2; j < world.nodes(); ++j)
                     world.link(node_address(i), node_address(j), cut);
               }}};
  s.watch = one_parent_but(4000, 8300);
  out.push_back(std::move(s));

  s = mesh("mesh", "five that follow one server and each other; it dies at 4000 s");
  s.build = [](World& world) {
    world.add(ServerConfig{});
    add_mesh(world, server_line(server_address(0)));
    PathConfig path = lan().path;
    path.up_until = 4000;
    for (std::size_t i = 0; i < world.nodes(); ++i) world.link(node_address(i), server_address(0), path);
  };
  s.watch = [](World& world) -> std::string {
    for (std::size_t i = 0; i < world.nodes(); ++i)
      if (world.node(i).served().reference.stratum > 11) return "strata " + strata(world);
    // A server is forgotten when its samples are older than all that others gave, 1024 s.
    return world.now() < 4000 + kHoldover + 1024 ? "" : one_parent(world);
  };
  out.push_back(std::move(s));
}

}  // namespace

void detail::add_group_scenarios(std::vector<Scenario>& out) {
  add_chain(out);
  add_peers(out, "peers", "one of two peers loses its server at 4000 s", "minpoll 4 maxpoll 4", 5 * kMicro);
  add_peers(out, "peers-xleave", "the same, interleaved", "minpoll 4 maxpoll 4 xleave", 5 * kMicro);
  add_pool(out);
  add_orphans(out);
}

}  // namespace wiretime::sim
