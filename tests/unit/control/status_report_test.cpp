// SPDX-License-Identifier: BSD-3-Clause
#include "control/status_report.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

namespace {

class FakeDataPlane final : public DataPlaneView {
 public:
  FakeDataPlane()
      : a{"eth1",
          0,
          {1, 2},
          std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{}, std::array<std::uint64_t, 2>{3, 4})},
        b{"eth1",
          1,
          {5, 6},
          std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{}, std::array<std::uint64_t, 2>{3, 4})} {}
  std::span<server::WorkerState* const> states() const override { return pointers; }
  std::vector<status::PortReport> ports() const override {
    return {{"eth1", "af_xdp", "receive: xdp", {}, nic_clock, receive}};
  }
  std::vector<std::string> copied_interfaces() const override { return {}; }
  void addresses_changed(std::span<const IpAddress>) override {}
  void peers_changed(std::span<const IpAddress>) override {}
  void tick() override {}
  std::vector<int> descriptors() const override { return {}; }
  void carry_frames() override {}
  void refresh_clocks() override {}

  std::optional<clock::NicStatus> nic_clock;
  std::optional<clock::ReceiveStatus> receive;
  server::WorkerState a;
  server::WorkerState b;
  std::vector<server::WorkerState*> pointers{&a, &b};
};

struct Bench {
  explicit Bench(bool client_log = true)
      : state{std::make_unique<server::Tables>(),
              settings(),
              {7, 8},
              client_log ? std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{},
                                                              std::array<std::uint64_t, 2>{3, 4})
                         : nullptr} {}
  static TimePublisher::Settings settings() {
    TimePublisher::Settings s;
    s.local.enabled = true;
    return s;
  }
  FakeDataPlane plane;
  ServiceState state;
  StatusReport report{state};
};

const IpAddress kClient = IpAddress::v4(0xC0000201U);

}  // namespace

