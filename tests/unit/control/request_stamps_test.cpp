// SPDX-License-Identifier: BSD-3-Clause
// Receive stamps of af_xdp ports' NICs, by the ioctls of a card that is not there.
#include "control/request_stamps.hpp"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "os/ioctl_device.hpp"

using namespace wiretime;
using namespace wiretime::control;
using Catch::Matchers::Contains;
using clock::ReceiveRung;
using Kind = server::DataplaneConfig::Kind;

namespace {

// What a data plane says of a port.
struct Port {
  std::string name;
  clock::ReceiveStatus receive;
};

struct Bench {
  Bench() : log{*os::Log::to_file(device.dir / "log", os::LogLevel::info)} {
    device.on<ifreq>(SIOCETHTOOL, [](ifreq& r) {
      auto& able = *reinterpret_cast<ethtool_ts_info*>(r.ifr_data);
      able.so_timestamping = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
      able.phc_index = 1;
      able.rx_filters = 1U << HWTSTAMP_FILTER_NTP_ALL;
      return 0;
    });
    device.on<ifreq>(SIOCGHWTSTAMP, [this](ifreq& r) {
      asked.emplace_back(r.ifr_name);
      *reinterpret_cast<hwtstamp_config*>(r.ifr_data) = {0, HWTSTAMP_TX_ON, filter};
      return 0;
    });
    device.on<ifreq>(SIOCSHWTSTAMP, [this](ifreq& r) {
      if (refuses) return errno = EBUSY, -1;
      filter = reinterpret_cast<const hwtstamp_config*>(r.ifr_data)->rx_filter;
      return 0;
    });
    ports[0].name = "eth2";
    ports[0].receive.offers_hardware = ports[0].receive.offers_xdp_program = true;
    ports[0].receive.rung = ReceiveRung::xdp_program;
  }
  // The interfaces asked in so many seconds.
  std::vector<std::string> run(unsigned seconds) {
    asked.clear();
    for (unsigned i = 0; i < seconds; ++i) stamps.tick(ports);
    return asked;
  }
  std::vector<std::string> switch_on(std::initializer_list<HwTimestamp> lines = {},
                                     std::string obstacle = {}) {
    server::DataplaneConfig port;
    port.kind = kind;
    port.device = "eth2";
    return stamps.switch_on({&port, 1}, {lines.begin(), lines.size()},
                            [&](const std::string&) { return obstacle; });
  }
  static HwTimestamp line(const std::string& interface, HwTimestamp::RxFilter filter) {
    HwTimestamp line;
    line.interface = interface;
    line.rx_filter = filter;
    return line;
  }
  [[nodiscard]] std::string logged() const {
    std::stringstream text;
    text << std::ifstream{device.dir / "log"}.rdbuf();
    return text.str();
  }

  os::Device device;
  os::Log log;
  RequestStamps stamps{log, device.ioctl()};
  std::vector<Port> ports{1};
  std::vector<std::string> asked;
  int filter = HWTSTAMP_FILTER_NONE;
  bool refuses = false;
  Kind kind = Kind::af_xdp;
};

const std::vector<std::string> kNobody;
const std::vector<std::string> kEth2{"eth2"};

}  // namespace

TEST_CASE("an af_xdp port that fell from its NIC's stamps has the NIC asked again, each 64 s") {
  Bench b;
  CHECK(b.run(63) == kNobody);
  CHECK(b.run(1) == kEth2);
  CHECK(b.filter == HWTSTAMP_FILTER_NTP_ALL);
  b.filter = HWTSTAMP_FILTER_NONE;
  CHECK(b.run(63) == kNobody);
  CHECK(b.run(1) == kEth2);
  CHECK(b.filter == HWTSTAMP_FILTER_NTP_ALL);
}

TEST_CASE("a NIC is not asked again while its stamps are used, where it had none, or where DPDK drives it") {
  Bench b;
  b.ports[0].receive.rung = ReceiveRung::hardware;
  CHECK(b.run(128) == kNobody);
  b.ports[0].receive.rung = ReceiveRung::tsc;
  CHECK(b.run(64) == kEth2);
  b.ports[0].receive.offers_hardware = false;
  CHECK(b.run(128) == kNobody);
  b.ports[0].receive.offers_hardware = true;
  b.ports[0].receive.offers_xdp_program = false;
  CHECK(b.run(128) == kNobody);
}

TEST_CASE("every port that fell is asked for") {
  Bench b;
  b.ports.push_back(b.ports[0]);
  b.ports[1].name = "eth3";
  CHECK(b.run(64) == std::vector<std::string>{"eth2", "eth3"});
}

TEST_CASE("that another program had the NIC is said once, and not where it still stamps requests") {
  const std::string said = "eth2: the hardware did not stamp requests any more, as another program had it: ";
  Bench b;
  b.filter = HWTSTAMP_FILTER_NTP_ALL;
  (void)b.run(64);
  CHECK(b.logged().empty());
  for (int i = 0; i < 3; ++i) {
    b.filter = HWTSTAMP_FILTER_NONE;
    (void)b.run(64);
  }
  const std::string log = b.logged();
  CHECK_THAT(log, Contains(said + "it does again"));
  CHECK(log.find(said) == log.rfind(said));

  Bench refused;
  refused.refuses = true;
  (void)refused.run(64);
  CHECK_THAT(refused.logged(), Contains(said + "the hardware's receive stamps cannot be switched on: "));
}

TEST_CASE("an af_xdp port's NIC is had to stamp requests at start, and what others do is not its business") {
  Bench b;
  CHECK(b.switch_on() == kEth2);
  CHECK(b.filter == HWTSTAMP_FILTER_NTP_ALL);
  CHECK_THAT(b.logged(), Contains("eth2: receive time of requests: the hardware's (XDP metadata), or else"));
  Bench copied;
  copied.kind = Kind::af_packet;
  CHECK(copied.switch_on() == kNobody);
  CHECK(copied.asked == kNobody);
  CHECK(copied.logged().empty());
}

TEST_CASE("a NIC whose stamps nobody would hand on, want or get is left alone, and the log says why") {
  const std::string instead = "eth2: receive time of requests: the XDP program's; ";
  Bench b;
  CHECK(b.switch_on({}, "the driver hands on none") == kNobody);
  CHECK(b.filter == HWTSTAMP_FILTER_NONE);
  CHECK_THAT(b.logged(), Contains(instead + "the driver hands on none"));

  b.refuses = true;
  CHECK(b.switch_on() == kNobody);
  CHECK_THAT(b.logged(), Contains(instead + "the hardware's receive stamps cannot be switched on: "));
}

TEST_CASE(
    "rxfilter none or ptp leaves the NIC alone; a line of the interface's own goes before one for all") {
  using Filter = HwTimestamp::RxFilter;
  for (const Filter filter : {Filter::none, Filter::ptp}) {
    Bench b;
    CHECK(b.switch_on({Bench::line("eth2", filter)}) == kNobody);
    CHECK(b.switch_on({Bench::line("*", filter)}) == kNobody);
    CHECK(b.switch_on({Bench::line("eth2", filter), Bench::line("*", Filter::all)}) == kNobody);
    CHECK(b.filter == HWTSTAMP_FILTER_NONE);
    CHECK_THAT(b.logged(), Contains("hwtimestamp says so with rxfilter"));
    CHECK(b.switch_on({Bench::line("eth3", filter)}) == kEth2);
    CHECK(b.switch_on({Bench::line("*", filter), Bench::line("eth2", Filter::ntp)}) == kEth2);
  }
}
