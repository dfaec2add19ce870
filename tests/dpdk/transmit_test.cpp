// SPDX-License-Identifier: BSD-3-Clause
// The transmit ladder on a port of rings: what workers write into replies and mbufs on each rung, with a
// driver's calls in the test's hands.
#include <rte_cycles.h>

#include <cerrno>
#include <cmath>

#include "dpdk/transmit_stamps.hpp"
#include "ring_port.hpp"

using namespace wiretime;
using namespace wiretime::dpdk;
using clock::TransmitEvent;
using clock::TransmitRung;
using dpdk::test::Bytes;
using dpdk::test::Serving;
using wiretime::test::frame_with;
using wiretime::test::ntp_request;

namespace {

constexpr std::size_t kPayload = 42;      // in an untagged IPv4 frame
constexpr std::uint32_t kSpeed = 10'000;  // Mbit/s

double seconds(NtpDuration d) {
  return d.seconds();
}

// A reply as it went to the NIC.
struct Sent {
  NtpTimestamp receive, transmit, origin;
  std::uint64_t launch = 0;  // NIC's ns
  bool launched = false;
  bool flagged = false;  // to be stamped
  std::uint32_t length = 0;
};

// A port whose NIC counts nanoseconds; its driver's calls answer what the test says.
struct Sending {
  explicit Sending(const std::string& name, bool launches, bool stamps,
                   const TransmitStamps::Options& options = {})
      : s(name), hertz{static_cast<double>(rte_get_tsc_hz())} {
    REQUIRE(rte_mbuf_dyn_tx_timestamp_register(&field.field, &field.flag) == 0);
    map.anchor_nic = 1'000'000'000'000;
    map.anchor_ticks = os::read_tsc();
    map.rate = static_cast<std::uint64_t>(std::ldexp(hertz * 1e-9, clock::NicSnapshot::kRateShift));
    map.expires.value = map.anchor_ticks.value + static_cast<std::uint64_t>(hertz * 10'000);
    control.emplace(name, launches ? field : LaunchField{}, hertz, options);
    TransmitCalls calls;
    calls.read_stamp = [this, stamps](timespec& t) {
      if (!stamps) return -ENOTSUP;
      if (!stamp) return -EINVAL;
      t = {static_cast<time_t>(*stamp / 1'000'000'000), static_cast<long>(*stamp % 1'000'000'000)};
      stamp.reset();
      return 0;
    };
    calls.late = [this] { return late; };
    control->start(std::move(calls), true, log);
    s.queue = s.port.queue(s.fixture.state);
    s.queue->transmit = control->path();
    s.fixture.snapshot.precision = -32;
    s.start();
    s.fixture.snapshot.anchor_ticks = map.anchor_ticks;
    s.fixture.snapshot.rate =
        static_cast<std::uint64_t>(std::ldexp(1 / hertz, 32 + clock::TimeSnapshot::kRateShift));
    s.channels.time.store(s.fixture.snapshot);
    refresh();
  }
  void refresh(double later = 0) { control->refresh(map, kSpeed, now(later), log); }
  [[nodiscard]] Ticks now(double later = 0) const {
    return {os::read_tsc().value + static_cast<std::uint64_t>(later * hertz)};
  }
  [[nodiscard]] std::uint64_t nic_at(Ticks t) const {
    const auto ticks = static_cast<double>(static_cast<std::int64_t>(t.value - map.anchor_ticks.value));
    return map.anchor_nic + static_cast<std::uint64_t>(ticks / hertz * 1e9);
  }
  [[nodiscard]] NtpTimestamp time_at(Ticks t) const { return s.fixture.snapshot.time_at(t); }

  // The replies to one burst of `requests`.
  std::vector<Sent> burst(unsigned requests, std::uint64_t origin = 0) {
    auto message = ntp_request();
    store_be64(message.data() + ntp::offset::kOrigin, origin);
    store_be64(message.data() + ntp::offset::kReceive, 0x7777);
    for (unsigned i = 0; i < requests; ++i) s.port.give(frame_with({}, message));
    before = os::read_tsc();
    REQUIRE(s.worker.walk() == requests);
    after = os::read_tsc();
    std::vector<Sent> all;
    while (rte_mbuf* m = s.port.take_buffer()) {
      const std::byte* reply = rte_pktmbuf_mtod(m, std::byte*) + kPayload;
      Sent sent;
      sent.receive = ntp::timestamp(reply, ntp::offset::kReceive);
      sent.transmit = ntp::timestamp(reply, ntp::offset::kTransmit);
      sent.origin = ntp::timestamp(reply, ntp::offset::kOrigin);
      sent.launched = (m->ol_flags & field.flag) != 0;
      std::memcpy(&sent.launch, reinterpret_cast<std::byte*>(m) + field.field, sizeof sent.launch);
      sent.flagged = (m->ol_flags & RTE_MBUF_F_TX_IEEE1588_TMST) != 0;
      sent.length = m->pkt_len;
      all.push_back(sent);
      rte_pktmbuf_free(m);
    }
    REQUIRE(all.size() == requests);
    return all;
  }
  // s, from the middle of the walk to what the reply says, give or take half of the walk.
  [[nodiscard]] bool says(const Sent& reply, double latency) const {
    const NtpDuration l = NtpDuration::from(Nanoseconds{std::llround(latency * 1e9)});
    const std::int64_t slack = 30;  // 7 ns
    return (reply.transmit - (time_at(before) + l)).units >= -slack &&
           (reply.transmit - (time_at(after) + l)).units <= slack;
  }
  // Two bursts of `requests`, the second one asked for before the first would have left the wire, which takes
  // `wire` s: as soon as nobody keeps this process from its CPU in between.
  std::pair<std::vector<Sent>, std::vector<Sent>> together(unsigned requests, double wire) {
    for (int tries = 0; tries < 10'000; ++tries) {
      auto first = burst(requests);
      const Ticks began = before;
      auto second = burst(requests);
      if (static_cast<double>(after.value - began.value) < wire * hertz) return {first, second};
    }
    FAIL("no two bursts within " << wire << " s");
    return {};
  }
  // One burst whose flagged frame left `latency` s after the reply on the plain rung would say, and what the
  // NIC said of it. `error`: s, off from that.
  std::vector<Sent> sampled(unsigned requests, double latency, double error = 0) {
    control->sample(map, now());
    auto sent = burst(requests);
    const double told = rung() == TransmitRung::predicted ? *control->status().latency : 0;
    const double after_anchor =
        seconds(sent[0].transmit - s.fixture.snapshot.anchor_time) - told + latency + error;
    const Ticks left{map.anchor_ticks.value + static_cast<std::uint64_t>(after_anchor * hertz)};
    while (static_cast<std::int64_t>(now().value - left.value) < 0) {
    }
    stamp = nic_at(left);
    control->sample(map, now());
    return sent;
  }
  [[nodiscard]] TransmitRung rung() const { return control->status().rung; }
  [[nodiscard]] std::uint64_t count(TransmitEvent e) const {
    return control->status().events[static_cast<std::size_t>(e)];
  }
  static double wire(std::uint32_t length) {
    return static_cast<double>(clock::wire_bytes(length)) * 8 / (kSpeed * 1e6);
  }

  os::Log log = os::Log::to_stderr(os::LogLevel::error);
  LaunchField field;
  Serving s;
  double hertz;
  clock::NicSnapshot map;
  std::optional<TransmitStamps> control;
  std::optional<std::uint64_t> stamp;  // NIC's ns, what its register holds
  std::uint64_t late = 0;              // the driver's counter
  Ticks before{}, after{};             // of the last burst
};

}  // namespace

TEST_CASE("on the plain rung replies say when they were written, or a fixed time later") {
  for (const double latency : {0.0, 2e-3}) {  // much longer than a burst takes, also on a busy machine
    Sending port{latency == 0 ? "tx_plain" : "tx_static", false, false, {latency, 0}};
    CHECK(port.rung() == TransmitRung::plain);
    for (const Sent& sent : port.burst(3)) {
      CHECK(port.says(sent, latency));
      CHECK_FALSE(sent.launched);
      CHECK_FALSE(sent.flagged);
    }
    CHECK(port.s.count(server::Stamp::transmit_daemon) == 3);
  }
}

TEST_CASE("a NIC that launches sends at the instant that the reply says") {
  Sending port{"tx_launch", true, false};
  REQUIRE(port.rung() == TransmitRung::launch);
  NtpTimestamp end{};
  for (int round = 0; round < 5; ++round) {
    const auto sent = port.burst(4);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      CHECK(sent[i].launched == (i == 0));  // one stamp schedules the burst
      if (i > 0)
        CHECK(seconds(sent[i].transmit - sent[i - 1].transmit) ==
              Approx(Sending::wire(sent[i - 1].length)).margin(1e-9));
    }
    const Ticks launch = port.map.ticks_at(sent[0].launch);
    CHECK(std::fabs(seconds(sent[0].transmit - port.time_at(launch))) < 3e-9);
    CHECK(port.says(sent[0], 10e-6));
    if (round > 0) CHECK((sent[0].transmit - end).units >= 0);  // never into the burst before
    end = sent[3].transmit;
  }
  CHECK(port.count(TransmitEvent::launched) == 5);
  CHECK(port.s.count(server::Stamp::transmit_hardware) + port.s.count(server::Stamp::transmit_daemon) == 20);
}

