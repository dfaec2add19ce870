// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/interface.hpp"

#include <fmt/format.h>
#include <linux/ethtool.h>
#include <net/if.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "dpdk/devargs.hpp"
#include "dpdk/host.hpp"
#include "dpdk/placement.hpp"
#include "os/interfaces.hpp"

namespace wiretime::dpdk {

namespace {

using Kind = server::DataplaneConfig::Kind;

int read_node(const std::filesystem::path& path) {
  std::ifstream file{path};
  int node = kUnknownNode;
  return file >> node && node >= 0 ? node : kUnknownNode;
}

}  // namespace

std::string_view name(Spread spread) {
  switch (spread) {
    case Spread::source_address:
      return "source-address";
    case Spread::addresses:
      return "addresses";
    case Spread::addresses_and_ports:
      return "addresses-and-ports";
    case Spread::sender:
      return "sender";
    case Spread::unknown:
      break;
  }
  return "unknown";
}

Spread spread_of_ethtool(std::uint64_t bits) {
  if ((bits & (RXH_L4_B_0_1 | RXH_L4_B_2_3)) != 0) return Spread::addresses_and_ports;
  if ((bits & RXH_IP_SRC) == 0) return Spread::unknown;
  return (bits & RXH_IP_DST) != 0 ? Spread::addresses : Spread::source_address;
}

Spread interface_spread(const std::string& interface) {
  Spread worst = Spread::source_address;
  for (const std::uint32_t flow : {std::uint32_t{UDP_V4_FLOW}, std::uint32_t{UDP_V6_FLOW}}) {
    const auto hash = os::receive_hash(interface, flow);
    if (!hash) return Spread::unknown;
    worst = std::max(worst, spread_of_ethtool(*hash));
  }
  return worst;
}

bool interface_running(const std::string& interface) {
  return (os::link_flags(interface).value_or(0) & IFF_RUNNING) != 0;
}

Result<void> check_interface(const server::DataplaneConfig& config) {
  const auto flags = os::link_flags(config.device);
  if (!flags)
    return fail(
        fmt::format("{}: there is no such interface (there are: {})", describe(config), interface_names()));
  if ((*flags & IFF_UP) == 0)
    return fail(
        fmt::format("{}: the interface is down; `ip link set {} up` first", describe(config), config.device));
  const unsigned queues = receive_queues(config.device);
  if (config.kind == Kind::af_xdp && queues != 0 && config.queues > queues)
    return fail(fmt::format(
        "{}: queues {} asked for, the interface has {}; give it more with `ethtool -L {} combined "
        "{}` or ask for fewer",
        describe(config), config.queues, queues, config.device, config.queues));
  return {};
}

unsigned receive_queues(const std::string& interface, const std::string& sys) {
  std::error_code ignored;
  unsigned queues = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator{sys + "/class/net/" + interface + "/queues", ignored})
    if (entry.path().filename().string().compare(0, 3, "rx-") == 0) ++queues;
  return queues;
}

std::vector<std::string> spread_warnings(const server::DataplaneConfig& config, Spread spread,
                                         unsigned receive_queues) {
  std::vector<std::string> warnings;
  const std::string& device = config.device;
  if (config.kind == Kind::af_xdp && receive_queues > config.queues)
    warnings.push_back(fmt::format(
        "{}: the interface has {} receive queues and workers serve {}: requests on the others go the "
        "slow way through the kernel; `ethtool -L {} combined {}`, or queues {}",
        describe(config), receive_queues, config.queues, device, config.queues, receive_queues));
  if (config.queues > 1 && spread == Spread::addresses_and_ports) {
    std::string remedy;
    if (config.kind == Kind::af_xdp)
      remedy = fmt::format(
          "; `ethtool -N {0} rx-flow-hash udp4 sd` and `ethtool -N {0} rx-flow-hash udp6 sd` keep "
          "it with one",
          device);
    warnings.push_back(
        fmt::format("{}: the NIC spreads requests by address and port, so a client may meet several "
                    "workers, each with rate limit and interleaved mode of its own{}",
                    describe(config), remedy));
  }
  return warnings;
}

int numa_node(const server::DataplaneConfig& port, const std::string& sys) {
  if (port.kernel_owns_port()) return read_node(sys + "/class/net/" + port.device + "/device/numa_node");
  if (port.kind == Kind::pci) return read_node(sys + "/bus/pci/devices/" + port.device + "/numa_node");
  return kUnknownNode;
}

int numa_node_of_cpu(unsigned cpu, const std::string& sys) {
  constexpr std::string_view kPrefix = "node";
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator{fmt::format("{}/devices/system/cpu/cpu{}", sys, cpu), ignored}) {
    const std::string file = entry.path().filename().string();
    int node = 0;
    if (file.compare(0, kPrefix.size(), kPrefix) == 0 &&
        std::from_chars(file.data() + kPrefix.size(), file.data() + file.size(), node).ec == std::errc{})
      return node;
  }
  return kUnknownNode;
}

}  // namespace wiretime::dpdk
