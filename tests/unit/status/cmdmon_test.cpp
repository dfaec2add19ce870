// SPDX-License-Identifier: BSD-3-Clause
// Authorisation, lengths, statuses and the never-amplify rule of the command port.
#include "status/cmdmon.hpp"

#include <random>
#include <set>

#include "base/bytes.hpp"
#include "catch.hpp"
#include "fake_report.hpp"
#include "golden_requests.hpp"

using namespace wiretime;
using namespace wiretime::status;
using fake::FakeReport;
using fake::RecordingExecutor;

namespace {

std::vector<std::byte> make_request(unsigned code, std::size_t length) {
  std::vector<std::byte> r(std::max<std::size_t>(length, 12));
  r[0] = std::byte{6};
  r[1] = std::byte{1};
  store_be16(r.data() + 4, static_cast<std::uint16_t>(code));
  store_be32(r.data() + 8, 0xdeadbeef);
  r.resize(length);
  return r;
}

struct Answer {
  std::size_t size = 0;
  unsigned code = 0;
  unsigned status = 0;
  friend bool operator==(const Answer&, const Answer&) = default;
};

std::ostream& operator<<(std::ostream& out, const Answer& a) {
  return out << "{" << a.size << ", " << a.code << ", " << a.status << "}";
}

Answer parse(const Reply& reply) {
  const auto b = reply.bytes();
  if (b.empty()) return {};
  REQUIRE(b.size() >= kReplyHeader);
  return {b.size(), load_be16(b.data() + 6), load_be16(b.data() + 8)};
}

struct Server {
  FakeReport report;
  RecordingExecutor executor;
  OpenCommands open = OpenCommands::stable();

  Answer ask(const std::vector<std::byte>& request, Privilege privilege = Privilege::full) {
    return parse(handle(request, privilege, open, report, executor));
  }
  Answer ask(unsigned code, std::size_t length, Privilege privilege = Privilege::full) {
    return ask(make_request(code, length), privilege);
  }
};

constexpr Answer status_only(Status s) {
  return {kReplyHeader, 1, static_cast<unsigned>(s)};
}
const Answer kSilence{};

// Shortest accepted request of each code, measured against chronyd 4.3 (72 to 74: the newer protocol header;
// 54: we also answer the 4.0 clients' 60 bytes).
struct Length {
  unsigned code;
  std::size_t bytes;
};
constexpr Length kLengths[] = {
    {0, 28},  {1, 60},  {2, 60},   {3, 68},  {4, 44},   {5, 44},  {6, 28},  {7, 44},   {8, 44},
    {9, 28},  {10, 32}, {11, 40},  {13, 28}, {14, 32},  {15, 76}, {16, 28}, {17, 44},  {18, 44},
    {19, 44}, {20, 44}, {21, 44},  {22, 44}, {23, 44},  {24, 44}, {25, 40}, {26, 40},  {29, 40},
    {30, 28}, {31, 28}, {33, 104}, {34, 84}, {35, 56},  {36, 28}, {37, 28}, {41, 416}, {42, 28},
    {43, 28}, {44, 48}, {45, 44},  {46, 44}, {47, 44},  {48, 28}, {49, 28}, {50, 28},  {51, 52},
    {52, 28}, {53, 28}, {54, 60},  {56, 36}, {57, 152}, {62, 28}, {63, 28}, {64, 372}, {65, 284},
    {66, 28}, {67, 52}, {68, 520}, {69, 76}, {70, 28},  {71, 28}, {72, 52}, {73, 48},  {74, 48},
};
const std::set<unsigned> kOpenByDefault{14, 15, 33, 34, 35, 41, 44, 51, 65};
const std::set<unsigned> kReadOnly{14, 15, 25, 26, 33, 34, 35, 41, 44, 51, 54, 57, 65, 67, 68, 69};

}  // namespace

TEST_CASE("a request one byte short of its length is a length mismatch, from anybody", "[cmdmon]") {
  Server server;
  for (const Length& l : kLengths) {
    CAPTURE(l.code);
    for (const auto privilege : {Privilege::monitor, Privilege::full}) {
      if (l.bytes > kReplyHeader) {
        CHECK(server.ask(l.code, l.bytes - 1, privilege) == status_only(Status::bad_packet_length));
      }
      CHECK(server.ask(l.code, l.bytes, privilege).status !=
            static_cast<unsigned>(Status::bad_packet_length));
    }
  }
}

