// SPDX-License-Identifier: BSD-3-Clause
// What is said of cards made up for it.
#include "deploy/doctor/judge_nic.hpp"

#include "catch.hpp"
#include "findings.hpp"

using namespace wiretime;
using namespace wiretime::doctor;

namespace {

using Kind = server::DataplaneConfig::Kind;

struct World {
  NicFacts nic;
  HostFacts host;
  control::Settings settings;
  Build build{true, true, "22.11.11"};
  bool is_port = true;

  World() {
    host.kernel = "6.12.1";
    host.btf = true;
    host.cpus = {0, 1, 2, 3};
    nic.name = "eth1";
    nic.exists = nic.up = nic.running = true;
    nic.addresses = 2;
    nic.driver = nic.native_driver = "ice";
    nic.speed = 25'000;
    nic.mtu = 1500;
    nic.receive_queues = 4;
    nic.most_queues = 8;
    nic.node = 0;
    nic.spread = dpdk::Spread::source_address;
    nic.pci = "0000:3b:00.0";
    nic.xdp = XdpAbility{true, true, true, false, false};
    nic.stamps = os::StampAbility{true, true, false, true, true};
    nic.clock_device = "/dev/ptp0";
    nic.clock_method = "precise";
    nic.clock_adjustment = 1e-4;
    settings.dataplanes.emplace_back();
    port().device = "eth1";
    port().queues = 4;
  }
  server::DataplaneConfig& port() { return settings.dataplanes.front(); }
  [[nodiscard]] Findings judge() const {
    return judge_nic(nic, is_port ? &settings.dataplanes.front() : nullptr, host, {settings, true}, build);
  }
  [[nodiscard]] Finding on(std::string_view topic) const { return only(judge(), topic); }
};

}  // namespace

TEST_CASE("a card in order says what it is and on which rungs it will stand") {
  const World w;
  CHECK(w.on("card").what == "ice, 25 Gbit/s, MTU 1500, 4 queues, NUMA node 0, PCI 0000:3b:00.0");
  CHECK(w.on("receive").what.compare(0, 10, "hardware: ") == 0);
  CHECK(w.on("receive").level == Level::ok);
  CHECK(has(w.on("transmit").what, "plain, not launch or predicted: "));
  CHECK(w.on("transmit").level == Level::note);  // DPDK would do better with the card
  for (const Finding& f : w.judge()) CHECK(f.about == "eth1");
}

TEST_CASE("of an interface that is not there nothing more is said") {
  World w;
  w.nic = {};
  w.nic.name = "eth1";
  REQUIRE(w.judge().size() == 1);
  CHECK(w.judge()[0].level == Level::problem);
}

TEST_CASE("a port needs a link and an address") {
  World w;
  w.nic.running = false;
  CHECK(w.on("link").level == Level::warning);
  w.nic.up = false;
  CHECK(w.on("link").level == Level::problem);
  CHECK(w.on("link").next == "ip link set eth1 up");
  w.is_port = false;
  CHECK(w.on("link").level == Level::note);
  w = {};
  w.nic.addresses = 0;
  CHECK(has(w.on("link").what, "no address"));
}

TEST_CASE("queues that are too few or not served say how to change that") {
  World w;
  w.port().queues = 6;
  CHECK(w.on("queues").level == Level::problem);
  CHECK(w.on("queues").next == "ethtool -L eth1 combined 6");
  w.port().queues = 9;
  CHECK(w.on("queues").next == "ask for fewer");
  w.port().queues = 2;
  const Finding unserved = w.on("queues");
  CHECK(unserved.level == Level::warning);
  CHECK(has(unserved.what, "the interface has 4 receive queues and workers serve 2"));
  CHECK(has(unserved.next, "ethtool -L eth1 combined 2"));
}

TEST_CASE("XDP in the driver, or else") {
  World w;
  CHECK(w.on("xdp").level == Level::ok);
  w.nic.xdp->zero_copy = false;
  CHECK(w.on("xdp").level == Level::note);
  w.nic.xdp->native = false;
  CHECK(w.on("xdp").level == Level::warning);
  w.is_port = false;
  CHECK(w.on("xdp").level == Level::note);
  w.is_port = true;
  w.port().kind = Kind::af_packet;
  CHECK(about(w.judge(), "xdp").empty());
}

TEST_CASE("a large MTU and tags that the card takes off are told to ports that XDP serves") {
  World w;
  w.nic.mtu = 9000;
  w.nic.strips_vlan_tags = true;
  CHECK(has(w.on("mtu").next, "mtu 1500"));
  CHECK(has(w.on("vlan").next, "ethtool -K eth1 rxvlan off"));
  w.is_port = false;
  CHECK(about(w.judge(), "mtu").empty());
  CHECK(about(w.judge(), "vlan").empty());
}

TEST_CASE("somebody else's XDP program is in our way, our own is not") {
  World w;
  CHECK(about(w.judge(), "xdp program").empty());
  w.nic.program = XdpInUse{7, "xdp_lb", false, false};
  CHECK(w.on("xdp program").level == Level::problem);
  CHECK(has(w.on("xdp program").what, "'xdp_lb' (id 7)"));
  w.is_port = false;
  CHECK(w.on("xdp program").level == Level::note);
  w.nic.program->ours = true;
  CHECK(has(w.on("xdp program").what, "left behind"));
  w.nic.program->alive = true;
  CHECK(w.on("xdp program").level == Level::ok);
}

