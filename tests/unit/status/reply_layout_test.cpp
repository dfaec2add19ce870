// SPDX-License-Identifier: BSD-3-Clause
// Where each field lies in each reply. The layouts were read back through the stock chronyc 4.3; here every
// field of the fake report, which are all different, is looked for at its offset.
#include <cmath>
#include <string>

#include "base/bytes.hpp"
#include "catch.hpp"
#include "fake_report.hpp"
#include "golden_requests.hpp"
#include "status/cmdmon.hpp"

using namespace wiretime;
using namespace wiretime::status;

namespace {

class Fields {
 public:
  explicit Fields(const std::vector<std::byte>& request) {
    fake::FakeReport report;
    fake::RecordingExecutor executor;
    reply_ = handle(request, Privilege::full, OpenCommands::stable(), report, executor);
    REQUIRE(reply_.bytes().size() > kReplyHeader);
  }

  unsigned u8() { return load_u8(take(1)); }
  int i8() { return static_cast<std::int8_t>(u8()); }
  unsigned u16() { return load_be16(take(2)); }
  std::uint32_t u32() { return load_be32(take(4)); }
  std::uint64_t u64() { return load_be64(take(8)); }
  // Six digits: what is left of a double after the wire.
  Approx real(double expected) {
    got_ = decode_float(u32());
    return Approx(expected).epsilon(1e-6);
  }
  double got() const { return got_; }
  std::string address() {
    const auto* p = take(16);
    const unsigned family = u16();
    CHECK(u16() == 0);
    if (family == 1) return IpAddress::v4(p).to_string();
    if (family == 2) return IpAddress::v6(p).to_string();
    return family == 3 ? "ID" + std::to_string(load_be32(p)) : "none";
  }
  std::string text(std::size_t n) {
    const auto* p = take(n);
    std::string s;
    for (std::size_t i = 0; i < n && p[i] != std::byte{0}; ++i) s += static_cast<char>(p[i]);
    return s;
  }
  void done() { CHECK(at_ == reply_.bytes().size()); }
  bool rest_is(std::uint8_t v) {
    bool same = true;
    while (at_ < reply_.bytes().size()) same = u8() == v && same;
    return same;
  }

 private:
  const std::byte* take(std::size_t n) {
    REQUIRE(at_ + n <= reply_.bytes().size());
    const auto* p = reply_.bytes().data() + at_;
    at_ += n;
    return p;
  }
  Reply reply_;
  std::size_t at_ = kReplyHeader;
  double got_ = 0;
};

#define CHECK_REAL(fields, expected)              \
  do {                                            \
    const auto expected_ = fields.real(expected); \
    CHECK(fields.got() == expected_);             \
  } while (false)

Fields item(std::string_view typed, std::uint32_t index) {
  auto request = golden::request(typed);
  store_be32(request.data() + kRequestHeader, index);
  return Fields{request};
}

}  // namespace