TEST_CASE("what a NIC's stamps and launches are known to be off by is made good") {
  constexpr double kOff = 300e-9;
  Sending launching{"tx_comp_launch", true, false, {0, kOff}};
  const auto sent = launching.burst(1);
  REQUIRE(sent[0].launched);
  CHECK(seconds(sent[0].transmit - launching.time_at(launching.map.ticks_at(sent[0].launch))) ==
        Approx(kOff).margin(3e-9));

  // Nor do bursts that follow each other drift apart by it.
  launching.control->refresh(launching.map, 10, launching.now(), launching.log);
  const double wire = static_cast<double>(clock::wire_bytes(sent[0].length)) * 8 / 10e6;
  const auto [one, two] = launching.together(2, wire);
  CHECK(static_cast<double>(two[0].launch - one[0].launch) * 1e-9 == Approx(2 * wire).margin(1e-8));

  Sending stamping{"tx_comp_stamp", false, true, {0, kOff}};
  stamping.control->sample(stamping.map, stamping.now());
  const auto first = stamping.burst(1, 1);
  const Ticks left = stamping.now();
  stamping.stamp = stamping.nic_at(left);
  stamping.control->sample(stamping.map, stamping.now());
  stamping.s.worker.keep_house();
  const auto second = stamping.burst(1, first[0].receive.value);
  CHECK(second[0].origin.value == 0x7777);
  CHECK(seconds(second[0].transmit - stamping.time_at(left)) == Approx(kOff).margin(3e-9));
}

