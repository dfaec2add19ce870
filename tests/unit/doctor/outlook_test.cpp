// SPDX-License-Identifier: BSD-3-Clause
// On which rungs cards made up for it would stand.
#include "deploy/doctor/outlook.hpp"

#include "catch.hpp"
#include "findings.hpp"

using namespace wiretime;
using namespace wiretime::doctor;
using clock::ReceiveRung;
using clock::TransmitRung;

namespace {

using Kind = server::DataplaneConfig::Kind;

struct World {
  NicFacts nic;
  HostFacts host;
  Build build{true, true, "22.11.11"};
  bool refused = false;

  World() {
    host.kernel = "6.12.1";
    host.btf = true;
    nic.name = "eth1";
    nic.exists = true;
    nic.driver = nic.native_driver = "ice";
    nic.pci = "0000:3b:00.0";
    nic.xdp = XdpAbility{true, true, true, false, false};
    nic.stamps = os::StampAbility{true, true, false, true, true};
    nic.stamps_now = os::StampsNow{};
    nic.clock_device = "/dev/ptp0";
    nic.clock_method = "precise";
  }
  [[nodiscard]] Outlook as(Kind kind) const { return outlook(kind, nic, host, build, refused); }
  // Over AF_XDP the NIC's stamps are out of reach, for that reason.
  void in_the_way(std::string_view why, std::string_view next = {}) const {
    const auto receive = as(Kind::af_xdp).receive;
    INFO(receive.why << " -> " << receive.next);
    CHECK(receive.rung == ReceiveRung::xdp_program);
    CHECK(has(receive.why, why));
    CHECK(has(receive.next, next));
  }
};

}  // namespace

TEST_CASE("a card whose stamps reach XDP programs stands on the hardware rung") {
  const World w;
  CHECK(w.as(Kind::af_xdp).receive.rung == ReceiveRung::hardware);
  CHECK(has(w.as(Kind::af_xdp).receive.why, "/dev/ptp0"));
}

TEST_CASE("whatever is between the NIC's stamps and an XDP program is named") {
  World w;
  w.host.kernel = "6.1.0";
  w.in_the_way("kernel", "6.3");
  w = {};
  w.host.btf = false;
  w.in_the_way("kernel", "BTF");
  w = {};
  w.nic.xdp->native = false;
  w.in_the_way("no XDP programs", "dataplane pci 0000:3b:00.0");
  w = {};
  w.nic.xdp->receive_stamps = false;
  w.in_the_way("no hardware receive time", "dataplane pci 0000:3b:00.0");
  w.nic.native_driver = "ixgbe";  // there is no way around
  w.in_the_way("no hardware receive time");
  CHECK(w.as(Kind::af_xdp).receive.next.empty());
  w = {};
  w.refused = true;
  w.in_the_way("rxfilter", "rxfilter");
  w = {};
  w.nic.clock_device.clear();
  w.in_the_way("no hardware clock");
  w = {};
  w.nic.stamps->receive_all = false;
  w.in_the_way("no received NTP packets");
  w.nic.stamps->receive_ntp = true;
  CHECK(w.as(Kind::af_xdp).receive.rung == ReceiveRung::hardware);
  w.nic.stamps_now->receive = os::StampFilter::ptp;
  w.in_the_way("another program", "ptp4l");
  w.nic.stamps->receive_all = true;  // then it stamps for both
  CHECK(w.as(Kind::af_xdp).receive.rung == ReceiveRung::hardware);
  w = {};
  w.nic.clock_error = "cannot open /dev/ptp0: Permission denied";
  w.in_the_way("Permission denied");
}

TEST_CASE("where the kernel does not tell of the driver, the rest decides, as at the start") {
  World w;
  w.nic.xdp.reset();
  CHECK(w.as(Kind::af_xdp).receive.rung == ReceiveRung::hardware);
  w.nic.stamps.reset();
  w.in_the_way("no hardware clock");
}

TEST_CASE("ports that the kernel has too send plainly; with DPDK alone the card may do better") {
  World w;
  for (const Kind kind : {Kind::af_xdp, Kind::af_packet}) {
    CHECK(w.as(kind).transmit.rung == TransmitRung::plain);
    CHECK(has(w.as(kind).transmit.next, "dataplane pci 0000:3b:00.0"));
  }
  CHECK(w.as(Kind::af_packet).receive.rung == ReceiveRung::tsc);
  CHECK(has(w.as(Kind::af_packet).receive.next, "dataplane af_xdp eth1"));
  w.nic.native_driver = "igb";
  CHECK(w.as(Kind::af_xdp).transmit.next.empty());
}

TEST_CASE("what a card does under DPDK is known by its driver and DPDK's version") {
  World w;
  CHECK(w.as(Kind::pci).receive.rung == ReceiveRung::hardware);
  CHECK(w.as(Kind::pci).transmit.rung == TransmitRung::predicted);
  w.refused = true;
  CHECK(w.as(Kind::pci).receive.rung == ReceiveRung::tsc);
  w.refused = false;
  w.nic.native_driver = "igc";
  CHECK(w.as(Kind::pci).receive.rung == ReceiveRung::tsc);
  CHECK(has(w.as(Kind::pci).receive.why, "23.03"));
  w.build.dpdk_version = "24.11.1";
  CHECK(w.as(Kind::pci).receive.rung == ReceiveRung::hardware);
  CHECK(w.as(Kind::pci).transmit.rung == TransmitRung::launch);
  w.nic.native_driver = "unheard_of";
  CHECK(has(w.as(Kind::pci).receive.why, "unheard_of"));
  CHECK(has(w.as(Kind::pci).receive.next, "log"));
}

TEST_CASE("virtual devices stamp nothing") {
  const World w;
  for (const Kind kind : {Kind::memif, Kind::vdev}) {
    CHECK(w.as(kind).receive.rung == ReceiveRung::tsc);
    CHECK(w.as(kind).transmit.rung == TransmitRung::plain);
  }
}