TEST_CASE("codes that no client of protocol 6 sends are invalid", "[cmdmon]") {
  std::set<unsigned> known;
  for (const Length& l : kLengths) known.insert(l.code);
  Server server;
  for (unsigned code = 0; code < 80; ++code) {
    if (known.count(code) != 0) continue;
    CAPTURE(code);
    CHECK(server.ask(code, 28) == status_only(Status::invalid));
    CHECK(server.ask(code, 520, Privilege::monitor) == status_only(Status::invalid));
  }
  CHECK(server.ask(0xffff, 520) == status_only(Status::invalid));
  CHECK(server.executor.commands.empty());
}

TEST_CASE("over UDP only the open commands are answered and nothing is executed", "[cmdmon]") {
  Server server;
  for (const Length& l : kLengths) {
    if (l.code == 0 || l.code == 10) continue;
    CAPTURE(l.code);
    const Answer a = server.ask(l.code, 520, Privilege::monitor);
    CHECK((a == status_only(Status::unauthorised)) == (kOpenByDefault.count(l.code) == 0));
  }
  CHECK(server.executor.commands.empty());
}

TEST_CASE("the unix socket may do everything", "[cmdmon]") {
  Server server;
  for (const Length& l : kLengths) {
    CAPTURE(l.code);
    CHECK(server.ask(l.code, 520).status != static_cast<unsigned>(Status::unauthorised));
  }
}

TEST_CASE("opencommands opens what it names and only that", "[cmdmon]") {
  Server server;
  server.open = OpenCommands{};
  CHECK(server.ask(33, 104, Privilege::monitor) == status_only(Status::unauthorised));
  CHECK(server.open.add("serverstats"));
  CHECK(server.open.add("clients"));
  CHECK_FALSE(server.open.add("makestep"));
  CHECK_FALSE(server.open.add("accheck"));
  CHECK_FALSE(server.open.add(""));
  CHECK(server.ask(54, 72, Privilege::monitor) == Answer{72, 24, 0});
  CHECK(server.ask(68, 520, Privilege::monitor) == Answer{520, 21, 0});
  CHECK(server.ask(14, 32, Privilege::monitor) == status_only(Status::unauthorised));
  CHECK(server.open.add("sources"));
  CHECK(server.ask(14, 32, Privilege::monitor) == Answer{32, 2, 0});
  CHECK(server.ask(57, 172, Privilege::monitor) == status_only(Status::unauthorised));
}

TEST_CASE("what is not a request of this protocol gets silence", "[cmdmon]") {
  Server server;
  CHECK(server.ask(33, 0) == kSilence);
  CHECK(server.ask(33, 27) == kSilence);
  CHECK(server.ask(33, 861) == kSilence);
  CHECK(server.ask(33, 860) == Answer{104, 5, 0});
  auto wrong_type = make_request(33, 104);
  wrong_type[1] = std::byte{2};
  CHECK(server.ask(wrong_type) == kSilence);
  for (const std::size_t reserved : {2U, 3U}) {
    auto r = make_request(33, 104);
    r[reserved] = std::byte{1};
    CHECK(server.ask(r) == kSilence);
  }
  for (unsigned version = 0; version < 256; ++version) {
    auto r = make_request(33, 104);
    r[0] = static_cast<std::byte>(version);
    const Answer expected = version == 6  ? Answer{104, 5, 0}
                            : version < 5 ? kSilence
                                          : status_only(Status::bad_packet_version);
    CHECK(server.ask(r) == expected);
  }
}

TEST_CASE("the reply header is the protocol's, with the request's command and sequence", "[cmdmon]") {
  Server server;
  auto request = make_request(33, 104);
  request[6] = std::byte{0x12};  // attempt
  const Reply reply = handle(request, Privilege::monitor, server.open, server.report, server.executor);
  const auto b = reply.bytes();
  REQUIRE(b.size() == 104);
  CHECK(load_be32(b.data()) == 0x06020000);
  CHECK(load_be16(b.data() + 4) == 33);
  CHECK(load_be16(b.data() + 6) == 5);
  CHECK(load_be16(b.data() + 8) == 0);
  CHECK(load_be16(b.data() + 10) == 0);
  CHECK(load_be32(b.data() + 12) == 0);
  CHECK(load_be32(b.data() + 16) == 0xdeadbeef);
  CHECK(load_be64(b.data() + 20) == 0);
}

