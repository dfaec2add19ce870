// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/wire.hpp"

#include <fmt/format.h>
#include <rte_ethdev.h>

#include <chrono>
#include <thread>

#include "dpdk/interface.hpp"

namespace wiretime::load {

namespace {

using Clock = std::chrono::steady_clock;
using Kind = server::DataplaneConfig::Kind;
constexpr std::uint16_t kBurst = 32;
constexpr std::chrono::seconds kLinkPatience{10};
constexpr std::chrono::seconds kNeighborPatience{5};
constexpr std::chrono::milliseconds kAskEvery{200};
constexpr std::chrono::milliseconds kConnectionTime{20};  // for the interrupt thread to see its end

std::span<std::byte> room(rte_mbuf* m) noexcept {
  return {rte_pktmbuf_mtod(m, std::byte*), std::size_t{rte_pktmbuf_data_len(m)} + rte_pktmbuf_tailroom(m)};
}

void set_length(rte_mbuf* m, std::uint32_t length) noexcept {
  m->data_len = static_cast<std::uint16_t>(length);
  m->pkt_len = length;
}

// On a NIC with several queues most replies would go to those that nobody reads.
Result<void> check_queues(const server::DataplaneConfig& port) {
  const unsigned queues = port.kind == Kind::af_xdp ? dpdk::receive_queues(port.device) : 1;
  if (queues <= 1) return {};
  return fail(
      fmt::format("--port: expected an interface with one receive queue, found {} on {}; set it with "
                  "`ethtool -L {} combined 1`",
                  queues, port.device, port.device));
}

}  // namespace

Result<std::unique_ptr<Wire>> Wire::open(const Options& options) {
  if (auto one = check_queues(options.port); !one) return tl::make_unexpected(one.error());
  std::unique_ptr<Wire> wire{new Wire};
  wire->options_ = options;
  auto eal_options = dpdk::EalOptions::for_ports({options.port});
  if (options.cpu) eal_options.worker_cpus = {*options.cpu};
  eal_options.worker_option = "--cpu";
  eal_options.hugepages = options.hugepages;
  auto eal = dpdk::Eal::start(eal_options, wire->log_);
  if (!eal) return tl::make_unexpected(eal.error());
  wire->eal_ = std::move(*eal);
  auto port = dpdk::Port::open(options.port, {}, wire->log_);
  if (!port) return tl::make_unexpected(port.error());
  wire->port_ = std::move(*port);
  if (auto started = wire->port_->start(); !started) return tl::make_unexpected(started.error());
  // Neighbour solicitations come to a group for each client.
  (void)rte_eth_allmulticast_enable(wire->port());

  net::OwnAddresses& own = wire->own_;
  own.mac = wire->port_->mac();
  own.vlan = options.port.vlan;
  own.addresses = options.addresses;
  own.prefixes = {options.from};
  own.foreign = {options.to};
  if (options.gateway) own.foreign.push_back(*options.gateway);
  return wire;
}

Wire::~Wire() {
  gate_.open();  // closing the port waits for the thread behind it
}

Result<Path> Wire::find_server(const IpAddress& asker, const std::atomic<bool>& stop) {
  if (auto up = await_link(stop); !up) return tl::make_unexpected(up.error());
  Path path;
  path.source = own_.mac;
  path.server = options_.to;
  path.server_port = options_.server_port;
  path.vlan = options_.port.vlan;
  if (options_.server_mac) {
    path.destination = *options_.server_mac;
    return path;
  }
  const auto mac = resolve(asker, options_.gateway.value_or(options_.to), stop);
  if (!mac) return tl::make_unexpected(mac.error());
  path.destination = *mac;
  return path;
}

Result<void> Wire::await_link(const std::atomic<bool>& stop) {
  const auto deadline = Clock::now() + kLinkPatience;
  while (!port_->link_up()) {
    if (stop || Clock::now() > deadline)
      return fail(fmt::format("{}: no link after {} s{}", options_.port_text, kLinkPatience.count(),
                              options_.port.kind == Kind::memif
                                  ? "; is the other side of this socket running?"
                                  : "; is the cable in, the peer up?"));
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return {};
}

Result<net::MacAddress> Wire::resolve(const IpAddress& asker, const IpAddress& target,
                                      const std::atomic<bool>& stop) {
  const auto deadline = Clock::now() + kNeighborPatience;
  while (!stop && Clock::now() < deadline) {
    ask(asker, target);
    for (const auto next = Clock::now() + kAskEvery; Clock::now() < next;) {
      if (const auto mac = listen(target)) return *mac;
      std::this_thread::sleep_for(std::chrono::microseconds{200});
    }
  }
  return fail(
      fmt::format("{}: nobody on this wire says that it has {} (asked by {}); a router is named with "
                  "--gateway, a host that "
                  "does not answer with --server-mac",
                  options_.port_text, target.to_string(), asker.to_string()));
}

void Wire::ask(const IpAddress& asker, const IpAddress& target) {
  rte_mbuf* m = rte_pktmbuf_alloc(pool());
  if (m == nullptr) return;
  const std::uint32_t length = net::build_neighbor_request(room(m), own_, asker, target);
  set_length(m, length);
  if (length == 0 || rte_eth_tx_burst(port(), 0, &m, 1) != 1) rte_pktmbuf_free(m);
}

std::optional<net::MacAddress> Wire::listen(const IpAddress& target) {
  std::array<rte_mbuf*, kBurst> frames;
  std::optional<net::MacAddress> found;
  const unsigned n = rte_eth_rx_burst(port(), 0, frames.data(), kBurst);
  for (unsigned i = 0; i < n; ++i) {
    if (!found && frames[i]->nb_segs == 1)
      found = net::read_neighbor_answer(room(frames[i]).first(rte_pktmbuf_data_len(frames[i])), own_, target);
    answer(frames[i]);
  }
  return found;
}

void Wire::hold_connections() {
  if (options_.port.kind == Kind::memif) (void)gate_.close();
}

Result<void> Wire::release_connections() {
  if (gate_.closed()) {
    gate_.open();
    std::this_thread::sleep_for(kConnectionTime);
  }
  if (port_->link_up()) return {};
  return fail(
      fmt::format("{}: the link went down{}", options_.port_text,
                  options_.port.kind == Kind::memif ? "; has the other side of this socket ended?" : ""));
}

void Wire::answer(rte_mbuf* m) noexcept {
  std::uint32_t length = m->pkt_len;
  if (m->nb_segs == 1 && disposition(net::answer_neighbor(room(m), length, own_)) == Disposition::reply) {
    set_length(m, length);
    if (rte_eth_tx_burst(port(), 0, &m, 1) == 1) return;
  }
  rte_pktmbuf_free(m);
}

}  // namespace wiretime::load
