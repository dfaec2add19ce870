// SPDX-License-Identifier: BSD-3-Clause
#include "control/reply_stamps.hpp"

#include <algorithm>
#include <vector>

#include "base/bytes.hpp"
#include "catch.hpp"
#include "ntp/packet.hpp"

using namespace wiretime;
using control::ReplyStamps;
using ntp::ExchangeLine;
using ntp::StampSource;

namespace {

constexpr std::uint64_t kMicrosecond = 4295;
constexpr NtpTimestamp kReceive{0xEBBE'0000'1234'5678U};
constexpr std::uint8_t kEpoch = 3;

NtpTimestamp after(std::uint64_t microseconds) {
  return NtpTimestamp{kReceive.value + microseconds * kMicrosecond};
}

// A reply of `length`, behind as many bytes of link and network headers.
std::vector<std::byte> frame_of(NtpTimestamp receive, std::size_t length, std::size_t headers) {
  std::vector<std::byte> frame(headers + std::max(length, ntp::kHeaderLength), std::byte{0x5A});
  store_be64(frame.data() + headers + ntp::offset::kReceive, receive.value);
  frame.resize(headers + length);
  return frame;
}

}  // namespace

TEST_CASE("a reply's transmit time becomes what the kernel says of it, and then what the NIC says") {
  for (const std::size_t length : {48U, 68U, 72U}) {
    ReplyStamps stamps;
    ExchangeLine::Entry entry = ExchangeLine::entry(kReceive, after(10), kEpoch);
    stamps.expect(frame_of(kReceive, length, 0), &entry, kEpoch);
    CHECK(stamps.source_of(entry) == StampSource::daemon);
    const auto frame = frame_of(kReceive, length, 42);
    CHECK(stamps.left(frame, after(30), StampSource::kernel));
    CHECK(ExchangeLine::transmit(entry, kReceive) == after(30));
    CHECK(stamps.source_of(entry) == StampSource::kernel);
    CHECK(stamps.left(frame, after(35), StampSource::hardware));
    CHECK(ExchangeLine::transmit(entry, kReceive) == after(35));
    CHECK(stamps.source_of(entry) == StampSource::hardware);
    CHECK_FALSE(stamps.left(frame, after(30), StampSource::kernel));  // late
    CHECK(ExchangeLine::transmit(entry, kReceive) == after(35));
  }
}

TEST_CASE("a transmit time that no exchange can have, or of another packet, changes nothing") {
  ReplyStamps stamps;
  const ExchangeLine::Entry before = ExchangeLine::entry(kReceive, after(10), kEpoch);
  ExchangeLine::Entry entry = before;
  CHECK_FALSE(stamps.left(frame_of(kReceive, 48, 42), after(30), StampSource::kernel));
  stamps.expect(frame_of(kReceive, 48, 0), &entry, kEpoch);
  CHECK_FALSE(stamps.left(frame_of(after(1), 48, 42), after(30), StampSource::kernel));
  CHECK_FALSE(stamps.left(frame_of(kReceive, 30, 0), after(30), StampSource::kernel));
  CHECK_FALSE(stamps.left(frame_of(kReceive, 48, 42), after(0), StampSource::kernel));
  CHECK_FALSE(stamps.left(frame_of(kReceive, 48, 42), after(70'000), StampSource::kernel));
  CHECK(entry == before);
}

TEST_CASE("a transmit time comes too late for an exchange that another reply has taken the place of") {
  ReplyStamps stamps;
  ExchangeLine::Entry entry = ExchangeLine::entry(kReceive, after(10), kEpoch);
  stamps.expect(frame_of(kReceive, 48, 0), &entry, kEpoch);
  const ExchangeLine::Entry other = entry = ExchangeLine::entry(after(500), after(510), kEpoch);
  CHECK_FALSE(stamps.left(frame_of(kReceive, 48, 42), after(30), StampSource::hardware));
  CHECK(entry == other);
  CHECK(stamps.source_of(entry) == StampSource::daemon);
}
