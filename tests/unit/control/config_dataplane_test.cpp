// SPDX-License-Identifier: BSD-3-Clause
#include "catch.hpp"
#include "control/config_parse.hpp"
#include "memory_reader.hpp"

using namespace wiretime;
using namespace wiretime::control;
using Plane = server::DataplaneConfig;

namespace {

Config parse(const std::string& text) {
  auto config = parse_config(text, "test", MemoryReader{});
  if (!config) FAIL(text << " -> " << config.error().message);
  return std::move(*config);
}

std::string error_of(const std::string& text) {
  const auto config = parse_config(text, "test", MemoryReader{});
  return config ? "accepted" : config.error().message;
}

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

}  // namespace

TEST_CASE("every kind of data plane is described with what it needs") {
  const auto config = parse(
      "dataplane af_xdp eth1 queues 4\n"
      "dataplane af_packet eth2\n"
      "dataplane pci 3B:00.1 address 192.0.2.1/24 address 2001:db8::1/64 gateway 192.0.2.254 gateway fe80::1 "
      "vlan 100 queues 2\n"
      "dataplane memif /run/m.sock role client address 10.0.0.2/24 queues 3\n"
      "dataplane vdev net_tap0,iface=tap0 address 10.0.1.1/24 gateway 10.0.1.254 queues 2\n");
  REQUIRE(config.dataplanes.size() == 5);
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(config.dataplanes[i].origin.where == "test:" + std::to_string(i + 1));
  CHECK(config.dataplanes[0] ==
        Plane{Plane::Kind::af_xdp, "eth1", Plane::MemifRole::server, {}, {}, std::nullopt, 4});
  CHECK(config.dataplanes[1] ==
        Plane{Plane::Kind::af_packet, "eth2", Plane::MemifRole::server, {}, {}, std::nullopt, 1});
  CHECK(config.dataplanes[2] == Plane{Plane::Kind::pci,
                                      "0000:3b:00.1",
                                      Plane::MemifRole::server,
                                      {{ip("192.0.2.1"), 24}, {ip("2001:db8::1"), 64}},
                                      {ip("192.0.2.254"), ip("fe80::1")},
                                      std::uint16_t{100},
                                      2});
  CHECK(config.dataplanes[3] == Plane{Plane::Kind::memif,
                                      "/run/m.sock",
                                      Plane::MemifRole::client,
                                      {{ip("10.0.0.2"), 24}},
                                      {},
                                      std::nullopt,
                                      3});
  CHECK(config.dataplanes[4].device == "net_tap0,iface=tap0");
  CHECK(config.dataplanes[4].gateways.size() == 1);
  CHECK(config.dataplanes[4].queues == 2);
}

TEST_CASE(
    "a port that the kernel does not own says what the kernel's interface on it is called, or that there is "
    "none") {
  const auto config = parse(
      "dataplane pci 3b:00.1 address 192.0.2.1/24 kernel uplink\n"
      "dataplane memif /m.sock address 10.0.0.2/24 kernel off\n"
      "dataplane memif /n.sock address 10.0.1.2/24 kernel Off\n"
      "dataplane vdev net_tap0 address 10.0.2.1/24\n");
  CHECK(config.dataplanes[0].kernel_interface == "uplink");
  CHECK(config.dataplanes[1].kernel_interface == "");
  CHECK(config.dataplanes[2].kernel_interface == "");
  CHECK(config.dataplanes[3].kernel_interface == std::nullopt);
}

TEST_CASE("a NIC's clock is left alone unless the line says that it is ours, and only a NIC has one") {
  using clock::NicRole;
  const auto config = parse(
      "dataplane af_xdp eth1 queues 4\n"
      "dataplane af_packet eth2 phc utc\n"
      "dataplane af_xdp eth3 phc tai queues 2\n"
      "dataplane pci 3b:00.1 address 192.0.2.1/24 phc free\n");
  CHECK(config.dataplanes[0].phc == NicRole::free);
  CHECK(config.dataplanes[1].phc == NicRole::utc);
  CHECK(config.dataplanes[2].phc == NicRole::tai);
  CHECK(config.dataplanes[2].queues == 2);
  CHECK(config.dataplanes[3].phc == NicRole::free);
  CHECK_THAT(error_of("dataplane af_xdp eth1 phc gps"),
             Catch::Matchers::Contains("phc: expected free, utc or tai, found \"gps\""));
  CHECK(error_of("dataplane memif /m.sock address 10.0.0.2/24 phc utc") != "accepted");
}

