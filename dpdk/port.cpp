// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/port.hpp"

#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "dpdk/devargs.hpp"
#include "dpdk/host.hpp"
#include "dpdk/interrupt_gate.hpp"
#include "dpdk/memif_socket.hpp"
#include "dpdk/pci_device.hpp"
#include "os/interfaces.hpp"

namespace wiretime::dpdk {

namespace {

using Kind = server::DataplaneConfig::Kind;

// What to do about a complaint of the driver, where we know.
std::string advice(const server::DataplaneConfig& config) {
  if (config.kernel_owns_port() && geteuid() != 0)
    return "; run as root or with the capabilities of wiretimed.service";
  return "";
}

}  // namespace

// IPV4 and IPV6 are for any packet, then the types with ports are left out to keep the ports out of the hash;
// where the NIC tells UDP apart from them it does not hash it unless asked.
ReceiveHash choose_hash(std::uint64_t offered) {
  constexpr std::uint64_t kAny = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;
  const bool any = (offered & kAny) == kAny;
  const std::uint64_t types = offered & (any ? RTE_ETH_RSS_IP : RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
  if (types == 0) return {};
  if ((offered & RTE_ETH_RSS_L3_SRC_ONLY) != 0)
    return {types | RTE_ETH_RSS_L3_SRC_ONLY, Spread::source_address};
  return {types, any ? Spread::addresses : Spread::addresses_and_ports};
}

tl::unexpected<Error> Port::failure(std::string what, int code) const {
  std::string why = log_.first_error();
  if (why.empty()) why = rte_strerror(code < 0 ? -code : code);
  return fail(fmt::format("{}: {}: {}{}", describe(config_), what, why, advice(config_)));
}

Result<std::unique_ptr<Port>> Port::open(const server::DataplaneConfig& config, const PortOptions& options,
                                         DriverLog& log) {
  if (config.kernel_owns_port()) {
    if (auto usable = check_interface(config); !usable) return tl::make_unexpected(usable.error());
  }
  if (config.kind == Kind::memif && config.memif_role == server::DataplaneConfig::MemifRole::server) {
    if (auto ready = prepare_memif_server_socket(config.device); !ready)
      return tl::make_unexpected(ready.error());
  }
  std::unique_ptr<Port> port{new Port{config, options, log}};
  if (config.kind != Kind::pci) log.forget_errors();
  const CapturedStandardError captured{log};
  for (unsigned index = 0; index < device_count(config); ++index) {
    if (auto done = port->probe(index); !done) return tl::make_unexpected(done.error());
    if (auto done = port->configure(port->devices_.back()); !done) return tl::make_unexpected(done.error());
  }
  if (config.kind == Kind::af_xdp && config.queues > 1) port->spread_ = interface_spread(config.device);
  return port;
}

Port::~Port() {
  if (devices_.empty()) return;
  // net_memif frees what a message of the peer, on the interrupt thread, may just be using.
  InterruptGate gate;
  if (config_.kind == Kind::memif) (void)gate.close();
  stop();
  const CapturedStandardError captured{log_};
  for (const Device& d : devices_) {
    rte_eth_dev_close(d.id);
    // The pools go last: closing frees what the queues hold.
    if (d.device != nullptr) rte_dev_remove(d.device);
  }
}

Result<void> Port::probe(unsigned index) {
  if (config_.kind != Kind::pci) {
    const std::string arguments = device_arguments(config_, options_.number, index, options_.copy_mode);
    const int code = rte_dev_probe(arguments.c_str());
    if (code != 0) return failure("the device cannot be opened", code);
  }
  const std::string name = device_name(config_, options_.number, index);
  std::uint16_t id = RTE_MAX_ETHPORTS;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) != 0) {
    if (config_.kind == Kind::pci) return no_pci_port();
    return fail(fmt::format("{}: the device has no ethernet port", describe(config_)));
  }
  devices_.push_back({id});
  log_.forget_errors();
  return {};
}

// DPDK looked at the PCI devices when it started, and passed over what it could not have.
tl::unexpected<Error> Port::no_pci_port() const {
  const PciDevice device = read_pci_device(config_.device);
  auto why = pci_obstacle(device, config_.device, rte_eal_has_hugepages() != 0, memory_needed({config_}));
  if (!why) why = log_.first_error(config_.device);
  // Of VFIO as a whole DPDK complains before it comes to the device, of which it then says only this.
  if (why->find("cannot be used") != std::string::npos) why = log_.first_error();
  if (why->empty())
    why = fmt::format("DPDK has no driver for this card ({}, kernel driver {})", device.id, device.driver);
  return fail(fmt::format("{}: {}", describe(config_), *why));
}