TEST_CASE("a burst that was interrupted before it was sent is remembered by when that was") {
  Sending port{"tx_interrupted", true, false};
  port.control->refresh(port.map, kSpeed, port.now(), port.log);
  // The driver takes longer than the launch lies ahead.
  const auto* callback = rte_eth_add_tx_callback(
      port.s.port.id(), 0,
      [](std::uint16_t, std::uint16_t, rte_mbuf**, std::uint16_t count, void*) {
        const std::uint64_t start = os::read_tsc().value;
        while (os::read_tsc().value - start < rte_get_tsc_hz() / 10'000) {
        }
        return count;
      },
      nullptr);
  REQUIRE(callback != nullptr);
  const auto first = port.burst(1, 1);
  const Ticks after = port.after;
  CHECK(port.count(TransmitEvent::late) == 1);
  CHECK(port.s.count(server::Stamp::transmit_daemon) == 1);
  CHECK(rte_eth_remove_tx_callback(port.s.port.id(), 0, callback) == 0);
  const auto second = port.burst(1, first[0].receive.value);
  CHECK(second[0].origin.value == 0x7777);
  CHECK((second[0].transmit - first[0].transmit).units > 0);
  CHECK((port.time_at(after) - second[0].transmit).units > 0);
  CHECK(seconds(second[0].transmit - first[0].receive) >= 50e-6);
}

