// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/port.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "dpdk/devargs.hpp"
#include "dpdk/host.hpp"
#include "dpdk/interrupt_gate.hpp"
#include "dpdk/memif_socket.hpp"
#include "os/file_descriptor.hpp"

namespace wiretime::dpdk {

namespace {

using Kind = server::DataplaneConfig::Kind;

// IFF_UP, IFF_RUNNING, ...; 0 when there is no such interface.
unsigned interface_flags(const std::string& name) {
  const os::FileDescriptor socket_fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  if (ioctl(socket_fd.get(), SIOCGIFFLAGS, &request) != 0) return 0;
  return static_cast<std::uint16_t>(request.ifr_flags);
}

Result<void> check_interface(const server::DataplaneConfig& config) {
  if (if_nametoindex(config.device.c_str()) == 0)
    return fail(
        fmt::format("{}: there is no such interface (there are: {})", describe(config), interface_names()));
  if ((interface_flags(config.device) & IFF_UP) == 0)
    return fail(
        fmt::format("{}: the interface is down; `ip link set {} up` first", describe(config), config.device));
  return {};
}

// Why DPDK may not have found a PCI device: the usual one is that the kernel still has it.
std::string pci_hint(const std::string& address) {
  std::error_code error;
  const std::filesystem::path device = "/sys/bus/pci/devices/" + address;
  if (!std::filesystem::exists(device, error)) return "there is no such PCI device; write it as 0000:3b:00.0";
  const auto driver = std::filesystem::read_symlink(device / "driver", error).filename().string();
  return fmt::format(
      "no DPDK driver took it (kernel driver: {}); bind it with `dpdk-devbind.py -b vfio-pci {}`",
      driver.empty() ? "none" : driver, address);
}

rte_eth_conf port_configuration(const rte_eth_dev_info& info, unsigned queues) {
  rte_eth_conf conf{};
  if (queues < 2) return conf;
  // By source address only where the NIC can: then one client always meets the same worker.
  const std::uint64_t rss =
      info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_L3_SRC_ONLY);
  if ((rss & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP)) == 0) return conf;
  conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  conf.rx_adv_conf.rss_conf.rss_hf = rss;
  return conf;
}

// What to do about a driver's complaint, where we know.
std::string advice(const server::DataplaneConfig& config, const std::string& complaint) {
  if (complaint.find("combined queue count") != std::string::npos)
    return fmt::format("; give it more with `ethtool -L {} combined {}` or ask for fewer", config.device,
                       config.queues);
  if (config.kernel_owns_port() && geteuid() != 0)
    return "; run as root or with the capabilities of wiretimed.service";
  return "";
}

}  // namespace

tl::unexpected<Error> Port::failure(std::string what, int code) const {
  std::string why = log_.first_error();
  if (why.empty()) why = rte_strerror(code < 0 ? -code : code);
  return fail(fmt::format("{}: {}: {}{}", describe(config_), what, why, advice(config_, why)));
}

Result<std::unique_ptr<Port>> Port::open(const server::DataplaneConfig& config, unsigned number,
                                         bool copy_mode, DriverLog& log) {
  std::unique_ptr<Port> port{new Port{config, log}};
  log.forget_errors();
  const CapturedStandardError captured{log};
  if (auto done = port->probe(number, copy_mode); !done) return tl::make_unexpected(done.error());
  if (auto done = port->configure(number); !done) return tl::make_unexpected(done.error());
  return port;
}

Port::~Port() {
  if (id_ == RTE_MAX_ETHPORTS) return;
  // net_memif frees what a message of the peer, on the interrupt thread, may just be using.
  InterruptGate gate;
  if (config_.kind == Kind::memif) (void)gate.close();
  stop();
  const CapturedStandardError captured{log_};
  rte_eth_dev_close(id_);
  // The pools go last: closing frees what the queues hold.
  if (device_ != nullptr) rte_dev_remove(device_);
}

Result<void> Port::probe(unsigned number, bool copy_mode) {
  if (config_.kernel_owns_port()) {
    if (auto usable = check_interface(config_); !usable) return usable;
  }
  if (config_.kind == Kind::memif && config_.memif_role == server::DataplaneConfig::MemifRole::server) {
    if (auto ready = prepare_memif_server_socket(config_.device); !ready) return ready;
  }
  if (config_.kind != Kind::pci) {
    const int code = rte_dev_probe(device_arguments(config_, number, copy_mode).c_str());
    if (code != 0) return failure("the device cannot be opened", code);
  }
  const std::string device = device_name(config_, number);
  std::uint16_t id = RTE_MAX_ETHPORTS;
  if (rte_eth_dev_get_port_by_name(device.c_str(), &id) != 0) {
    if (config_.kind == Kind::pci) return fail(fmt::format("{}: {}", describe(config_), pci_hint(device)));
    return fail(fmt::format("{}: the device has no ethernet port", describe(config_)));
  }
  id_ = id;
  return {};
}

