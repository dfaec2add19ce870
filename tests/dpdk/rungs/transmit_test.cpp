// SPDX-License-Identifier: BSD-3-Clause
// Transmit stamps of each rung, by the worker that ships, against simulated true time.
#include "catch.hpp"
#include "rungs/measurements.hpp"

using namespace wiretime;
using namespace wiretime::dpdk::test;
using clock::TransmitEvent;
using clock::TransmitRung;
using server::Stamp;

namespace {

std::uint64_t counted(const Rig& rig, TransmitEvent event) {
  return rig.transmit_status().events[static_cast<std::size_t>(event)];
}

// The port stands on that rung, and all that were asked were answered by it.
void check_all(const Rig& rig, TransmitRung rung) {
  INFO(name(rig.transmit_status().rung));
  CHECK(rig.transmit_status().rung == rung);
  CHECK(rig.asked > 30'000);
  CHECK(rig.receive.count() == rig.asked);
  CHECK(rig.count(Stamp::transmit_hardware) == (rung == TransmitRung::launch ? rig.asked : 0));
  CHECK(rig.count(Stamp::transmit_daemon) == (rung == TransmitRung::launch ? 0 : rig.asked));
}

}  // namespace

TEST_CASE("replies that the NIC launches leave within 10 ns of what they say, at half load and at full") {
  for (const bool full : {false, true}) {
    const RigConfig config = replying(TransmitRung::launch);
    const auto rig = full ? served(full_wire(config), kFullSeconds) : served(config);
    INFO(text(rig->transmit));
    check_all(*rig, TransmitRung::launch);
    CHECK(counted(*rig, TransmitEvent::launched) > 30'000);
    CHECK(rig->transmit.mean() < 10e-9);
    CHECK(rig->transmit.most() < 100e-9);
  }
}

TEST_CASE(
    "predicted transmit stamps are right to 50 ns in the median and 500 ns in 99 of 100, under full load") {
  const RigConfig config = replying(TransmitRung::predicted);
  const std::pair<RigConfig, double> cases[] = {
      {config, 60},
      {full_wire(config), kFullSeconds},
      {full_worker(config), kFullSeconds},
      // What delays a burst between its prediction and the doorbell delays those behind it, too.
      {interrupted(full_wire(config)), kFullSeconds},
  };
  for (const auto& [what, seconds] : cases) {
    const auto rig = served(what, seconds);
    INFO(text(rig->transmit));
    check_all(*rig, TransmitRung::predicted);
    CHECK(counted(*rig, TransmitEvent::lost) > 0);  // some of the NIC's stamps never come
    CHECK(rig->transmit.median() < 50e-9);
    CHECK(rig->transmit.quantile(0.99) < 500e-9);
  }
}

TEST_CASE("plain transmit stamps are early by the NIC's latency, and the frames ahead") {
  const auto rig = served(replying(TransmitRung::plain));
  INFO(text(rig->transmit));
  check_all(*rig, TransmitRung::plain);
  CHECK(rig->transmit.bias() < -700e-9);
  CHECK(rig->transmit.median() > 700e-9);
}

TEST_CASE("interleaved clients are told within 10 ns when a reply left that the NIC has stamped") {
  for (const TransmitRung rung : {TransmitRung::predicted, TransmitRung::launch}) {
    RigConfig config = replying(rung);
    config.interleaved = true;
    const auto rig = served(config);
    INFO(text(rig->measured) << "; all: " << text(rig->interleaved));
    check_all(*rig, rung);
    CHECK(counted(*rig, TransmitEvent::remembered) > 2'000);
    CHECK(rig->measured.count() > 2'000);
    CHECK(rig->measured.mean() < 10e-9);
    CHECK(rig->measured.most() < 100e-9);
    CHECK(rig->interleaved.count() == rig->asked);
    CHECK(rig->interleaved.median() < 50e-9);
  }
}

TEST_CASE(
    "a port whose NIC launches late goes on by prediction, one whose stamps stop coming by the worker's "
    "clock") {
  RigConfig config = replying(TransmitRung::launch);
  config.link.transmit_latency = 30e-6;  // longer than frames are launched ahead
  const auto late = served(config, 5);
  INFO(text(late->transmit));
  CHECK(late->transmit_status().rung == TransmitRung::predicted);
  CHECK(counted(*late, TransmitEvent::late) > 0);
  CHECK(late->count(Stamp::transmit_hardware) == 0);
  CHECK(late->transmit.median() < 50e-9);

  config = replying(TransmitRung::predicted);
  Rig mute{config};
  mute.settle(3);
  mute.run(1);
  CHECK(mute.transmit_status().rung == TransmitRung::predicted);
  mute.port().mute = true;
  mute.run(1);
  CHECK(mute.transmit_status().rung == TransmitRung::plain);
  mute.begin_anew();
  mute.run(1);
  CHECK(mute.receive.count() == mute.asked);
  CHECK(mute.transmit.median() > 700e-9);
}
