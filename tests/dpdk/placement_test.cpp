// SPDX-License-Identifier: BSD-3-Clause
// Queues on workers, NUMA nodes, receive hashes: what start-up decides and says, on machines we do not have.
#include "dpdk/placement.hpp"

#include <linux/ethtool.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "catch.hpp"
#include "dpdk/interface.hpp"
#include "dpdk/port.hpp"
#include "os/temporary_directory.hpp"

using namespace wiretime;
using namespace wiretime::dpdk;
using Config = server::DataplaneConfig;
using Kind = Config::Kind;
using Homes = std::vector<unsigned>;
using Nodes = std::vector<int>;

namespace {

Config port(Kind kind, const std::string& device, unsigned queues) {
  Config c;
  c.kind = kind;
  c.device = device;
  c.queues = queues;
  return c;
}

Homes place(const Nodes& queues, const Nodes& workers) {
  return place_queues(queues, workers);
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path} << text;
}

}  // namespace

TEST_CASE("without NUMA nodes queues go round over the workers") {
  CHECK(place(Nodes(4, -1), {0, 0, 0, 0}) == Homes{0, 1, 2, 3});
  CHECK(place(Nodes(5, -1), {-1, -1}) == Homes{0, 1, 0, 1, 0});
  CHECK(place(Nodes(3, 0), {0}) == Homes{0, 0, 0});
  CHECK(place(Nodes(4, -1), {0, 0}) == Homes{0, 1, 0, 1});  // two ports of two queues
}

TEST_CASE("a queue goes to a worker on its NIC's node, as long as none idles and none is overloaded") {
  CHECK(place({0, 0, 1, 1}, {1, 1, 0, 0}) == Homes{2, 3, 0, 1});
  CHECK(place({0, 0, 0, 0, 1, 1, 1, 1}, {0, 0, 1, 1}) == Homes{0, 1, 0, 1, 2, 3, 2, 3});
  CHECK(place({0, 0}, {1, 0}) == Homes{1, 0});
  CHECK(place({0, 0, 0, 0}, {0, 0, 1}) == Homes{0, 1, 0, 2});
}

TEST_CASE("every worker gets a queue and none more than its share, whatever the machine") {
  std::mt19937 random{20261123};
  for (int round = 0; round < 2000; ++round) {
    const std::size_t workers = 1 + random() % 9;
    const std::size_t queues = workers + random() % 20;
    Nodes queue_nodes, worker_nodes;
    for (std::size_t i = 0; i < queues; ++i) queue_nodes.push_back(static_cast<int>(random() % 4) - 1);
    for (std::size_t i = 0; i < workers; ++i) worker_nodes.push_back(static_cast<int>(random() % 4) - 1);
    const Homes homes = place(queue_nodes, worker_nodes);
    REQUIRE(homes.size() == queues);
    for (unsigned w = 0; w < workers; ++w) {
      const auto load = static_cast<std::size_t>(std::count(homes.begin(), homes.end(), w));
      CHECK(load >= 1);
      CHECK(load <= (queues + workers - 1) / workers);
    }
  }
}

TEST_CASE("more workercpus than queues is refused with both ways out") {
  const std::vector<Config> one{port(Kind::af_xdp, "eth1", 1)};
  CHECK(check_queues(one, 0, 32));
  CHECK(check_queues(one, 1, 32));
  CHECK(
      check_queues(one, 4, 32).error().message ==
      "workercpus: 4 CPUs named for 1 queue in total, some would have nothing to do; name 1, or ask for more "
      "queues: `dataplane af_xdp eth1 ... queues 4`");
  const std::vector<Config> two{port(Kind::af_packet, "eth0", 1), port(Kind::memif, "/m", 2)};
  CHECK(check_queues(two, 3, 32));
  CHECK(check_queues(two, 4, 32).error().message ==
        "workercpus: 4 CPUs named for 3 queues in total, some would have nothing to do; name 3, or ask for "
        "more "
        "queues: `dataplane memif /m ... queues 3`");
  const std::vector<Config> slow{port(Kind::af_packet, "eth0", 1)};
  CHECK(check_queues(slow, 2, 32).error().message ==
        "workercpus: 2 CPUs named for 1 queue in total, some would have nothing to do; name 1");
}

TEST_CASE("af_xdp is a device for each queue, and there are only so many") {
  CHECK(check_queues(std::vector<Config>{port(Kind::af_xdp, "eth1", 32)}, 1, 32));
  CHECK(check_queues(std::vector<Config>{port(Kind::pci, "0000:3b:00.0", 128)}, 1, 32));
  CHECK(
      check_queues(std::vector<Config>{port(Kind::af_xdp, "eth1", 32), port(Kind::memif, "/m", 4)}, 1, 32)
          .error()
          .message ==
      "dataplane: 33 DPDK devices needed (one for each af_xdp queue and each other port), this build of DPDK "
      "has 32 at most; ask for fewer queues");
}