Result<void> Port::configure(unsigned number) {
  rte_eth_dev_info info{};
  if (const int code = rte_eth_dev_info_get(id_, &info); code != 0) return failure("no information", code);
  driver_ = info.driver_name;
  device_ = info.device;
  if (const unsigned limit = std::min(info.max_rx_queues, info.max_tx_queues); config_.queues > limit)
    return fail(
        fmt::format("{}: {} queues asked for, the device has {}", describe(config_), config_.queues, limit));

  const auto queues = static_cast<std::uint16_t>(config_.queues);
  const rte_eth_conf conf = port_configuration(info, queues);
  if (const int code = rte_eth_dev_configure(id_, queues, queues, &conf); code != 0)
    return failure(fmt::format("cannot be set up with {} queues", queues), code);
  for (std::uint16_t q = 0; q < queues; ++q)
    if (auto done = set_up_queue(q, number, info); !done) return done;
  return {};
}

Result<void> Port::set_up_queue(std::uint16_t queue, unsigned number, const rte_eth_dev_info& info) {
  const QueueSize size = queue_size(config_);
  auto receive = static_cast<std::uint16_t>(size.descriptors);
  auto transmit = receive;
  rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive, &transmit);
  const int socket = rte_eth_dev_socket_id(id_);
  auto pool = make_packet_pool(fmt::format("port{}queue{}", number, queue), size.buffers, socket);
  if (!pool) return fail(fmt::format("{}: {}", describe(config_), pool.error().message));
  pools_.push_back(std::move(*pool));

  const auto node = static_cast<unsigned>(socket);
  rte_eth_rxconf rx = info.default_rxconf;
  rx.rx_drop_en = 1;  // a full queue must not stall its neighbours
  int code = rte_eth_rx_queue_setup(id_, queue, receive, node, &rx, pools_.back().get());
  if (code == 0) code = rte_eth_tx_queue_setup(id_, queue, transmit, node, &info.default_txconf);
  if (code != 0) return failure(fmt::format("queue {} cannot be set up", queue), code);
  return {};
}

// Neighbour solicitations come to multicast addresses.
void Port::receive_multicast() {
  if (config_.kernel_owns_port()) return;
  if (rte_eth_allmulticast_enable(id_) != 0) (void)rte_eth_promiscuous_enable(id_);
}

Result<void> Port::start() {
  log_.forget_errors();
  const CapturedStandardError captured{log_};
  if (const int code = rte_eth_dev_start(id_); code != 0) return failure("does not start", code);
  started_ = true;
  receive_multicast();
  return {};
}

void Port::stop() {
  if (!started_) return;
  started_ = false;
  (void)rte_eth_dev_stop(id_);
}

net::MacAddress Port::mac() const {
  rte_ether_addr address{};
  (void)rte_eth_macaddr_get(id_, &address);
  net::MacAddress mac;
  std::memcpy(mac.data(), address.addr_bytes, mac.size());
  return mac;
}

bool Port::link_up() const {
  // The kernel-backed drivers only know that they were started.
  if (config_.kernel_owns_port()) return (interface_flags(config_.device) & IFF_RUNNING) != 0;
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

std::uint32_t Port::link_speed() const {
  rte_eth_link link{};
  if (config_.kernel_owns_port() || rte_eth_link_get_nowait(id_, &link) != 0) return 0;
  return link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
}

PortStatistics Port::statistics() {
  rte_eth_stats s{};
  if (rte_eth_stats_get(id_, &s) != 0) return statistics_;
  const PortStatistics now{s.ipackets, s.opackets, s.imissed, s.rx_nombuf, s.ierrors, s.oerrors};
  for (const auto field :
       {&PortStatistics::received, &PortStatistics::sent, &PortStatistics::missed, &PortStatistics::no_buffer,
        &PortStatistics::receive_errors, &PortStatistics::transmit_errors})
    statistics_.*field = std::max(statistics_.*field, now.*field);
  return statistics_;
}

}  // namespace wiretime::dpdk
