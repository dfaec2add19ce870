// SPDX-License-Identifier: BSD-3-Clause
#include "server/handler.hpp"

#include "catch.hpp"
#include "ntp/keys.hpp"
#include "ntp/mac.hpp"
#include "server/fixture.hpp"

using namespace wiretime;
using test::Fixture;
using test::ntp_request;

namespace {

Verdict ask(Fixture& f, std::vector<std::byte>& message, const char* from, std::uint16_t port = 40000) {
  return server::handle({*IpAddress::parse(from), port, message, f.snapshot.anchor_time}, f.snapshot,
                        f.tables, f.state)
      .verdict;
}

}  // namespace

TEST_CASE("before the first snapshot nobody is answered") {
  Fixture f;
  f.snapshot.valid = false;
  auto m = ntp_request();
  CHECK(ask(f, m, "192.0.2.9") == Verdict::no_time);
  CHECK(m == ntp_request());
}

TEST_CASE("before the first snapshot answers to us are answers all the same: the time may hang on them") {
  Fixture f;
  f.snapshot.valid = false;
  auto m = ntp_request();
  m[0] = std::byte{0x24};  // version 4, mode 4
  CHECK(ask(f, m, "192.0.2.9", 123) == Verdict::ntp_mode_response);
}

TEST_CASE("an allowed client is answered and logged once a request") {
  Fixture f;
  for (std::uint32_t i = 1; i <= 3; ++i) {
    auto m = ntp_request();
    REQUIRE(ask(f, m, "192.0.2.9") == Verdict::answered);
    server::finish_reply(m, nullptr, {}, f.snapshot.anchor_time, f.snapshot, f.state);
    CHECK(ntp::mode(m.data()) == ntp::Mode::server);
    const auto slot = f.state.clients->slot_of(*IpAddress::parse("192.0.2.9"));
    REQUIRE(slot);
    CHECK(f.state.clients->at(*slot)->hits == i);
    CHECK(f.state.clients->at(*slot)->last_hit == 1600);
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

TEST_CASE("a request with a right MAC is answered with a MAC of the same key, as long as its own") {
  for (const ntp::Key& key : test::key_of_every_type()) {
    for (unsigned version : {1U, 3U, 4U}) {
      for (unsigned mode : {1U, 3U}) {
        Fixture f;
        f.tables.keys = ntp::KeyTable{test::key_of_every_type()};
        auto m = test::ntp_request(version, mode);
        m.resize(48 + ntp::mac_length(key, static_cast<std::uint8_t>(version)));
        ntp::write_mac(key, m, 48);
        const server::Answer answer =
            server::handle({*IpAddress::parse("192.0.2.9"), 40000, m, f.snapshot.anchor_time}, f.snapshot,
                           f.tables, f.state);
        CHECK(is_ntp_answer(answer.verdict));
        REQUIRE(answer.length == m.size());
        CHECK(f.state.features.get(server::Feature::authenticated) == 0);
        server::finish_reply(m, answer.key, answer.exchange, f.snapshot.anchor_time, f.snapshot, f.state);
        CHECK(ntp::verify_mac(f.tables.keys, m, 48) == f.tables.keys.find(key.id()));
        CHECK(f.state.features.get(server::Feature::authenticated) == 1);
      }
    }
  }
}

TEST_CASE("a MAC behind extension fields is verified, and the answer has no fields") {
  Fixture f;
  f.tables.keys = test::golden_keys();
  auto m = ntp_request();
  test::add_field(m, 0x2005, 28);
  m.resize(76 + 24);
  ntp::write_mac(*f.tables.keys.find(2), m, 76);
  const server::Answer answer = server::handle(
      {*IpAddress::parse("192.0.2.9"), 40000, m, f.snapshot.anchor_time}, f.snapshot, f.tables, f.state);
  REQUIRE(answer.verdict == Verdict::answered);
  CHECK(answer.length == 72);
  server::finish_reply(std::span{m}.first(72), answer.key, answer.exchange, f.snapshot.anchor_time,
                       f.snapshot, f.state);
  CHECK(ntp::verify_mac(f.tables.keys, std::span{m}.first(72), 48) != nullptr);
}

TEST_CASE("a whole digest in version 4 is answered by one that is cut, as chronyd does") {
  Fixture f;
  const ntp::Key key = test::make_key(5, ntp::KeyType::sha512, test::from_text("secret"));
  f.tables.keys = ntp::KeyTable{{key}};
  auto m = ntp_request(4, 3, 48 + 68);
  store_be32(m.data() + 48, 5);
  key.compute(std::span{m}.first(48), std::span{m}.subspan(52));
  const server::Answer answer = server::handle(
      {*IpAddress::parse("192.0.2.9"), 40000, m, f.snapshot.anchor_time}, f.snapshot, f.tables, f.state);
  REQUIRE(answer.verdict == Verdict::answered);
  REQUIRE(answer.length == 48 + 24);
  const auto reply = std::span{m}.first(answer.length);
  server::finish_reply(reply, answer.key, answer.exchange, f.snapshot.anchor_time, f.snapshot, f.state);
  CHECK(ntp::verify_mac(f.tables.keys, reply, 48) != nullptr);
}

TEST_CASE("a wrong MAC gets nothing, but the client log knows who sent it") {
  Fixture f;
  f.tables.keys = test::golden_keys();
  auto m = ntp_request();
  m.resize(72);
  ntp::write_mac(*f.tables.keys.find(2), m, 48);
  m.back() ^= std::byte{1};
  const auto sent = m;
  CHECK(ask(f, m, "192.0.2.9") == Verdict::ntp_mac_invalid);
  CHECK(m == sent);
  CHECK(f.state.clients->at(*f.state.clients->slot_of(*IpAddress::parse("192.0.2.9")))->hits == 1);
  m.back() ^= std::byte{1};
  CHECK(ask(f, m, "192.0.2.66") == Verdict::denied);
  f.tables.keys = {};
  CHECK(ask(f, m, "192.0.2.9") == Verdict::ntp_mac_invalid);
}

TEST_CASE("service works without a client log") {
  Fixture f;
  f.state.clients.reset();
  auto m = ntp_request();
  CHECK(ask(f, m, "192.0.2.9") == Verdict::answered);
}
