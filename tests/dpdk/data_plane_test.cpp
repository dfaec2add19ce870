// SPDX-License-Identifier: BSD-3-Clause
// The data plane as main uses it. DPDK starts once per process, so every case here is hidden and run by a
// meson test of its own.
#include "dpdk/data_plane.hpp"

#include <chrono>
#include <fstream>
#include <thread>

#include "catch.hpp"
#include "os/temporary_directory.hpp"
#include "os/tsc.hpp"
#include "server/fixture.hpp"
#include "support/pcap_reader.hpp"

using namespace wiretime;
using net::test::Bytes;
using net::test::ip;
using wiretime::test::frame_with;
using wiretime::test::ntp_request;

namespace {

void write_pcap(const std::string& path, const std::vector<Bytes>& frames) {
  std::ofstream file{path, std::ios::binary};
  const auto put32 = [&](std::uint32_t v) { file.write(reinterpret_cast<const char*>(&v), sizeof v); };
  for (const std::uint32_t v : {0xA1B2C3D4U, 0x0004'0002U, 0U, 0U, 65535U, 1U}) put32(v);
  for (const Bytes& f : frames) {
    const auto size = static_cast<std::uint32_t>(f.size());
    for (const std::uint32_t v : {0U, 0U, size, size}) put32(v);
    file.write(reinterpret_cast<const char*>(f.data()), static_cast<std::streamsize>(f.size()));
  }
}

// The driver writes nanoseconds, which our reader does not take; the times do not matter here.
void claim_microseconds(const std::string& path) {
  std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
  const std::uint32_t magic = 0xA1B2C3D4U;
  file.write(reinterpret_cast<const char*>(&magic), sizeof magic);
}

struct World {
  World() {
    auto tables = std::make_unique<server::Tables>();
    tables->access = fixture.tables.access;
    channels.tables.publish(std::move(tables));
    fixture.snapshot.anchor_ticks = os::read_tsc();
    fixture.snapshot.rate = 1;
    channels.time.store(fixture.snapshot);
    options.hugepages = server::Hugepages::off;
    options.client_log = true;
    options.secret = {1, 2};
  }
  server::DataplaneConfig& add(server::DataplaneConfig::Kind kind, const std::string& device) {
    server::DataplaneConfig& c = options.ports.emplace_back();
    c.kind = kind;
    c.device = device;
    c.kernel_interface = "";  // this is no place for interfaces: the machine that builds
    c.addresses = {{ip("192.0.2.1"), 24}, {ip("2001:db8::1"), 64}};
    return c;
  }
  Result<std::unique_ptr<dpdk::DataPlane>> start() { return dpdk::DataPlane::start(options, channels, log); }

  wiretime::test::Fixture fixture;
  server::Channels channels{std::make_unique<server::Tables>()};
  os::Log log = os::Log::to_stderr(os::LogLevel::warning);
  dpdk::DataPlaneOptions options;
};

// Ticks while waiting; false after a minute.
template <typename Condition>
bool eventually(dpdk::DataPlane& plane, const Condition& condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    plane.tick();
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return false;
}

}  // namespace

TEST_CASE("a data plane starts, serves, tells, and stops", "[.serves]") {
  const TemporaryDirectory directory;
  std::vector<Bytes> requests;
  for (unsigned i = 0; i < 100; ++i) {
    auto spec = i % 2 == 0 ? net::test::Spec{} : net::test::ipv6_spec();
    spec.source_port = static_cast<std::uint16_t>(10000 + i);
    requests.push_back(frame_with(spec, ntp_request()));
  }
  write_pcap(directory / "in.pcap", requests);

  World w;
  w.add(server::DataplaneConfig::Kind::vdev,
        "net_pcap0,rx_pcap=" + directory / "in.pcap" + ",tx_pcap=" + directory / "out.pcap");
  {
    const auto plane = w.start();
    REQUIRE(plane);
    REQUIRE((*plane)->workers().size() == 1);
    const server::WorkerState& state = *(*plane)->workers()[0];
    CHECK(eventually(**plane, [&] { return state.verdicts.get(Verdict::answered) == 100; }));
    CHECK(state.stamps.get(server::Stamp::transmit_daemon) == 100);
    CHECK(state.clients->used() == 2);
    CHECK((*plane)->healthy());
    (*plane)->tick();
    const dpdk::PortInfo& port = (*plane)->ports()[0];
    CHECK(port.driver == "net_pcap");
    CHECK(port.link_up);
    CHECK(port.statistics.received == 100);
    CHECK(name(port.receive.rung) == "tsc");
  }
  claim_microseconds(directory / "out.pcap");
  unsigned answers = 0, announcements = 0;
  for (const auto& frame : testing::read_pcap(directory / "out.pcap")) {
    const bool request_to_all = load_u8(frame.bytes.data()) == 0xFF || load_u8(frame.bytes.data()) == 0x33;
    ++(request_to_all ? announcements : answers);
  }
  CHECK(answers == 100);
  CHECK(announcements >= 3);  // each of two addresses and the link-local one

  // No worker holds a table any more.
  w.channels.tables.publish(std::make_unique<server::Tables>());
  w.channels.tables.reclaim();
  CHECK(w.channels.tables.retired() == 0);
}

TEST_CASE("two ports on one wire hear each other's announcements", "[.memif]") {
  const TemporaryDirectory directory;
  World w;
  w.add(server::DataplaneConfig::Kind::memif, directory / "m.sock");
  auto& client = w.add(server::DataplaneConfig::Kind::memif, directory / "m.sock");
  client.memif_role = server::DataplaneConfig::MemifRole::client;
  client.addresses = {{ip("192.0.2.9"), 24}};
  const auto plane = w.start();
  REQUIRE(plane);
  CHECK(eventually(**plane, [&] {
    return (*plane)->ports()[0].link_up && (*plane)->ports()[1].link_up &&
           (*plane)->workers()[0]->verdicts.get(Verdict::not_ip) > 0;  // a gratuitous ARP
  }));
}

TEST_CASE("two workers share a port's queues, and each keeps what came to its own", "[.queues]") {
  const TemporaryDirectory directory;
  std::vector<Bytes> of_queue[2];
  for (unsigned i = 0; i < 90; ++i) {
    net::test::Spec spec;
    spec.from = ip(("192.0.2." + std::to_string(10 + i % 9)).c_str());
    spec.source_port = static_cast<std::uint16_t>(10000 + i);
    of_queue[i % 9 < 6 ? 0 : 1].push_back(frame_with(spec, ntp_request()));
  }
  write_pcap(directory / "0.pcap", of_queue[0]);
  write_pcap(directory / "1.pcap", of_queue[1]);

  World w;
  w.add(server::DataplaneConfig::Kind::vdev,
        "net_pcap0,rx_pcap=" + directory / "0.pcap" + ",rx_pcap=" + directory / "1.pcap" +
            ",tx_pcap=" + directory / "0.out" + ",tx_pcap=" + directory / "1.out")
      .queues = 2;
  if (std::thread::hardware_concurrency() > 1) w.options.worker_cpus = {0, 1};
  w.options.nic_stamp_xdp = {w.options.ports[0].device};  // of which no frame here has a stamp
  {
    const auto plane = w.start();
    REQUIRE(plane);
    const auto states = (*plane)->workers();
    const auto answered = [&] {
      std::uint64_t sum = 0;
      for (const auto* state : states) sum += state->verdicts.get(Verdict::answered);
      return sum;
    };
    CHECK(eventually(**plane, [&] { return answered() == 90; }));
    (*plane)->tick();
    CHECK((*plane)->ports()[0].statistics.received == 90);
    std::uint64_t without_stamp = 0;
    for (const auto* state : states) without_stamp += state->nic_stamps.get(clock::StampVerdict::missing);
    CHECK(without_stamp == 90);
    CHECK((*plane)->ports()[0].receive.offers_hardware);
    if (!w.options.worker_cpus.empty()) {
      REQUIRE(states.size() == 2);
      CHECK(states[0]->worker == 0);
      CHECK(states[1]->worker == 1);
      CHECK(states[0]->verdicts.get(Verdict::answered) == 60);
      CHECK(states[1]->verdicts.get(Verdict::answered) == 30);
      CHECK(states[0]->clients->used() == 6);
      CHECK(states[1]->clients->used() == 3);
    }
  }
  // The answer leaves where the request came in.
  for (const auto& [out, expected] : {std::pair{"0.out", 60U}, {"1.out", 30U}}) {
    claim_microseconds(directory / out);
    unsigned answers = 0;
    for (const auto& frame : testing::read_pcap(directory / out))
      if (load_u8(frame.bytes.data()) != 0xFF && load_u8(frame.bytes.data()) != 0x33) ++answers;
    CHECK(answers == expected);
  }
}

TEST_CASE("an interface that does not exist is named, and what there is", "[.no_interface]") {
  World w;
  w.add(server::DataplaneConfig::Kind::af_packet, "wtnothere");
  const auto plane = w.start();
  REQUIRE_FALSE(plane);
  CHECK(plane.error().message.rfind("dataplane af_packet wtnothere: there is no such interface (there are: ",
                                    0) == 0);
}

TEST_CASE("a driver's complaint ends up in our error", "[.driver_error]") {
  World w;
  w.add(server::DataplaneConfig::Kind::vdev, "net_pcap0,rx_pcap=/nonexistent/in.pcap");
  const auto plane = w.start();
  REQUIRE_FALSE(plane);
  CHECK(plane.error().message.find("dataplane vdev net_pcap0") == 0);
  CHECK(plane.error().message.find("/nonexistent/in.pcap: No such file or directory") != std::string::npos);
}

TEST_CASE("options that cannot work are refused before DPDK starts", "[.refused]") {
  World w;
  CHECK_FALSE(w.start());
  w.add(server::DataplaneConfig::Kind::vdev, "net_null0").queues = 2;
  w.options.worker_cpus = {0, 1, 2};
  CHECK(w.start().error().message ==
        "workercpus: 3 CPUs named for 2 queues in total, some would have nothing to do; name 2, or ask for "
        "more "
        "queues: `dataplane vdev net_null0 ... queues 3`");
  w.options.worker_cpus = {4096};
  CHECK(w.start().error().message.rfind("workercpus: CPU 4096 does not exist on this machine (", 0) == 0);
}
