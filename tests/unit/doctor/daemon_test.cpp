// SPDX-License-Identifier: BSD-3-Clause
// What is made of a running daemon's metrics, which are written by the code that wiretimed writes them with.
#include "deploy/doctor/daemon.hpp"

#include "catch.hpp"
#include "findings.hpp"
#include "status/fake_report.hpp"
#include "status/metrics.hpp"

using namespace wiretime;
using namespace wiretime::doctor;
using clock::ReceiveRung;
using clock::TransmitRung;

namespace {

class OnePort final : public status::fake::FakeReport {
 public:
  explicit OnePort(status::PortReport port) : port_{std::move(port)} {}
  std::vector<status::PortReport> ports() const override { return {port_}; }

 private:
  status::PortReport port_;
};

struct World {
  status::PortReport port{"eth1", "af_xdp", "", {}, {}, {}, {}, {}};
  std::optional<Outlook> expected;

  World() {
    port.receive.emplace();
    port.receive->offers_hardware = port.receive->offers_xdp_program = true;
    port.receive->rung = ReceiveRung::hardware;
    port.transmit.emplace();
  }
  [[nodiscard]] PortNow now() const {
    const auto ports = ports_now(read_metrics(status::render_metrics(OnePort{port})));
    REQUIRE(ports.size() == 1);
    return ports.front();
  }
  [[nodiscard]] Finding on(std::string_view topic) const {
    return only(judge_port_now(now(), expected), topic);
  }
  void expect(ReceiveRung receive, TransmitRung transmit) {
    expected.emplace();
    expected->receive.rung = receive;
    expected->transmit.rung = transmit;
  }
};

}  // namespace

TEST_CASE("the rungs are those that the metrics say") {
  for (const ReceiveRung rung : {ReceiveRung::hardware, ReceiveRung::xdp_program, ReceiveRung::tsc}) {
    World w;
    w.port.receive->rung = rung;
    CHECK(w.now().receive == name(rung));
    CHECK(w.now().receive_offers == std::vector<std::string>{"hardware", "xdp", "tsc"});
  }
  for (const TransmitRung rung : clock::kTransmitRungs) {
    World w;
    w.port.transmit->rung = rung;
    CHECK(w.now().transmit == name(rung));
  }
}

TEST_CASE("the kernel's sockets and ports of other pages have no rungs") {
  status::PortReport kernel{"kernel", "kernel", "", {}, {}, {}, {}, {}};
  CHECK(ports_now(read_metrics(status::render_metrics(OnePort{kernel}))).empty());
  CHECK(ports_now(read_metrics("other_rung{port=\"eth1\",rung=\"tsc\"} 1\n")).empty());
  CHECK(ports_now(read_metrics("wiretime_receive_rung 1\n")).empty());
}

TEST_CASE("a port on its best rung is all right") {
  World w;
  CHECK(w.on("receive now").level == Level::ok);
  CHECK(w.on("transmit now").level == Level::ok);
  w.expect(ReceiveRung::hardware, TransmitRung::plain);
  CHECK(w.on("receive now").what == "hardware, as the daemon says");
  CHECK(w.on("transmit now").what == "plain, as the daemon says");
}

TEST_CASE("a port below what it offers is warned of, with how many stamps were refused") {
  using clock::StampVerdict;
  World w;
  w.port.receive->rung = ReceiveRung::xdp_program;
  w.port.receive->changes = 1;
  w.port.receive->hardware[static_cast<std::size_t>(StampVerdict::good)] = 100;
  w.port.receive->hardware[static_cast<std::size_t>(StampVerdict::probation)] = 50;
  w.port.receive->hardware[static_cast<std::size_t>(StampVerdict::frozen)] = 7;
  w.port.receive->xdp_program[static_cast<std::size_t>(StampVerdict::too_old)] = 90;
  const Finding fallen = w.on("receive now");
  CHECK(fallen.level == Level::warning);
  CHECK(fallen.what ==
        "xdp, after 1 change of rung; 7 stamps of hardware were refused (could have hardware)");
}

TEST_CASE("what came within reach since the start is worth a restart") {
  World w;
  w.port.receive->offers_hardware = false;
  w.port.receive->rung = ReceiveRung::xdp_program;
  CHECK(w.on("receive now").level == Level::ok);
  w.expect(ReceiveRung::hardware, TransmitRung::predicted);
  CHECK(w.on("receive now").level == Level::note);
  CHECK(has(w.on("receive now").next, "restart"));
  CHECK(w.on("transmit now").level == Level::note);
  CHECK(has(w.on("transmit now").what, "plain; predicted was to be hoped for"));
}

TEST_CASE("how good transmit stamps are is told with their rung") {
  using clock::TransmitEvent;
  World w;
  w.port.transmit->rung = TransmitRung::predicted;
  w.port.transmit->spread = 41e-9;
  w.port.transmit->events[static_cast<std::size_t>(TransmitEvent::sampled)] = 90;
  w.port.transmit->events[static_cast<std::size_t>(TransmitEvent::lost)] = 10;
  CHECK(w.on("transmit now").what ==
        "predicted, three in four within 41 ns, 10 of 100 samples lost, as the daemon says");
}

TEST_CASE("a card's clock that is lost is warned of") {
  World w;
  CHECK(about(judge_port_now(w.now(), {}), "clock now").empty());
  w.port.nic_clock.emplace();
  CHECK(w.on("clock now").level == Level::warning);
  w.port.nic_clock->ready = true;
  w.port.nic_clock->error_bound = 25e-9;
  CHECK(w.on("clock now").level == Level::ok);
  CHECK(has(w.on("clock now").what, "25 ns"));
}

TEST_CASE("a daemon that answers says what it serves; others are told from it") {
  const auto page = read_metrics(status::render_metrics(OnePort{World{}.port}));
  CHECK(judge_daemon(page, "127.0.0.1:9123", "").front().what == "it answers; serves time at stratum 3");
  const auto silent = judge_daemon({}, "127.0.0.1:9123", "Connection refused").front();
  CHECK(silent.level == Level::warning);
  CHECK(silent.what == "127.0.0.1:9123: Connection refused");
  CHECK(judge_daemon(read_metrics("node_load1 3\n"), "x", "").front().level == Level::warning);
  CHECK(judge_daemon(read_metrics("chrony_tracking_stratum 0\nwiretime_x 1\n"), "x", "").front().level ==
        Level::warning);
}