TEST_CASE("a clock that is to be kept on our time must be there, readable and steerable") {
  World w;
  CHECK(w.on("clock").level == Level::ok);
  for (const bool ours : {false, true}) {
    World v;
    if (ours) v.port().phc = clock::NicRole::utc;
    v.nic.clock_adjustment = 0;
    CHECK(v.on("clock").level == (ours ? Level::problem : Level::ok));
    v.nic.clock_error = "no";
    CHECK(v.on("clock").level == (ours ? Level::problem : Level::warning));
    v.nic.clock_device.clear();
    CHECK(v.on("clock").level == (ours ? Level::problem : Level::note));
  }
}

TEST_CASE("stamps are told as the driver tells them, and how the kernel's sockets come to use them") {
  World w;
  w.nic.stamps_now = os::StampsNow{true, os::StampFilter::ptp};
  CHECK(w.on("stamps").what ==
        "the hardware can stamp everything received, what is sent; now received PTP, what is sent and asks");
  CHECK(w.on("stamps").next.empty());
  w.settings.dataplanes.clear();
  w.is_port = false;
  CHECK(has(w.on("stamps").next, "hwtimestamp eth1"));
  w.nic.stamps = os::StampAbility{};
  CHECK(w.on("stamps").level == Level::note);
}

TEST_CASE("what a hwtimestamp line cannot have on a port is told as the daemon tells it") {
  World w;
  control::HwTimestamp line;
  line.interface = "eth1";
  line.rx_filter = control::HwTimestamp::RxFilter::ptp;
  w.settings.hw_timestamps = {line};
  CHECK(has(w.on("hwtimestamp").what, "rxfilter ptp"));
  CHECK(has(w.on("receive").what, "xdp, not hardware: a hwtimestamp line says so"));
}

TEST_CASE("a card that is no port is told as both kinds it could be") {
  World w;
  w.is_port = false;
  CHECK(w.on("af_xdp receive").what.compare(0, 9, "hardware:") == 0);
  CHECK(w.on("pci transmit").what.compare(0, 10, "predicted:") == 0);
  w.build.xdp = false;
  CHECK(has(w.on("af_packet receive").what, "tsc, not hardware: "));
  w.build.dpdk = false;
  CHECK(about(w.judge(), "pci transmit").empty());
}

TEST_CASE("of shared memory nothing is said but its rungs") {
  World w;
  w.port().kind = Kind::memif;
  w.nic = {};
  w.nic.name = w.port().device = "/run/x.sock";
  REQUIRE(w.judge().size() == 2);
  CHECK(has(w.on("receive").what, "tsc, not hardware: a virtual device"));
}

TEST_CASE("a PCI port says what keeps DPDK from the card") {
  World w;
  w.port().kind = Kind::pci;
  w.port().device = w.nic.name = w.nic.pci;
  w.nic.card.exists = true;
  w.nic.card.class_code = 0x020000;
  w.nic.card.id = "8086:1592";
  w.nic.card.driver = "ice";
  w.nic.card.iommu = true;
  CHECK(w.on("pci").level == Level::problem);
  CHECK(has(w.on("pci").what, "the kernel's driver ice still has the card"));
  CHECK(has(w.on("pci").next, "dpdk-devbind.py -b vfio-pci 0000:3b:00.0"));
  w.nic.card.driver = "vfio-pci";
  CHECK(w.on("pci").level == Level::ok);
  w.nic.card.driver = "uio_pci_generic";
  CHECK(has(w.on("pci").what, "needs hugepages"));
  w.host.hugepages = {{std::size_t{2} << 20, 512, 500}};
  CHECK(w.on("pci").level == Level::ok);
  CHECK(w.on("receive").what.compare(0, 9, "hardware:") == 0);
  w.nic.native_driver = "unheard_of";
  CHECK(has(w.on("receive").what, "tsc or better: "));
  CHECK(has(w.on("transmit").what, "plain or better: "));
}

TEST_CASE("workers without queues and workers far from their card are told of all ports together") {
  World w;
  const auto judge = [&] { return judge_ports({w.nic}, w.host, {w.settings, true}); };
  CHECK(judge().empty());
  w.settings.worker_cpus = {0, 1, 2, 3};
  w.host.nodes = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
  CHECK(judge().empty());
  w.host.nodes = {{0, 1}, {1, 1}, {2, 1}, {3, 1}};
  const Finding distant = only(judge(), "numa");
  CHECK(distant.level == Level::warning);
  CHECK(has(distant.what, "the NIC is on NUMA node 0"));
  CHECK(has(distant.next, "name CPUs of node 0"));
  w.port().queues = 1;
  const Finding idle = only(judge(), "queues");
  CHECK(idle.level == Level::problem);
  CHECK(has(idle.what, "4 CPUs named for 1 queue in total"));
}