TEST_CASE("a worker far from its NIC is a warning for each port, with what to do") {
  CHECK(remote_warnings(std::vector<PlacedQueue>{{0, "eth1", 0, 0, 0, 2, 0}, {0, "eth1", 1, -1, 1, 9, 1}})
            .empty());
  const std::vector<PlacedQueue> placed{{0, "eth1", 0, 0, 0, 2, 0},
                                        {0, "eth1", 1, 0, 1, 8, 1},
                                        {0, "eth1", 2, 0, 2, 9, 1},
                                        {1, "eth2", 0, 1, 0, 2, 0}};
  CHECK(remote_warnings(placed) ==
        std::vector<std::string>{"eth1: the NIC is on NUMA node 0, but queues 1-2 are served by CPUs 8-9 on "
                                 "another node, which costs "
                                 "speed; name CPUs of node 0 in workercpus (`lscpu` shows them)",
                                 "eth2: the NIC is on NUMA node 1, but queue 0 is served by CPU 2 on another "
                                 "node, which costs speed; "
                                 "name CPUs of node 1 in workercpus (`lscpu` shows them)"});
}

TEST_CASE("nodes and queues are read from sysfs, and unknown where it is silent") {
  const TemporaryDirectory sys;
  const std::filesystem::path root = sys.path;
  write(root / "class/net/eth1/device/numa_node", "1\n");
  write(root / "class/net/eth2/device/numa_node", "-1\n");
  write(root / "bus/pci/devices/0000:3b:00.0/numa_node", "3\n");
  for (const char* queue : {"rx-0", "rx-1", "rx-2", "tx-0"})
    write(root / "class/net/eth1/queues" / queue / "x", "");
  std::filesystem::create_directories(root / "devices/system/cpu/cpu9/node2");
  CHECK(numa_node(port(Kind::af_xdp, "eth1", 1), sys.path) == 1);
  CHECK(numa_node(port(Kind::af_xdp, "eth2", 1), sys.path) == kUnknownNode);
  CHECK(numa_node(port(Kind::af_packet, "veth0", 1), sys.path) == kUnknownNode);
  CHECK(numa_node(port(Kind::pci, "0000:3b:00.0", 1), sys.path) == 3);
  CHECK(numa_node(port(Kind::memif, "/m", 1), sys.path) == kUnknownNode);
  CHECK(numa_node_of_cpu(9, sys.path) == 2);
  CHECK(numa_node_of_cpu(8, sys.path) == kUnknownNode);
  CHECK(receive_queues("eth1", sys.path) == 3);
  CHECK(receive_queues("eth2", sys.path) == 0);
}

TEST_CASE("a NIC that DPDK owns hashes the source address alone if it can, and ports only if it must") {
  constexpr std::uint64_t kAny = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6;
  constexpr std::uint64_t kUdp = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
  const auto chosen = [](std::uint64_t offered, std::uint64_t fields, Spread spread) {
    const ReceiveHash hash = choose_hash(offered);
    CHECK(hash.fields == fields);
    CHECK(hash.spread == spread);
  };
  chosen(kAny | kUdp | RTE_ETH_RSS_L3_SRC_ONLY | RTE_ETH_RSS_TCP, kAny | RTE_ETH_RSS_L3_SRC_ONLY,
         Spread::source_address);
  chosen(kAny | kUdp | RTE_ETH_RSS_TCP, kAny, Spread::addresses);
  chosen(kUdp | RTE_ETH_RSS_FRAG_IPV4, kUdp | RTE_ETH_RSS_FRAG_IPV4, Spread::addresses_and_ports);
  chosen(RTE_ETH_RSS_TCP, 0, Spread::unknown);
  chosen(0, 0, Spread::unknown);
}

TEST_CASE(
    "the kernel's hash of a NIC is understood, and a bad one a warning with the command that mends it") {
  CHECK(spread_of_ethtool(RXH_IP_SRC) == Spread::source_address);
  CHECK(spread_of_ethtool(RXH_IP_SRC | RXH_IP_DST) == Spread::addresses);
  CHECK(spread_of_ethtool(RXH_IP_SRC | RXH_IP_DST | RXH_L4_B_0_1 | RXH_L4_B_2_3) ==
        Spread::addresses_and_ports);
  CHECK(spread_of_ethtool(0) == Spread::unknown);
  CHECK(interface_spread("lo") == Spread::unknown);  // it has no such thing

  const Config two = port(Kind::af_xdp, "eth1", 2);
  CHECK(spread_warnings(two, Spread::addresses, 2).empty());
  CHECK(spread_warnings(two, Spread::unknown, 0).empty());
  CHECK(spread_warnings(port(Kind::af_xdp, "eth1", 1), Spread::addresses_and_ports, 1).empty());
  CHECK(spread_warnings(two, Spread::addresses_and_ports, 2) ==
        std::vector<std::string>{
            "dataplane af_xdp eth1: the NIC spreads requests by address and port, so a client "
            "may meet several workers, each with rate limit and interleaved mode of its own; "
            "`ethtool -N eth1 rx-flow-hash udp4 sd` and `ethtool -N eth1 rx-flow-hash udp6 sd` "
            "keep it with one"});
  CHECK(spread_warnings(two, Spread::addresses, 8) ==
        std::vector<std::string>{
            "dataplane af_xdp eth1: the interface has 8 receive queues and workers serve 2: "
            "requests on the others go the slow way through the kernel; `ethtool -L eth1 "
            "combined 2`, or queues 8"});
}
