// SPDX-License-Identifier: BSD-3-Clause
#include "server/handler.hpp"

#include "catch.hpp"
#include "server/fixture.hpp"

using namespace wiretime;
using test::Fixture;
using test::ntp_request;

namespace {

Verdict ask(Fixture& f, std::vector<std::byte>& message, const char* from, std::uint16_t port = 40000) {
  return server::handle({*IpAddress::parse(from), port, message, f.snapshot.anchor_time}, f.snapshot,
                        f.tables, f.state);
}

}  // namespace

TEST_CASE("before the first snapshot nobody is answered") {
  Fixture f;
  f.snapshot.valid = false;
  auto m = ntp_request();
  CHECK(ask(f, m, "192.0.2.9") == Verdict::no_time);
  CHECK(m == ntp_request());
}

TEST_CASE("an allowed client is answered and logged once a request") {
  Fixture f;
  for (std::uint32_t i = 1; i <= 3; ++i) {
    auto m = ntp_request();
    REQUIRE(ask(f, m, "192.0.2.9") == Verdict::answered);
    server::finish_reply(m.data(), f.snapshot.anchor_time, f.snapshot, f.state);
    CHECK(ntp::mode(m.data()) == ntp::Mode::server);
    const auto record = f.state.clients->find(*IpAddress::parse("192.0.2.9"));
    REQUIRE(record);
    CHECK(record->ntp.hits == i);
    CHECK(record->ntp.last_hit == 1600);
  }
}

TEST_CASE("a denied client gets nothing and leaves no trace in the client log") {
  Fixture f;
  for (const char* who : {"192.0.2.66", "198.51.100.1", "2001:db9::1"}) {
    auto m = ntp_request();
    CHECK(ask(f, m, who) == Verdict::denied);
    CHECK(m == ntp_request());
  }
  CHECK(f.state.clients->used() == 0);
}

TEST_CASE("what is no request is named before the access list is asked") {
  Fixture f;
  auto m = ntp_request(2, 6, 12);
  CHECK(ask(f, m, "198.51.100.1") == Verdict::ntp_mode_control);
  CHECK(f.state.clients->used() == 0);
}

TEST_CASE("service works without a client log") {
  Fixture f;
  f.state.clients.reset();
  auto m = ntp_request();
  CHECK(ask(f, m, "192.0.2.9") == Verdict::answered);
}
