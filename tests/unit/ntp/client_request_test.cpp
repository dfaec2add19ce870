// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/client_request.hpp"

#include <random>

#include "catch.hpp"
#include "tests/support/pcap_reader.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using namespace std::chrono_literals;

namespace {

// NTP messages of a capture over IPv4 that go to port 123.
std::vector<Header> golden_requests(const std::string& name) {
  constexpr std::size_t kUdp = 34, kPayload = 42;
  std::vector<Header> found;
  for (const auto& frame : testing::read_golden(name)) {
    const auto* p = frame.bytes.data();
    if (frame.bytes.size() < kPayload + kHeaderLength || load_be16(p + 12) != 0x0800) continue;
    if (load_be16(p + kUdp + 2) != kPort || load_be32(p + 26) != 0xC000'0202U) continue;
    Header m;
    std::memcpy(m.data(), p + kPayload, m.size());
    found.push_back(m);
  }
  return found;
}

RequestStamps stamps_of(const Header& m) {
  return {timestamp(m.data(), offset::kOrigin), timestamp(m.data(), offset::kReceive),
          timestamp(m.data(), offset::kTransmit)};
}

int poll_of(const Header& m) {
  return static_cast<std::int8_t>(load_u8(m.data() + offset::kPoll));
}

}  // namespace

TEST_CASE("a client's request is byte for byte what chronyd sends with the same poll and random stamp") {
  for (const char* name : {"chronyd-v4", "chronyd-version3-v4", "chronyd-version1-v4", "chronyd-xleave-v4"}) {
    const auto requests = golden_requests(name);
    REQUIRE_FALSE(requests.empty());
    for (const auto& request : requests)
      CHECK(client_request(version(request.data()), poll_of(request), stamps_of(request)) == request);
  }
}

TEST_CASE("a peer's packet is byte for byte what chronyd sends in the same state") {
  const auto packets = golden_requests("chronyd-peer-v4");
  REQUIRE(packets.size() > 3);
  for (const auto& packet : packets) {
    const auto* m = packet.data();
    clock::Reference reference;
    reference.leap = static_cast<clock::Leap>(leap(m));
    reference.stratum = load_u8(m + offset::kStratum);
    reference.root_delay = {load_be32(m + offset::kRootDelay)};
    reference.root_dispersion = {load_be32(m + offset::kRootDispersion)};
    reference.refid = load_be32(m + offset::kReferenceId);
    reference.reference_time = timestamp(m, offset::kReferenceTime);
    const auto precision = static_cast<std::int8_t>(load_u8(m + offset::kPrecision));
    CHECK(symmetric_packet(version(m), poll_of(packet), precision, reference, stamps_of(packet)) == packet);
  }
}

TEST_CASE("what is read back from a request is what was written") {
  std::mt19937_64 random{7};
  for (int i = 0; i < 1000; ++i) {
    const RequestStamps stamps{{random()}, {random()}, {random()}};
    const auto v = static_cast<std::uint8_t>(1 + random() % 4);
    const int poll = static_cast<int>(random() % 32) - 7;
    const Reply r = read_reply(client_request(v, poll, stamps));
    CHECK(r.version == v);
    CHECK(r.mode == Mode::client);
    CHECK(r.poll == poll);
    CHECK(r.origin == stamps.origin);
    CHECK(r.receive == stamps.receive);
    CHECK(r.transmit == stamps.transmit);
  }
}

TEST_CASE("stamps on the wire keep the precision, differ in parity and are never zero") {
  std::mt19937_64 random{8};
  for (int i = 0; i < 1000; ++i) {
    const WallTime t{1'800'000'000s + Nanoseconds{static_cast<std::int64_t>(random() % 1'000'000'000)}};
    const auto precision = static_cast<std::int8_t>(-32 + static_cast<int>(random() % 30));
    const double resolution = std::ldexp(1.0, precision < -31 ? -31 : precision);
    const auto receive = receive_on_wire(t, precision, random());
    const auto transmit = transmit_on_wire(t, precision, random());
    CHECK((receive.value & 1U) == 1);
    CHECK((transmit.value & 1U) == 0);
    CHECK(std::abs((receive - NtpTimestamp::from(t)).seconds()) <= resolution);
    CHECK(std::abs((transmit - NtpTimestamp::from(t)).seconds()) <= resolution);
  }
  const WallTime era_start{NtpTimestamp{0}.near(WallTime{2'085'978'496s})};
  CHECK(transmit_on_wire(era_start, -32, 0).value != 0);
}