TEST_CASE("bursts launched closer together than they take on the wire follow each other without overlap") {
  Sending port{"tx_busy", true, false};
  port.control->refresh(port.map, 10, port.now(), port.log);  // 10 Mbit/s: a reply takes 91 us
  const double wire = static_cast<double>(clock::wire_bytes(port.burst(1)[0].length)) * 8 / 10e6;
  const auto [first, second] = port.together(2, wire);
  CHECK(seconds(second[0].transmit - first[0].transmit) == Approx(2 * wire).margin(1e-8));
  CHECK(std::fabs(seconds(second[0].transmit - port.time_at(port.map.ticks_at(second[0].launch)))) < 3e-9);
}

TEST_CASE("without the NIC's clock nothing is launched") {
  Sending port{"tx_no_clock", true, false};
  REQUIRE(port.rung() == TransmitRung::launch);
  port.control->refresh({}, kSpeed, port.now(), port.log);
  CHECK(port.rung() == TransmitRung::plain);
  CHECK_FALSE(port.burst(1)[0].launched);
  port.refresh(5);
  CHECK(port.rung() == TransmitRung::plain);
  port.refresh(11);
  CHECK(port.rung() == TransmitRung::launch);
  port.map.expires = port.now();  // nobody refreshes any more
  port.control->refresh(port.map, kSpeed, {port.map.expires.value - 1}, port.log);
  const auto sent = port.burst(1);
  CHECK_FALSE(sent[0].launched);
  CHECK(port.says(sent[0], 0));
}

TEST_CASE("a port whose NIC reports late frames steps down, and climbs back after a quiet time") {
  Sending port{"tx_late", true, false};
  REQUIRE(port.rung() == TransmitRung::launch);
  port.late = 1;
  port.refresh();
  CHECK(port.rung() == TransmitRung::launch);
  port.late = 5;
  port.refresh(0.2);
  CHECK(port.rung() == TransmitRung::plain);
  CHECK(port.count(TransmitEvent::late) >= 5);
  const auto sent = port.burst(1);
  CHECK_FALSE(sent[0].launched);
  CHECK(port.says(sent[0], 0));
  port.refresh(50);
  CHECK(port.rung() == TransmitRung::plain);
  port.refresh(61);
  CHECK(port.rung() == TransmitRung::launch);
  CHECK(port.burst(1)[0].launched);
}

TEST_CASE("one frame at a time is flagged to be stamped, until the stamp was read or is overdue") {
  Sending port{"tx_one", false, true};
  const auto flagged = [](const std::vector<Sent>& sent) {
    return std::count_if(sent.begin(), sent.end(), [](const Sent& f) { return f.flagged; });
  };
  CHECK(flagged(port.burst(3)) == 0);
  const Ticks asked = port.now();
  port.control->sample(port.map, asked);
  CHECK(flagged(port.burst(3)) == 1);
  CHECK(flagged(port.burst(3)) == 0);
  port.control->sample(port.map, asked);  // not there yet
  CHECK(flagged(port.burst(3)) == 0);
  port.stamp = port.nic_at(port.now());
  port.control->sample(port.map, port.now());
  CHECK(port.count(TransmitEvent::sampled) == 1);
  CHECK(flagged(port.burst(3)) == 1);
  port.control->sample(port.map, port.now(0.006));
  CHECK(port.count(TransmitEvent::lost) == 1);
  port.stamp = port.nic_at(port.now());  // too late, and not the next one's
  CHECK(flagged(port.burst(3)) == 1);
}

TEST_CASE("a NIC that never stamps is asked ever more seldom") {
  Sending port{"tx_never", false, true};
  unsigned flagged = 0;
  for (int i = 0; i < 1000; ++i) {
    port.control->sample(port.map, port.now(0.006));
    flagged += port.burst(1)[0].flagged;
  }
  CHECK(flagged < 210);
  CHECK(port.count(TransmitEvent::lost) >= 200);
  CHECK(port.rung() == TransmitRung::plain);
}

