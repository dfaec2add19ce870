// SPDX-License-Identifier: BSD-3-Clause
#include "control/nic_options.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::control;
using Kind = server::DataplaneConfig::Kind;
using Filter = HwTimestamp::RxFilter;

namespace {

server::DataplaneConfig port(Kind kind, const std::string& device) {
  server::DataplaneConfig config;
  config.kind = kind;
  config.device = device;
  return config;
}
HwTimestamp line(const std::string& interface) {
  HwTimestamp l;
  l.interface = interface;
  return l;
}

}  // namespace

TEST_CASE("a port without a line of its own has that of `*`, or the defaults") {
  HwTimestamp any = line("*"), own = line("eth1"), other = line("eth2");
  any.rx_compensation = Seconds{1e-7};
  own.rx_compensation = Seconds{2e-7};
  other.rx_compensation = Seconds{3e-7};
  const std::vector<HwTimestamp> lines{any, other, own};
  CHECK(nic_options(lines, port(Kind::af_xdp, "eth1")).options.receive_compensation == 2e-7);
  CHECK(nic_options(lines, port(Kind::pci, "0000:3b:00.0")).options.receive_compensation == 1e-7);
  CHECK(nic_options({}, port(Kind::pci, "0000:3b:00.0")).options.receive_compensation == 0);
}

TEST_CASE("a plain hwtimestamp line leaves a port's readings as they are") {
  const auto n = nic_options(std::vector{line("eth1")}, port(Kind::af_xdp, "eth1"));
  CHECK(n.warnings.empty());
  const clock::NicOptions defaults;
  CHECK(n.options.least_interval == defaults.least_interval);
  CHECK(n.options.most_interval == defaults.most_interval);
  CHECK(n.options.least_readings == defaults.least_readings);
  CHECK(n.options.most_readings == defaults.most_readings);
  CHECK(n.options.precision == 0);
  CHECK_FALSE(n.options.no_receive_stamps);
}

TEST_CASE("every option reaches the port's NIC") {
  HwTimestamp l = line("0000:3b:00.0");
  l.min_poll = -2;
  l.max_poll = 3;
  l.min_samples = 12;
  l.max_samples = 40;
  l.polls_given = l.samples_given = l.precision_given = l.nocrossts = true;
  l.precision = Seconds{50e-9};
  l.rx_compensation = Seconds{300e-9};
  l.tx_compensation = Seconds{-200e-9};
  l.rx_filter = Filter::none;
  const auto n = nic_options(std::vector{l}, port(Kind::pci, "0000:3b:00.0"));
  CHECK(n.warnings.empty());
  CHECK(n.options.least_interval == 0.25);
  CHECK(n.options.most_interval == 8);
  CHECK(n.options.least_readings == 12);
  CHECK(n.options.most_readings == 40);
  CHECK(n.options.precision == 50e-9);
  CHECK(n.options.receive_compensation == 300e-9);
  CHECK(n.options.transmit_compensation == -200e-9);
  CHECK(n.options.no_cross_stamps);
  CHECK(n.options.no_receive_stamps);
}

TEST_CASE("what an option cannot do on a port is one warning, and none where the line is for all") {
  HwTimestamp l = line("eth1");
  l.min_poll = -6;
  l.max_poll = 4;
  l.min_samples = l.max_samples = 4;
  l.polls_given = l.samples_given = true;
  l.rx_compensation = Seconds{1};
  l.rx_filter = Filter::ptp;
  auto ours = port(Kind::af_xdp, "eth1");
  ours.phc = clock::NicRole::utc;
  const auto n = nic_options(std::vector{l}, ours);
  const std::string start = "hwtimestamp eth1: dataplane af_xdp: ";
  CHECK(n.warnings == std::vector<std::string>{
                          start + "rxcomp 1: more than a millisecond is no NIC's, and left out",
                          start + "minpoll -6: the clock is read ten times a second at most",
                          start + "maxpoll 4: a clock that we keep on our time is read every second at least",
                          start + "maxsamples 4: the clock is known from 8 readings on, which are kept",
                          start + "rxfilter ptp: no requests are stamped, as with none"});
  CHECK(n.options.least_interval == 0);
  CHECK(n.options.most_interval == 1);
  CHECK(n.options.least_readings == 8);
  CHECK(n.options.most_readings == 8);
  CHECK(n.options.receive_compensation == 0);
  CHECK(n.options.no_receive_stamps);
  l.interface = "*";
  CHECK(nic_options(std::vector{l}, ours).warnings.empty());
  CHECK(nic_options(std::vector{line("eth1")}, port(Kind::af_packet, "eth1")).warnings ==
        std::vector<std::string>{
            "hwtimestamp eth1: dataplane af_packet: this port's packets get no timestamps of a NIC"});
}