TEST_CASE("each read request gets its own reply code and size", "[cmdmon]") {
  Server server;
  CHECK(server.ask(14, 32) == Answer{32, 2, 0});
  CHECK(server.ask(15, 76) == Answer{76, 3, 0});
  CHECK(server.ask(33, 104) == Answer{104, 5, 0});
  CHECK(server.ask(34, 84) == Answer{84, 6, 0});
  CHECK(server.ask(35, 56) == Answer{56, 7, 0});
  CHECK(server.ask(41, 416) == Answer{416, 18, 0});
  CHECK(server.ask(44, 48) == Answer{48, 12, 0});
  CHECK(server.ask(51, 52) == Answer{52, 13, 0});
  CHECK(server.ask(golden::request("sourcename 192.0.2.1")) == Answer{284, 19, 0});
  CHECK(server.ask(golden::request("clients -p 5 -r")) == Answer{520, 21, 0});
  CHECK(server.ask(69, 76) == Answer{76, 23, 0});
}

TEST_CASE("serverstats and ntpdata answer each client generation in its own format", "[cmdmon]") {
  Server server;
  CHECK(server.ask(54, 60) == Answer{60, 22, 0});
  CHECK(server.ask(54, 71) == Answer{60, 22, 0});
  CHECK(server.ask(golden::request("serverstats")) == Answer{72, 24, 0});
  CHECK(server.ask(54, 195) == Answer{72, 24, 0});
  CHECK(server.ask(54, 196) == Answer{196, 25, 0});
  CHECK(server.ask(54, 416) == Answer{196, 25, 0});

  auto ntpdata = golden::request("ntpdata 192.0.2.1");
  CHECK(server.ask(ntpdata) == Answer{152, 16, 0});
  ntpdata.resize(171);
  CHECK(server.ask(ntpdata) == Answer{152, 16, 0});
  ntpdata.resize(172);
  CHECK(server.ask(ntpdata) == Answer{172, 26, 0});
}

TEST_CASE("what does not exist or is off has its own status", "[cmdmon]") {
  Server server;
  server.report.rtc_on = server.report.smoothing_on = server.report.client_log_on = false;
  auto beyond = make_request(15, 84);
  store_be32(beyond.data() + kRequestHeader, 4);
  for (const unsigned code : {15U, 34U, 69U}) {
    store_be16(beyond.data() + 4, static_cast<std::uint16_t>(code));
    CHECK(server.ask(beyond) == status_only(Status::no_such_source));
  }
  for (const unsigned code : {57U, 65U, 67U}) {  // no address at all
    CHECK(server.ask(code, 520) == status_only(Status::no_such_source));
  }
  CHECK(server.ask(35, 56) == status_only(Status::no_rtc));
  CHECK(server.ask(51, 52) == status_only(Status::not_enabled));
  CHECK(server.ask(52, 28) == status_only(Status::not_enabled));
  CHECK(server.ask(68, 520) == status_only(Status::inactive));
  CHECK(server.ask(10, 32) == status_only(Status::failed));
  CHECK(server.ask(0, 28, Privilege::monitor) == status_only(Status::success));
  CHECK(server.executor.commands.empty());
}

TEST_CASE("accheck and cmdaccheck ask the two lists", "[cmdmon]") {
  Server server;
  CHECK(server.ask(golden::request("accheck 192.0.2.1")) == status_only(Status::access_allowed));
  CHECK(server.ask(golden::request("accheck 192.0.2.2")) == status_only(Status::access_denied));
  CHECK(server.ask(golden::request("cmdaccheck 2001:db8::1")) == status_only(Status::access_allowed));
  CHECK(server.ask(golden::request("cmdaccheck ::1")) == status_only(Status::access_denied));
  CHECK(server.ask(25, 40) == status_only(Status::access_denied));
}