Result<void> Port::configure(Device& device) {
  rte_eth_dev_info info{};
  if (const int code = rte_eth_dev_info_get(device.id, &info); code != 0)
    return failure("no information", code);
  driver_ = info.driver_name;
  device.device = info.device;
  const auto queues = static_cast<std::uint16_t>(config_.queues / device_count(config_));
  if (const unsigned limit = std::min(info.max_rx_queues, info.max_tx_queues); queues > limit)
    return fail(fmt::format("{}: {} queues asked for, the device has {}", describe(config_), queues, limit));

  rte_eth_conf conf{};
  if (queues > 1) {
    const ReceiveHash hash = choose_hash(info.flow_type_rss_offloads);
    if (hash.fields != 0) {
      conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
      conf.rx_adv_conf.rss_conf.rss_hf = hash.fields;
    }
    if (hash.fields != 0 || config_.kind == Kind::pci) spread_ = hash.spread;
  }
  // Of a NIC that is all ours; without the field in mbufs the driver has nowhere to put its stamps.
  if (config_.kind == Kind::pci && (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TIMESTAMP) != 0 &&
      rte_mbuf_dyn_rx_timestamp_register(&nic_stamps_.field, &nic_stamps_.flag) == 0)
    conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TIMESTAMP;
  if (config_.kind == Kind::pci && (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP) != 0 &&
      rte_mbuf_dyn_tx_timestamp_register(&launch_field_.field, &launch_field_.flag) == 0)
    conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP;
  if (const int code = rte_eth_dev_configure(device.id, queues, queues, &conf); code != 0)
    return failure(fmt::format("cannot be set up with {} queues", queues), code);
  for (std::uint16_t q = 0; q < queues; ++q)
    if (auto done = set_up_queue(device.id, q, info); !done) return done;
  return {};
}

// On the node asked for, or else anywhere: slow is better than none.
Result<PacketPool> Port::make_pool(unsigned queue) {
  const std::string name = fmt::format("port{}queue{}", options_.number, queue);
  const unsigned buffers = queue_size(config_).buffers;
  const int node = queue < options_.nodes.size() ? options_.nodes[queue] : SOCKET_ID_ANY;
  const PoolLayout layout = config_.kind == Kind::af_xdp ? PoolLayout::umem : PoolLayout::device;
  auto pool = make_packet_pool(name, buffers, node, layout);
  if (pool || node == SOCKET_ID_ANY) return pool;
  return make_packet_pool(name, buffers, SOCKET_ID_ANY, layout);
}

Result<void> Port::set_up_queue(std::uint16_t device, std::uint16_t queue, const rte_eth_dev_info& info) {
  auto receive = static_cast<std::uint16_t>(queue_size(config_).descriptors);
  auto transmit = receive;
  rte_eth_dev_adjust_nb_rx_tx_desc(device, &receive, &transmit);
  auto pool = make_pool(static_cast<unsigned>(pools_.size()));
  if (!pool) return fail(fmt::format("{}: {}", describe(config_), pool.error().message));
  pools_.push_back(std::move(*pool));

  const auto node = static_cast<unsigned>(rte_eth_dev_socket_id(device));
  rte_eth_rxconf rx = info.default_rxconf;
  rx.rx_drop_en = 1;  // a full queue must not stall its neighbours
  if (nic_stamps_.flag != 0) rx.offloads |= RTE_ETH_RX_OFFLOAD_TIMESTAMP;
  rte_eth_txconf tx = info.default_txconf;
  if (launch_field_.flag != 0) tx.offloads |= RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP;
  int code = rte_eth_rx_queue_setup(device, queue, receive, node, &rx, pools_.back().get());
  if (code == 0) code = rte_eth_tx_queue_setup(device, queue, transmit, node, &tx);
  if (code != 0) return failure(fmt::format("queue {} cannot be set up", pools_.size() - 1), code);
  return {};
}

// Neighbour solicitations come to multicast addresses.
void Port::receive_multicast(std::uint16_t device) {
  if (config_.kernel_owns_port()) return;
  if (rte_eth_allmulticast_enable(device) != 0) (void)rte_eth_promiscuous_enable(device);
}

Result<void> Port::start() {
  log_.forget_errors();
  const CapturedStandardError captured{log_};
  for (Device& d : devices_) {
    if (const int code = rte_eth_dev_start(d.id); code != 0) return failure("does not start", code);
    d.started = true;
    receive_multicast(d.id);
  }
  return {};
}

void Port::stop() {
  for (Device& d : devices_)
    if (std::exchange(d.started, false)) (void)rte_eth_dev_stop(d.id);
}

Port::DeviceQueue Port::queue(unsigned number) const {
  const auto q = static_cast<std::uint16_t>(number);
  return devices_.size() > 1 ? DeviceQueue{devices_[q].id, 0} : DeviceQueue{devices_.front().id, q};
}

net::MacAddress Port::mac() const {
  rte_ether_addr address{};
  (void)rte_eth_macaddr_get(devices_.front().id, &address);
  net::MacAddress mac;
  std::memcpy(mac.data(), address.addr_bytes, mac.size());
  return mac;
}

bool Port::link_up() const {
  // The kernel-backed drivers only know that they were started.
  if (config_.kernel_owns_port()) return interface_running(config_.device);
  rte_eth_link link{};
  return rte_eth_link_get_nowait(devices_.front().id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

std::uint32_t Port::link_speed() const {
  // The kernel-backed drivers do not ask.
  if (config_.kernel_owns_port()) return os::link_speed(config_.device).value_or(0);
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(devices_.front().id, &link) != 0) return 0;
  return link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
}

PortStatistics Port::statistics() {
  PortStatistics now;
  for (const Device& d : devices_) {
    rte_eth_stats s{};
    if (rte_eth_stats_get(d.id, &s) != 0) return statistics_;
    now.received += s.ipackets;
    now.sent += s.opackets;
    now.missed += s.imissed;
    now.no_buffer += s.rx_nombuf;
    now.receive_errors += s.ierrors;
    now.transmit_errors += s.oerrors;
  }
  for (const auto field :
       {&PortStatistics::received, &PortStatistics::sent, &PortStatistics::missed, &PortStatistics::no_buffer,
        &PortStatistics::receive_errors, &PortStatistics::transmit_errors})
    statistics_.*field = std::max(statistics_.*field, now.*field);
  return statistics_;
}

}  // namespace wiretime::dpdk