TEST_CASE("the error of the time served includes that of the NIC's clock once its stamps are used") {
  Bench b;
  b.state.data_plane = &b.plane;
  CHECK_FALSE(b.report.service().error_bound);
  const WallTime wall{1'800'000'000s};
  b.state.time.add_reading({{1'000'000}, {1'000'100}, wall}, 1s);
  b.state.time.add_reading({{26'000'000}, {26'000'100}, wall + 10ms}, 1s);
  const double without = *b.report.service().error_bound;
  b.plane.nic_clock.emplace();
  b.plane.nic_clock->ready = true;
  b.plane.nic_clock->error_bound = 300e-9;
  CHECK(*b.report.service().error_bound == without);
  b.plane.receive.emplace();
  CHECK(*b.report.service().error_bound == without);
  b.plane.receive->rung = clock::ReceiveRung::hardware;
  CHECK(*b.report.service().error_bound == Approx(without + 300e-9));
  b.plane.nic_clock->ready = false;
  CHECK(*b.report.service().error_bound == without);
}

TEST_CASE("server statistics sum the kernel sockets and every worker") {
  Bench b;
  b.state.data_plane = &b.plane;
  b.state.kernel.verdicts.add(Verdict::answered, 5);
  b.plane.a.verdicts.add(Verdict::answered, 1'000'000'000'000ULL);
  b.plane.b.verdicts.add(Verdict::answered_symmetric, 7);
  b.plane.b.verdicts.add(Verdict::denied, 100);
  b.plane.b.verdicts.add(Verdict::ntp_mode_control, 100);
  b.plane.b.verdicts.add(Verdict::arp_answered, 100);
  b.plane.a.stamps.add(server::Stamp::receive_kernel, 3);
  b.state.kernel.stamps.add(server::Stamp::receive_kernel, 2);
  b.state.command_counts = {11, 1};
  const auto stats = b.report.server_stats();
  CHECK(stats.ntp_hits == 1'000'000'000'012ULL);
  CHECK(stats.ntp_drops == 0);
  CHECK(stats.command_hits == 11);
  CHECK(stats.command_drops == 1);
  CHECK(stats.kernel_receive_timestamps == 5);
}

TEST_CASE("clients of the kernel sockets and of all workers are one list") {
  Bench b;
  b.state.data_plane = &b.plane;
  for (auto* table : {b.state.command_clients.get(), b.plane.a.clients.get(), b.plane.b.clients.get()})
    CHECK(table->admit(kClient, 16, {}, 0) == ntp::Admission::answer);
  const auto page = b.report.clients(0, 8, 0, false);
  REQUIRE(page);
  REQUIRE(page->count == 1);
  CHECK(page->records[0].ntp.hits == 2);
  CHECK(page->records[0].command.hits == 1);
  CHECK(b.report.client_log().records == 3);
}

TEST_CASE("without a client log there is no list") {
  Bench b{false};
  CHECK_FALSE(b.report.clients(0, 8, 0, false));
  CHECK(b.report.client_log().capacity == 0);
}

TEST_CASE("tracking shows what replies carry") {
  Bench b;
  CHECK(b.report.tracking().leap == 3);
  const WallTime now = os::wall_now();
  b.state.time.refresh_reference({}, 1s, now);
  const auto tracking = b.report.tracking();
  CHECK(tracking.reference_id == 0x7F7F0101U);
  CHECK(tracking.stratum == 10);
  CHECK(tracking.leap == 0);
  CHECK(tracking.root_delay == 0);
  CHECK(tracking.root_dispersion == 0);
  CHECK(now - tracking.reference_time > 999ms);
  CHECK(now - tracking.reference_time < 1001ms);
}

TEST_CASE("workers are told apart by port and number, the kernel sockets first") {
  Bench b;
  b.state.data_plane = &b.plane;
  b.plane.b.verdicts.add(Verdict::denied, 3);
  const auto workers = b.report.workers();
  REQUIRE(workers.size() == 3);
  CHECK(workers[0].port == "kernel");
  CHECK(workers[2].port == "eth1");
  CHECK(workers[2].worker == 1);
  CHECK(workers[2].verdicts[static_cast<std::size_t>(Verdict::denied)] == 3);
  CHECK(b.report.ports().size() == 2);
}

TEST_CASE("the timestamps held cover the time from the oldest of any worker to the newest of any") {
  Bench b;
  b.state.data_plane = &b.plane;
  CHECK(b.report.server_stats().timestamp_span == 0);
  std::array<ntp::ExchangeLine::Entry, 4> entries{3, 4, 5, 6};
  b.plane.b.timestamp_span.look(10s, &entries[0]);
  b.plane.b.timestamp_span.look(20s, &entries[1]);
  CHECK(b.report.server_stats().timestamp_span == 10);
  b.state.kernel.timestamp_span.look(15s, &entries[2]);
  b.state.kernel.timestamp_span.look(42s, &entries[3]);
  CHECK(b.report.server_stats().timestamp_span == 32);
  entries[0] = 0;
  b.plane.b.timestamp_span.look(43s, &entries[1]);
  CHECK(b.report.server_stats().timestamp_span == 27);
}

TEST_CASE("the kernel sockets' port says where most of its stamps come from") {
  using server::Stamp;
  Bench b;
  CHECK(b.report.ports()[0].timestamp_rung == "receive: kernel, transmit: daemon");
  b.state.kernel.stamps.add(Stamp::receive_kernel, 2);
  b.state.kernel.stamps.add(Stamp::receive_hardware, 3);
  b.state.kernel.stamps.add(Stamp::transmit_daemon, 3);
  b.state.kernel.stamps.add(Stamp::transmit_kernel, 2);
  CHECK(b.report.ports()[0].timestamp_rung == "receive: hardware, transmit: daemon");
  b.state.kernel.stamps.add(Stamp::receive_daemon, 9);
  b.state.kernel.stamps.add(Stamp::transmit_hardware, 9);
  CHECK(b.report.ports()[0].timestamp_rung == "receive: daemon, transmit: hardware");
}

TEST_CASE("an address without a family has no access") {
  Bench b;
  b.state.ntp_access.set_everywhere(true, true);
  CHECK(b.report.ntp_access(kClient));
  CHECK_FALSE(b.report.ntp_access({}));
  CHECK_FALSE(b.report.command_access(kClient));
}