TEST_CASE("the tracking reply has each field in its place", "[layout]") {
  Fields f{golden::request("tracking")};
  CHECK(f.u32() == 0xc0000201);
  CHECK(f.address() == "192.0.2.1");
  CHECK(f.u16() == 3);
  CHECK(f.u16() == 0);
  CHECK(f.u32() == 0);
  CHECK(f.u32() == 1'700'000'100);
  CHECK(f.u32() == 123'456'789);
  for (const double v :
       {0.000012345, -0.000023456, 0.000034567, -12.345, 0.123, 0.456, 0.012345, 0.001234, 64.5}) {
    CHECK_REAL(f, v);
  }
  f.done();
}

TEST_CASE("the activity reply has each field in its place", "[layout]") {
  Fields f{golden::request("activity")};
  for (std::uint32_t i = 1; i <= 5; ++i) CHECK(f.u32() == i);
  f.done();
}

TEST_CASE("the source replies have each field in its place", "[layout]") {
  Fields first = item("sources (item)", 0);
  CHECK(first.address() == "192.0.2.1");
  CHECK(first.u16() == 6);
  CHECK(first.u16() == 2);
  CHECK(first.u16() == 0);  // selected
  CHECK(first.u16() == 0);  // client
  CHECK(first.u16() == 0);
  CHECK(first.u16() == 0xfe);
  CHECK(first.u32() == 17);
  CHECK_REAL(first, 0.000201);
  CHECK_REAL(first, -0.000102);
  CHECK_REAL(first, 0.000303);
  first.done();

  Fields second = item("sources (item)", 1);
  CHECK(second.address() == "2001:db8::2");
  CHECK(second.u16() == 0xfffd);  // poll -3
  CHECK(second.u16() == 0);
  CHECK(second.u16() == 4);  // combined
  CHECK(second.u16() == 1);  // peer
  CHECK(second.u32() == 0);
  CHECK(second.u32() == 0xffffffff);  // never sampled

  CHECK(item("sources (item)", 2).address() == "ID3");
  Fields clock = item("sources (item)", 3);
  CHECK(clock.address() == "80.80.83.48");
  clock.u32();
  CHECK(clock.u16() == 5);
  CHECK(clock.u16() == 2);
}

TEST_CASE("the sourcestats reply has each field in its place", "[layout]") {
  Fields f = item("sourcestats (item)", 1);
  CHECK(f.u32() == 0xc0000202);
  CHECK(f.address() == "2001:db8::2");
  CHECK(f.u32() == 11);
  CHECK(f.u32() == 6);
  CHECK(f.u32() == 1025);
  for (const double v : {0.000111, -0.222, 0.333, -0.000444, 0.000555}) CHECK_REAL(f, v);
  f.done();
  Fields clock = item("sourcestats (item)", 3);
  CHECK(clock.u32() == 0x50505330);
  CHECK(clock.address() == "none");
}

TEST_CASE("the selectdata reply has each field in its place", "[layout]") {
  Fields f = item("selectdata (item)", 0);
  CHECK(f.u32() == 0xc0000201);
  CHECK(f.address() == "192.0.2.1");
  CHECK(f.u8() == '*');
  CHECK(f.u8() == 1);
  CHECK(f.u8() == 0);
  CHECK(f.u8() == 0);
  CHECK(f.u16() == 6);  // prefer, trust
  CHECK(f.u16() == 8);  // require
  CHECK(f.u32() == 17);
  for (const double v : {1.5, -0.001, 0.002}) CHECK_REAL(f, v);
  f.done();
}

TEST_CASE("the authdata reply has each field in its place", "[layout]") {
  auto request = golden::request("authdata (item)");
  const auto named = golden::request("ntpdata 192.0.2.1");
  std::copy_n(named.begin() + kRequestHeader, 20, request.begin() + kRequestHeader);
  Fields f{request};
  CHECK(f.u16() == 2);
  CHECK(f.u16() == 15);
  CHECK(f.u32() == 77);
  CHECK(f.u16() == 256);
  CHECK(f.u16() == 3);
  CHECK(f.u32() == 3700);
  CHECK(f.u16() == 8);
  CHECK(f.u16() == 100);
  CHECK(f.u16() == 1);
  CHECK(f.u16() == 0);
  f.done();
}

TEST_CASE("both ntpdata replies have each field in its place", "[layout]") {
  for (const std::size_t length : {152U, 172U}) {
    auto request = golden::request("ntpdata 192.0.2.1");
    request.resize(length);
    Fields f{request};
    CHECK(f.address() == "192.0.2.1");
    CHECK(f.address() == "192.0.2.99");
    CHECK(f.u16() == 1123);
    CHECK(f.u8() == 1);
    CHECK(f.u8() == 3);
    CHECK(f.u8() == 2);
    CHECK(f.u8() == 2);
    CHECK(f.i8() == 7);
    CHECK(f.i8() == -23);
    CHECK_REAL(f, 0.001);
    CHECK_REAL(f, 0.002);
    CHECK(f.u32() == 0x47505300);
    CHECK(f.u64() == 1'700'000'050);
    CHECK(f.u32() == 500'000'000);
    for (const double v : {0.000003, 0.000004, 0.000005, 0.000006, -0.25}) CHECK_REAL(f, v);
    CHECK(f.u16() == (0x2ab | 0xc000));
    CHECK(f.u8() == 'H');
    CHECK(f.u8() == 'K');
    const std::uint32_t last = length == 152 ? 24 : 28;
    for (std::uint32_t n = 21; n <= last; ++n) CHECK(f.u32() == n);
    CHECK(f.rest_is(0xff));
  }
}

TEST_CASE("serverstats saturates for old clients and is exact for new ones", "[layout]") {
  Fields third{golden::request("serverstats")};
  CHECK(third.u32() == 0xffffffff);
  for (std::uint32_t n = 2; n <= 11; ++n) CHECK(third.u32() == n);
  third.done();

  auto request = golden::request("serverstats");
  request.resize(196);
  Fields fourth{request};
  CHECK(fourth.u64() == 0x1'0000'0001);
  for (std::uint64_t n = 2; n <= 16; ++n) CHECK(fourth.u64() == n);
  CHECK(fourth.u64() == 0x8000'0000'0000'0001);
  CHECK(fourth.rest_is(0xff));

  request.resize(60);
  Fields second{request};
  CHECK(second.u32() == 0xffffffff);
  for (std::uint32_t n = 2; n <= 8; ++n) CHECK(second.u32() == n);
  second.done();
}

TEST_CASE("a client record has each field in its place", "[layout]") {
  auto request = golden::request("clients -p 5 -r");
  store_be32(request.data() + kRequestHeader, 7);  // from index 7, at most
  store_be32(request.data() + kRequestHeader + 4, 2);
  Fields f{request};
  CHECK(f.u32() == 20);
  CHECK(f.u32() == 10);
  CHECK(f.u32() == 2);
  for (const std::uint32_t i : {7U, 9U}) {
    CHECK(f.address() == "2001:db8::" + std::to_string(i));
    for (const std::uint32_t offset : {0U, 200U, 400U, 100U, 300U, 500U}) CHECK(f.u32() == i + offset);
    CHECK(f.i8() == 6);
    CHECK(f.i8() == 7);
    CHECK(f.i8() == 127);
    CHECK(f.i8() == -3);
    CHECK(f.u32() == i + 1000);
    CHECK(f.u32() == i + 2000);
    CHECK(f.u32() == 0xffffffff);
  }
  CHECK(f.rest_is(0));
}

TEST_CASE("rtcdata, smoothing, sourcename and the manual list have each field in its place", "[layout]") {
  Fields rtc{golden::request("rtcdata")};
  CHECK(rtc.u64() == 1'700'000'010);
  CHECK(rtc.u32() == 0);
  CHECK(rtc.u16() == 11);
  CHECK(rtc.u16() == 12);
  CHECK(rtc.u32() == 1300);
  CHECK_REAL(rtc, 1.4);
  CHECK_REAL(rtc, -1.5);
  rtc.done();

  Fields smoothing{golden::request("smoothing")};
  CHECK(smoothing.u32() == 3);
  for (const double v : {0.000021, 0.000022, 0.000023, 24.5, 25.5}) CHECK_REAL(smoothing, v);
  smoothing.done();

  Fields name{golden::request("sourcename 192.0.2.1")};
  CHECK(name.text(256) == "ntp1.example.net");
  name.done();

  Fields manual{golden::request("manual list")};
  CHECK(manual.u32() == 16);  // of twenty
  for (std::uint32_t i = 0; i < 16; ++i) {
    CHECK(manual.u64() == 1'700'000'000 + i);
    CHECK(manual.u32() == 0);
    CHECK_REAL(manual, 0.1 * i);
    CHECK_REAL(manual, 0.2);
    CHECK_REAL(manual, -0.3);
  }
  manual.done();
}

TEST_CASE("times before 1970 and after 2038 and over-long names survive the wire", "[layout]") {
  std::array<std::byte, 64> buffer{};
  ReplyWriter out{buffer};
  out.time(fake::at(-1, -500'000'000));
  out.time(fake::at(8'000'000'000));
  CHECK(load_be64(buffer.data()) == 0xffff'ffff'ffff'fffe);
  CHECK(load_be32(buffer.data() + 8) == 500'000'000);
  CHECK(load_be64(buffer.data() + 12) == 8'000'000'000);
  out.text("abcdefgh", 4);
  CHECK(std::memcmp(buffer.data() + 24, "abc\0", 4) == 0);
  out.seconds(std::chrono::seconds{-1});
  out.seconds(std::chrono::seconds{0x1'0000'0000});
  CHECK(load_be32(buffer.data() + 28) == 0);
  CHECK(load_be32(buffer.data() + 32) == 0xffffffff);
  CHECK(out.written() == 36);
  out.fill(1, 29);  // does not fit
  CHECK(out.written() == 36);
}
