// SPDX-License-Identifier: BSD-3-Clause
// A capture of chronyd's client and server, with an Association in the client's place: given the same random
// numbers it sends the same bytes, and chronyd's own replies give samples.
#include <cmath>

#include "catch.hpp"
#include "ntp/association.hpp"
#include "tests/support/pcap_reader.hpp"

using namespace wiretime;
using namespace wiretime::ntp;

namespace {

struct Captured {
  WallTime at{};
  bool request = false;
  Header bytes{};
};

std::vector<Captured> conversation(const std::string& name) {
  constexpr std::size_t kUdp = 34, kPayload = 42;
  std::vector<Captured> found;
  for (const auto& frame : testing::read_golden(name)) {
    const auto* p = frame.bytes.data();
    if (frame.bytes.size() < kPayload + kHeaderLength || load_be16(p + 12) != 0x0800) continue;
    Captured c;
    c.at = WallTime{std::chrono::microseconds{frame.microseconds}};
    c.request = load_be16(p + kUdp + 2) == kPort;
    if (!c.request && load_be16(p + kUdp) != kPort) continue;
    std::memcpy(c.bytes.data(), p + kPayload, kHeaderLength);
    found.push_back(c);
  }
  return found;
}

struct Outcome {
  unsigned requests = 0;
  unsigned interleaved = 0;
  std::vector<clock::Sample> samples;
  std::uint16_t tests = 0x3FF;  // of all replies together
};

Outcome replay(const std::string& name, const SourceOptions& options) {
  Outcome outcome;
  Association association{options, LocalClock{1e-6, -20}};
  const auto packets = conversation(name);
  REQUIRE_FALSE(packets.empty());
  Moment now;
  static_cast<void>(association.start(now));
  for (const auto& packet : packets) {
    now.wall = packet.at;
    now.monotonic = std::chrono::seconds{1} + (packet.at - packets.front().at);
    Actions actions;
    if (packet.request) {
      const Reply r = read_reply(packet.bytes);
      now.random = {r.transmit.value, r.receive.value, 0};
      actions = association.timer(now);
      REQUIRE_FALSE(actions.empty());
      const auto* send = std::get_if<Send>(&actions.front());
      REQUIRE(send != nullptr);
      CHECK(send->bytes == packet.bytes);
      ++outcome.requests;
      continue;
    }
    Reception reception;
    reception.bytes = packet.bytes;
    reception.stamp = {packet.at, 1e-6, StampSource::kernel};
    reception.own_refid = 0xC000'0202U;
    actions = association.receive(now, reception);
    outcome.tests &= association.report().tests;
    if (association.report().interleaved) ++outcome.interleaved;
    for (const auto& action : actions) {
      if (const auto* taken = std::get_if<SampleTaken>(&action)) {
        outcome.samples.push_back(taken->sample);
        static_cast<void>(association.judged(now, {}));
      }
    }
  }
  return outcome;
}

}  // namespace

TEST_CASE("in the place of chronyd's client we send the same bytes and accept chronyd's replies") {
  SourceOptions options;
  options.iburst = true;
  const Outcome o = replay("chronyd-v4", options);
  CHECK(o.requests >= 3);
  CHECK(o.samples.size() == o.requests);
  CHECK(o.interleaved == 0);
  CHECK(o.tests == 0x3FF);
  // Both ends read the same clock, over a virtual wire; the capture's own stamps wander by a millisecond.
  for (const auto& s : o.samples) CHECK(std::fabs(s.offset) < 3e-3);
}

TEST_CASE("in interleaved mode as well, from the third exchange on") {
  SourceOptions options;
  options.min_poll = -2;
  options.max_poll = -2;
  options.xleave = true;
  const Outcome o = replay("chronyd-xleave-v4", options);
  CHECK(o.requests >= 5);
  CHECK(o.samples.size() == o.requests);
  CHECK(o.interleaved == o.requests - 2);
  CHECK(o.tests == 0x3FF);
  for (const auto& s : o.samples) {
    CHECK(std::fabs(s.offset) < 3e-3);
    CHECK(s.peer_delay < 3e-3);
  }
}