TEST_CASE("stamps that cannot be true are refused") {
  Sending port{"tx_refused", false, true};
  for (const std::int64_t off : {-1'000'000LL, 60'000'000'000LL}) {
    port.control->sample(port.map, port.now());
    (void)port.burst(1);
    port.stamp = port.nic_at(port.before) + static_cast<std::uint64_t>(off);
    port.control->sample(port.map, port.now());
  }
  CHECK(port.count(TransmitEvent::refused) == 2);
  CHECK(port.count(TransmitEvent::sampled) == 0);
}

TEST_CASE(
    "with stamps sampled replies say when they will have left, each after the wire time of those before") {
  Sending port{"tx_predicted", false, true};
  constexpr double kLatency = 30e-6;
  for (int i = 0; i < 20; ++i) CHECK(port.says(port.sampled(2, kLatency)[0], 0));
  CHECK(port.rung() == TransmitRung::plain);
  port.refresh();
  REQUIRE(port.rung() == TransmitRung::predicted);
  REQUIRE(port.control->status().latency);
  CHECK(std::fabs(*port.control->status().latency - kLatency) < 10e-9);
  const auto sent = port.burst(2);
  CHECK(port.says(sent[0], *port.control->status().latency));
  CHECK(seconds(sent[1].transmit - sent[0].transmit) == Approx(Sending::wire(sent[0].length)).margin(1e-9));
  CHECK_FALSE(sent[0].launched);
}

TEST_CASE("a port whose NIC stamps no more steps down, and climbs back when it does again") {
  Sending port{"tx_lost", false, true};
  for (int i = 0; i < 20; ++i) (void)port.sampled(1, 30e-6);
  port.refresh();
  REQUIRE(port.rung() == TransmitRung::predicted);
  for (int i = 0; i < 8; ++i) {
    port.control->sample(port.map, port.now());
    (void)port.burst(1);
    port.control->sample(port.map, port.now(0.006));
  }
  CHECK(port.count(TransmitEvent::lost) == 8);
  port.refresh();
  CHECK(port.rung() == TransmitRung::plain);
  CHECK(port.says(port.burst(1)[0], 0));
  (void)port.sampled(1, 30e-6);
  port.refresh(50);
  CHECK(port.rung() == TransmitRung::plain);
  port.refresh(61);
  CHECK(port.rung() == TransmitRung::predicted);
}

TEST_CASE("a port whose replies leave at no predictable time steps down") {
  Sending port{"tx_spread", false, true};
  for (int i = 0; i < 20; ++i) (void)port.sampled(1, 30e-6);
  port.refresh();
  REQUIRE(port.rung() == TransmitRung::predicted);
  for (int i = 0; i < 64; ++i) (void)port.sampled(1, 60e-6, (i % 2) * 50e-6);
  port.refresh();
  CHECK(port.rung() == TransmitRung::plain);
  CHECK(*port.control->status().spread > 2e-6);
}

TEST_CASE("a client in interleaved mode is told when the NIC says that its reply left") {
  Sending port{"tx_interleaved", false, true};
  port.control->sample(port.map, port.now());
  const auto first = port.burst(1, 1);
  REQUIRE(first[0].flagged);
  const Ticks left = port.now();
  port.stamp = port.nic_at(left);
  port.control->sample(port.map, port.now());
  port.s.worker.keep_house();
  CHECK(port.count(TransmitEvent::remembered) == 1);
  const auto second = port.burst(1, first[0].receive.value);
  CHECK(second[0].origin.value == 0x7777);
  CHECK(std::fabs(seconds(second[0].transmit - port.time_at(left))) < 3e-9);
}

TEST_CASE("a measured time for a reply that is no longer remembered is dropped") {
  Sending port{"tx_reused", false, true};
  port.control->sample(port.map, port.now());
  const auto first = port.burst(1, 1);
  REQUIRE(first[0].flagged);
  const auto second = port.burst(1, first[0].receive.value);  // takes the first one's place
  CHECK(second[0].origin.value == 0x7777);
  const Ticks answered = port.after;
  port.stamp = port.nic_at(port.now());
  port.control->sample(port.map, port.now());
  port.s.worker.keep_house();
  CHECK(port.count(TransmitEvent::remembered) == 0);
  const auto third = port.burst(1, second[0].receive.value);
  CHECK(third[0].origin.value == 0x7777);
  CHECK((third[0].transmit - second[0].receive).units > 0);
  CHECK((port.time_at(answered) - third[0].transmit).units >= 0);
  port.control->sample(port.map, port.now());
  CHECK(port.burst(1)[0].flagged);  // and the slot is free again
}
