// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/response.hpp"

#include <random>

#include "catch.hpp"
#include "ntp/message.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using namespace std::chrono_literals;
using test::add_field;
using test::ntp_request;

namespace {

clock::TimeSnapshot snapshot() {
  clock::TimeSnapshot s;
  s.valid = true;
  s.precision = -23;
  s.anchor_time = NtpTimestamp::from(WallTime{1'800'000'000s});
  s.reference = {clock::Leap::insert, 2,
                 0xC0000201U,         NtpShort::from(15ms),
                 NtpShort::from(3ms), NtpTimestamp::from(WallTime{1'799'999'990s})};
  return s;
}

}  // namespace

TEST_CASE("versions 1 to 4 of modes 3 and 1 are requests") {
  for (unsigned v = 1; v <= 4; ++v) {
    CHECK(judge_request(ntp_request(v, 3), 123).verdict == Verdict::answered);
    CHECK(judge_request(ntp_request(v, 1), 123).verdict == Verdict::answered_symmetric);
  }
}

TEST_CASE("version 1 without a mode is answered, but not to port 123") {
  CHECK(judge_request(ntp_request(1, 0), 40000).verdict == Verdict::answered_version1);
  CHECK(judge_request(ntp_request(1, 0), 123).verdict == Verdict::source_port_reflects);
  for (unsigned v = 2; v <= 4; ++v)
    CHECK(judge_request(ntp_request(v, 0), 40000).verdict == Verdict::ntp_mode_reserved);
}

TEST_CASE("answers and broadcasts are not requests") {
  for (unsigned mode : {2U, 4U, 5U})
    CHECK(judge_request(ntp_request(4, mode), 40000).verdict == Verdict::ntp_mode_response);
}

TEST_CASE("control and private messages get silence at any length") {
  for (std::size_t length : {1U, 8U, 12U, 48U, 480U}) {
    CHECK(judge_request(ntp_request(2, 6, length), 40000).verdict == Verdict::ntp_mode_control);
    CHECK(judge_request(ntp_request(2, 7, length), 40000).verdict == Verdict::ntp_mode_private);
  }
}

TEST_CASE("unknown versions are refused") {
  for (unsigned v : {0U, 5U, 6U, 7U})
    CHECK(judge_request(ntp_request(v, 3), 40000).verdict == Verdict::ntp_version_unsupported);
}

TEST_CASE("lengths are judged") {
  for (std::size_t length = 0; length < 48; ++length)
    CHECK(judge_request(ntp_request(4, 3, length), 40000).verdict == Verdict::ntp_too_short);
  CHECK(judge_request(ntp_request(4, 3, 50), 40000).verdict == Verdict::ntp_length_unaligned);
  CHECK(judge_request(ntp_request(4, 3, kMaxRequestLength + 4), 40000).verdict == Verdict::ntp_too_long);
}

TEST_CASE("fields that change nothing are ignored, authentication is not") {
  auto m = ntp_request();
  add_field(m, 0x2005, 28);
  CHECK(judge_request(m, 40000).verdict == Verdict::answered);
  add_field(m, 0x0204, 100);
  CHECK(judge_request(m, 40000).verdict == Verdict::ntp_authentication_unsupported);
  CHECK(judge_request(ntp_request(4, 3, 68), 40000).verdict == Verdict::answered);
  CHECK(judge_request(ntp_request(4, 3, 68), 40000).mac_start == 48);
  CHECK(judge_request(ntp_request(), 40000).mac_start == 0);
  CHECK(judge_request(ntp_request(4, 3, 52), 40000).verdict == Verdict::ntp_mac_invalid);  // a crypto-NAK
  CHECK(judge_request(ntp_request(4, 3, 60), 40000).verdict == Verdict::ntp_extension_invalid);
}

TEST_CASE("a response carries the snapshot's reference and the client's stamp") {
  auto m = ntp_request(3, 3);
  const auto s = snapshot();
  const auto receive = s.anchor_time + NtpDuration::from(1ms);
  ReplyTemplate{s, receive, -128}.write(m.data(), Verdict::answered, receive, 0);
  ReplyTemplate::stamp(m.data(), receive + NtpDuration::from(20us), ReplyTemplate::noise_mask(s.precision),
                       0);
  CHECK(leap(m.data()) == 1);
  CHECK(version(m.data()) == 3);
  CHECK(mode(m.data()) == Mode::server);
  CHECK(load_u8(m.data() + offset::kStratum) == 2);
  CHECK(load_u8(m.data() + offset::kPoll) == 6);
  CHECK(static_cast<std::int8_t>(load_u8(m.data() + offset::kPrecision)) == -23);
  CHECK(load_be32(m.data() + offset::kRootDelay) == s.reference.root_delay.value);
  CHECK(load_be32(m.data() + offset::kRootDispersion) == s.reference.root_dispersion.value);
  CHECK(load_be32(m.data() + offset::kReferenceId) == 0xC0000201U);
  CHECK(timestamp(m.data(), offset::kReferenceTime) == s.reference.reference_time);
  CHECK(timestamp(m.data(), offset::kOrigin).value == 0x0123'4567'89AB'CDEFU);
  CHECK(std::chrono::abs((timestamp(m.data(), offset::kReceive) - receive).nanoseconds()) <= 120ns);
  CHECK(std::chrono::abs((timestamp(m.data(), offset::kTransmit) - receive).nanoseconds() - 20us) <= 120ns);
}

TEST_CASE("reply modes match request modes, and no reply has mode 0") {
  for (auto [kind, expected] :
       {std::pair{Verdict::answered, Mode::server}, std::pair{Verdict::answered_version1, Mode::server},
        std::pair{Verdict::answered_symmetric, Mode::symmetric_passive}}) {
    auto m = ntp_request(1, 0);
    ReplyTemplate{snapshot(), {}, -128}.write(m.data(), kind, {}, 0);
    CHECK(mode(m.data()) == expected);
    CHECK(version(m.data()) == 1);
  }
}

TEST_CASE("an unsynchronised server says so on the wire") {
  auto m = ntp_request();
  clock::TimeSnapshot s;
  s.valid = true;
  ReplyTemplate{s, {}, -128}.write(m.data(), Verdict::answered, {}, 0);
  CHECK(leap(m.data()) == 3);
  CHECK(load_u8(m.data() + offset::kStratum) == 0);
}

TEST_CASE("receive stamps are odd, transmit stamps even, and no two stamps of a reply are equal") {
  std::mt19937_64 random{20261123};
  auto s = snapshot();
  for (int i = 0; i < 20'000; ++i) {
    s.precision = static_cast<std::int8_t>(-32 + i % 33);
    auto m = ntp_request();
    const NtpTimestamp receive{random()};
    const NtpTimestamp transmit{i % 2 == 0 ? receive.value : random()};
    const std::uint64_t noise = i % 3 == 0 ? 0 : random();
    // The meanest origin: just what one of the stamps is about to be.
    auto probe = m;
    ReplyTemplate{s, receive, -128}.write(probe.data(), Verdict::answered, receive, noise);
    ReplyTemplate::stamp(probe.data(), transmit, ReplyTemplate::noise_mask(s.precision), noise);
    const auto field = i % 2 == 0 ? offset::kReceive : offset::kTransmit;
    set_timestamp(m.data(), offset::kTransmit, timestamp(probe.data(), field));
    ReplyTemplate{s, receive, -128}.write(m.data(), Verdict::answered, receive, noise);
    ReplyTemplate::stamp(m.data(), transmit, ReplyTemplate::noise_mask(s.precision), noise);
    const auto o = timestamp(m.data(), offset::kOrigin);
    const auto r = timestamp(m.data(), offset::kReceive);
    const auto t = timestamp(m.data(), offset::kTransmit);
    CHECK((r.value & 1) == 1);
    CHECK((t.value & 1) == 0);
    CHECK_FALSE(r == o);
    CHECK_FALSE(t == o);
  }
}

TEST_CASE("stamps are right in the era after 2036") {
  const WallTime in_2040{2'208'988'800s};
  auto s = snapshot();
  s.anchor_time = NtpTimestamp::from(in_2040);
  auto m = ntp_request();
  ReplyTemplate{s, NtpTimestamp::from(in_2040 + 1s), -128}.write(m.data(), Verdict::answered,
                                                                 NtpTimestamp::from(in_2040 + 1s), 0);
  CHECK(std::chrono::abs(timestamp(m.data(), offset::kReceive).near(in_2040) - in_2040 - 1s) <= 120ns);
}