TEST_CASE("a data plane line that cannot work is refused with what would") {
  const std::pair<const char*, const char*> rows[] = {
      {"", "dataplane: expected af_xdp, af_packet, pci, memif or vdev, found the end of the line"},
      {"af_xdp", "dataplane: expected a network interface name such as eth0, found the end of the line"},
      {"af_xdp eth1 address 10.0.0.1/24", "dataplane: expected queues or phc, found \"address\""},
      {"af_xdp eth1 queues 0", "dataplane queues: expected a whole number from 1 to 128, found \"0\""},
      {"af_packet eth1 queues 2", "dataplane: expected phc, found \"queues\""},
      {"pci 00:03", "dataplane: expected a PCI address such as 0000:3b:00.0, found \"00:03\""},
      {"pci 00:03.0",
       "dataplane: expected \"address\" and our address on that wire, such as address 192.0.2.1/24, found "
       "the end of "
       "the line"},
      {"pci 00:03.0 address 192.0.2.1",
       "dataplane address: expected our address on that wire with its subnet, such as 192.0.2.1/24, found "
       "\"192.0.2.1\""},
      {"pci 00:03.0 address 127.0.0.1/8",
       "dataplane address: expected our address on that wire with its subnet, such as 192.0.2.1/24, found "
       "\"127.0.0.1/8\""},
      {"pci 00:03.0 address 10.0.0.1/24 address 10.0.0.1/16",
       "dataplane address: expected each address once, found \"10.0.0.1/16\""},
      {"pci 00:03.0 address 10.0.0.1/24 gateway 10.0.1.1",
       "dataplane: expected a gateway inside the subnet of one of the addresses, found \"10.0.1.1\""},
      {"pci 00:03.0 address 10.0.0.1/24 gateway 10.0.0.2 gateway 10.0.0.3",
       "dataplane gateway: expected one gateway for each address family, found \"10.0.0.3\""},
      {"pci 00:03.0 address 10.0.0.1/24 vlan 4095",
       "dataplane vlan: expected a whole number from 1 to 4094, found \"4095\""},
      {"memif m.sock",
       "dataplane: expected the absolute path of a socket, at most 107 characters, found \"m.sock\""},
      {"memif /m.sock role both", "dataplane role: expected server or client, found \"both\""},
      {"vdev tap0", "dataplane: expected a DPDK device such as net_tap0,iface=tap0, found \"tap0\""},
      {"af_xdp eth1 kernel wt0", "dataplane: expected queues or phc, found \"kernel\""},
      {"memif /m address 10.0.0.1/24 kernel",
       "dataplane kernel: expected off, or a name for the kernel's interface such as wt0, found the end of "
       "the line"},
      {"memif /m address 10.0.0.1/24 kernel wt%d",
       "dataplane kernel: expected off, or a name for the kernel's interface such as wt0, found \"wt%d\""},
      {"memif /m address 10.0.0.1/24 kernel wt0\ndataplane memif /n address 10.0.1.1/24 kernel wt0", nullptr},
      {"af_xdp eth1\ndataplane af_packet eth1", nullptr},
  };
  for (const auto& [line, error] : rows) {
    INFO(line);
    if (error != nullptr)
      CHECK(error_of(std::string{"dataplane "} + line) == std::string{"test:1: "} + error);
  }
  CHECK(error_of("dataplane af_xdp eth1\ndataplane af_packet eth1\n") ==
        "test:2: dataplane: expected each device in one dataplane line, found \"eth1\"");
}

TEST_CASE("CPU lists are sorted, and what is not one is refused") {
  CHECK(parse("workercpus 7").worker_cpus == std::vector<unsigned>{7});
  CHECK(parse("workercpus 10,2-5,0").worker_cpus == std::vector<unsigned>{0, 2, 3, 4, 5, 10});
  for (const char* bad :
       {"", "a", "1,", ",1", "5-2", "1-", "-1", "1,,2", "1024", "0-1024", "1-2-3", "+1", "1 2"}) {
    INFO(bad);
    CHECK(error_of(std::string{"workercpus "} + bad).find("test:1: workercpus: expected") == 0);
  }
  CHECK(error_of("workercpus 0-128") == "test:1: workercpus: expected at most 128 CPUs, found \"0-128\"");
}

TEST_CASE("workers spin on CPUs of their own and nap elsewhere unless told otherwise") {
  CHECK(parse("").worker_idle == server::WorkerIdle::nap);
  CHECK(parse("workercpus 1").worker_idle == server::WorkerIdle::spin);
  CHECK(parse("workercpus 1\nworkeridle nap").worker_idle == server::WorkerIdle::nap);
  CHECK(parse("workeridle nap\nworkercpus 1").worker_idle == server::WorkerIdle::nap);
}

TEST_CASE("metrics go to loopback unless addresses are named, and then only there") {
  CHECK(parse("metricsport 9123").metrics_addresses == std::vector<IpAddress>{ip("127.0.0.1")});
  CHECK(parse("bindmetricsaddress ::\nbindmetricsaddress 192.0.2.1").metrics_addresses ==
        std::vector<IpAddress>{ip("::"), ip("192.0.2.1")});
  CHECK(error_of("bindmetricsaddress ::\nbindmetricsaddress ::") ==
        "test:2: bindmetricsaddress: expected each address once, found \"::\"");
}

TEST_CASE("peers beside a port that is to have no interface of the kernel are warned about") {
  const auto warned = [](const std::string& text) {
    for (const Warning& w : parse(text).warnings)
      if (w.text.find("peer lines do not work there") != std::string::npos) return w.where;
    return std::string{};
  };
  CHECK(warned("allow\npeer 192.0.2.1\ndataplane pci 00:03.0 address 10.0.0.1/24 kernel off") == "test:3");
  CHECK(warned("allow\ndataplane memif /m.sock address 10.0.0.1/24 kernel off\npeer 192.0.2.1") == "test:2");
  CHECK(warned("allow\nserver 192.0.2.1\ndataplane pci 00:03.0 address 10.0.0.1/24 kernel off").empty());
  CHECK(warned("allow\npeer 192.0.2.1\ndataplane pci 00:03.0 address 10.0.0.1/24").empty());
  CHECK(warned("allow\npeer 192.0.2.1\ndataplane af_xdp eth1\ndataplane af_packet eth2").empty());
}
