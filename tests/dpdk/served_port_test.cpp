// SPDX-License-Identifier: BSD-3-Clause
// What workers are given of a port. In a NIC's place stands net_failsafe waiting for a device that never
// comes: until then it offers what any NIC may, receive stamps too. rte_eth_dev_conf_get is experimental.
#define ALLOW_EXPERIMENTAL_API
#include "dpdk/served_port.hpp"

#include <rte_dev.h>

#include "os/temporary_directory.hpp"
#include "ring_port.hpp"

using namespace wiretime;
using dpdk::PortQueue;
using dpdk::ServedPort;
using net::test::ip;
using Kind = server::DataplaneConfig::Kind;

namespace {

struct Served {
  explicit Served(Kind kind, const std::string& device) {
    (void)dpdk::test::eal();
    config.kind = kind;
    config.device = device;
    config.addresses = {{ip("192.0.2.1"), 24}};
    config.queues = 2;
    // What DPDK has done for a card by then.
    if (kind == Kind::pci)
      REQUIRE(rte_dev_probe((device + ",exec(/bin/true),hotplug_poll=3600000").c_str()) == 0);
  }
  // Over net_ring it is one that stamps nothing.
  static Served nic() { return Served{Kind::pci, "net_failsafe0"}; }
  static Served virtual_device() { return Served{Kind::vdev, "net_ring0"}; }

  std::unique_ptr<ServedPort> open(bool xdp_stamps = false) {
    auto port = dpdk::Port::open(config, {}, log);
    INFO((port ? std::string{} : port.error().message));
    REQUIRE(port);
    return std::make_unique<ServedPort>(std::move(*port), nic_options, xdp_stamps);
  }

  dpdk::DriverLog log;
  server::DataplaneConfig config;
  clock::NicOptions nic_options;
  wiretime::test::Fixture fixture;
};

}  // namespace

TEST_CASE("workers are given the clock that a NIC's receive stamps are of") {
  auto s = Served::nic();
  const auto served = s.open();
  for (const unsigned number : {0U, 1U}) {
    const PortQueue q = served->queue(number, s.fixture.state);
    CHECK(q.nic_stamps.clock == &served->clock().snapshot());
    CHECK(q.nic_stamps.flag != 0);
    CHECK(q.nic_stamps.field >= 0);
    CHECK_FALSE(q.xdp_metadata);
  }
  rte_eth_conf asked{};
  REQUIRE(rte_eth_dev_conf_get(served->port().queue(0).device, &asked) == 0);
  CHECK((asked.rxmode.offloads & RTE_ETH_RX_OFFLOAD_TIMESTAMP) != 0);
}

TEST_CASE("workers are given no clock where the NIC's receive stamps are not wanted, or there are none") {
  {
    auto s = Served::nic();
    s.nic_options.no_receive_stamps = true;
    CHECK(s.open()->queue(0, s.fixture.state).nic_stamps.clock == nullptr);
  }
  auto s = Served::virtual_device();
  CHECK(s.open()->queue(0, s.fixture.state).nic_stamps.clock == nullptr);
}

TEST_CASE("workers are given the clock of stamps that the XDP program hands on") {
  auto s = Served::virtual_device();
  const auto served = s.open(true);
  const PortQueue q = served->queue(1, s.fixture.state);
  CHECK(q.nic_stamps.clock == &served->clock().snapshot());
  CHECK(q.nic_stamps.flag == 0);
}

TEST_CASE("workers are given a NIC's transmit plan and sample slot, and each queue's own counts") {
  auto s = Served::nic();
  const auto served = s.open();
  const auto first = served->queue(0, s.fixture.state).transmit;
  const auto second = served->queue(1, s.fixture.state).transmit;
  REQUIRE(first.plan != nullptr);
  CHECK(first.slot != nullptr);
  CHECK(second.plan == first.plan);
  CHECK(second.slot == first.slot);
  CHECK(second.events != first.events);
  CHECK(second.number != first.number);
}

TEST_CASE("workers are given no transmit plan where nothing but the plain rung can be") {
  auto s = Served::virtual_device();
  CHECK(s.open()->queue(0, s.fixture.state).transmit.plan == nullptr);
}

TEST_CASE("a worker is given its queue of the port and who we are there; one of them announces it") {
  auto s = Served::virtual_device();
  const auto served = s.open();
  wiretime::test::Fixture other;
  const PortQueue first = served->queue(0, s.fixture.state);
  const PortQueue second = served->queue(1, other.state);
  CHECK(first.state == &s.fixture.state);
  CHECK(second.state == &other.state);
  CHECK(first.queue == 0);
  CHECK(second.queue == 1);
  CHECK(first.pool == served->port().pool(0));
  CHECK(second.pool == served->port().pool(1));
  REQUIRE(first.owned != nullptr);
  CHECK(first.owned->neighbor.addresses == std::vector<IpAddress>{ip("192.0.2.1")});
  CHECK(second.owned == first.owned);
  CHECK(first.announce != nullptr);
  CHECK(second.announce == nullptr);
  CHECK(first.kernel == nullptr);
  CHECK_FALSE(first.awaits_peer);
  CHECK(first.serve == nullptr);
  CHECK_FALSE(s.fixture.state.hands_over_peers);
}

TEST_CASE("a worker waits for a memif's peer, and serves it only when told to") {
  const TemporaryDirectory directory;
  auto s = Served{Kind::memif, directory / "m.sock"};
  const auto served = s.open();
  const PortQueue q = served->queue(1, s.fixture.state);
  CHECK(q.awaits_peer);
  REQUIRE(q.serve == &served->serve());
  CHECK_FALSE(q.serve->load());
}