TEST_CASE("every captured command is executed once and its status passed on", "[cmdmon]") {
  for (const auto& captured : golden::kRequests) {
    CAPTURE(captured.typed);
    Server server;
    const auto request = golden::unpack(captured.bytes);
    const bool reads = kReadOnly.count(load_be16(request.data() + 4)) != 0;
    CHECK(server.ask(request).status <= 9);
    CHECK(server.executor.commands.size() == (reads ? 0 : 1));
    if (reads) continue;
    server.executor.answer = Status::no_such_source;
    CHECK(server.ask(request) == status_only(Status::no_such_source));
    CHECK(server.ask(request, Privilege::monitor) == status_only(Status::unauthorised));
    CHECK(server.executor.commands.size() == 2);
  }
}

TEST_CASE("settime reports the correction it caused", "[cmdmon]") {
  Server server;
  server.executor.answer = ManualResult{0.5, -1.5, 2.5};
  const auto request = golden::request("settime 2026-11-23 12:00:00");
  const Reply reply = handle(request, Privilege::full, server.open, server.report, server.executor);
  CHECK(parse(reply) == Answer{40, 17, 0});
  CHECK(decode_float(load_be32(reply.bytes().data() + 28)) == 0.5);
  CHECK(decode_float(load_be32(reply.bytes().data() + 32)) == -1.5);
  CHECK(decode_float(load_be32(reply.bytes().data() + 36)) == 2.5);
}

TEST_CASE("client pages resume where the last one ended and list each client once", "[cmdmon]") {
  Server server;
  server.report.client_count = 100;
  auto request = golden::request("clients -p 5 -r");
  std::vector<std::uint32_t> hits;
  std::uint32_t index = 0;
  int pages = 0;
  do {
    store_be32(request.data() + kRequestHeader, index);
    store_be32(request.data() + kRequestHeader + 4, 1000);  // more than fits
    const Reply reply = handle(request, Privilege::full, server.open, server.report, server.executor);
    const auto* b = reply.bytes().data();
    REQUIRE(parse(reply) == Answer{520, 21, 0});
    REQUIRE(load_be32(b + 28) == 100);
    const std::uint32_t next = load_be32(b + 32);
    const std::uint32_t count = load_be32(b + 36);
    REQUIRE(next > index);
    REQUIRE(count <= 8);
    for (std::uint32_t i = 0; i < count; ++i) hits.push_back(load_be32(b + 40 + 60 * i + 20));
    index = next;
    ++pages;
  } while (index < 100);
  std::vector<std::uint32_t> expected;
  for (std::uint32_t i = 5; i < 100; ++i) {
    if (i % 3 != 2) expected.push_back(i);
  }
  CHECK(hits == expected);
  CHECK(pages == 8);
  CHECK(server.report.resets == expected.size());
  CHECK(server.report.last_min_hits == 5);
}

TEST_CASE("no random request gets a longer reply, and every reply echoes command and sequence", "[cmdmon]") {
  std::mt19937 random{1119};
  Server server;
  int answered = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::vector<std::byte> request(random() % 900);
    for (auto& b : request) b = static_cast<std::byte>(random() % 4 == 0 ? random() : 0U);
    if (request.size() >= 12 && i % 8 != 0) {  // mostly plausible ones
      request[0] = std::byte{6};
      request[1] = std::byte{1};
      request[2] = request[3] = std::byte{0};
      store_be16(request.data() + 4, static_cast<std::uint16_t>(random() % 80));
    }
    const auto privilege = random() % 2 == 0 ? Privilege::full : Privilege::monitor;
    const Reply reply = handle(request, privilege, server.open, server.report, server.executor);
    const auto b = reply.bytes();
    REQUIRE(b.size() <= request.size());
    if (b.empty()) continue;
    ++answered;
    REQUIRE(b.size() >= kReplyHeader);
    REQUIRE(load_be16(b.data()) == 0x0602);
    REQUIRE(load_be16(b.data() + 4) == load_be16(request.data() + 4));
    REQUIRE(load_be32(b.data() + 16) == load_be32(request.data() + 8));
    if (privilege == Privilege::monitor) REQUIRE(server.executor.commands.empty());
    server.executor.commands.clear();
  }
  CHECK(answered > 100'000);
}
