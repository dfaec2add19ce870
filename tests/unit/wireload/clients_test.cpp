// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/clients.hpp"

#include <set>
#include <string>
#include <tuple>

#include "catch.hpp"

namespace wiretime::load {

namespace {

IpAddress ip(const std::string& text) {
  return IpAddress::parse(text).value();
}

IpPrefix prefix(const std::string& address, unsigned length) {
  return *IpPrefix::of(ip(address), length);
}

template <bool kIpv6>
std::size_t different_endpoints(const Clients& clients) {
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::uint16_t>> seen;
  for (std::uint32_t c = 0; c < clients.count(); ++c) {
    const Endpoint e = clients.endpoint<kIpv6>(c);
    if (byte_swap(e.port) < kFirstClientPort) FAIL("port " << byte_swap(e.port));
    seen.emplace(e.high, e.low, e.port);
  }
  return seen.size();
}

}  // namespace

TEST_CASE("no two clients share address and port, however many to an address") {
  for (const std::uint32_t count : {1U, 253U, 254U, 255U, 5000U, 100'000U}) {
    const auto clients = Clients::make(prefix("10.20.30.0", 24), count, {}, 9);
    REQUIRE(clients);
    CHECK(different_endpoints<false>(*clients) == count);
    const auto clients6 = Clients::make(prefix("2001:db8::", 120), count, {}, 9);
    REQUIRE(clients6);
    CHECK(different_endpoints<true>(*clients6) == count);
  }
}

TEST_CASE("clients live in their prefix and nowhere else's") {
  const IpPrefix from = prefix("192.0.2.0", 28);
  const auto clients = Clients::make(from, 100, {ip("192.0.2.1"), ip("192.0.2.5"), ip("198.51.100.1")}, 1);
  REQUIRE(clients);
  std::set<IpAddress> used;
  for (std::uint32_t c = 0; c < 100; ++c) used.insert(clients->address(c));
  CHECK(used.size() == 12);  // 16 without network, broadcast and two others
  for (const IpAddress& a : used) CHECK(from.contains(a));
  for (const auto* taken : {"192.0.2.0", "192.0.2.1", "192.0.2.5", "192.0.2.15"})
    CHECK(used.count(ip(taken)) == 0);
}

TEST_CASE("a single address serves a single client or many") {
  const auto one = Clients::make(prefix("10.0.0.7", 32), 1, {}, 1);
  REQUIRE(one);
  CHECK(one->address(0) == ip("10.0.0.7"));
  const auto many = Clients::make(prefix("10.0.0.7", 32), 32768, {}, 1);
  REQUIRE(many);
  CHECK(different_endpoints<false>(*many) == 32768);
  CHECK(many->address(4711) == ip("10.0.0.7"));
}

TEST_CASE("IPv6 clients have a /64 each where the prefix has room for it") {
  const auto wide = Clients::make(prefix("2001:db8::", 40), 1U << 20, {}, 1);
  REQUIRE(wide);
  CHECK(wide->address(0) == ip("2001:db8::1"));
  CHECK(wide->address(0x12345) == ip("2001:db8:1:2345::1"));
  const auto narrow = Clients::make(prefix("2001:db8:7::", 48), 1U << 20, {}, 1);
  REQUIRE(narrow);
  CHECK(narrow->address(0x12345) == ip("2001:db8:7::1:2346"));
  const auto skipped = Clients::make(prefix("2001:db8::", 64), 3, {ip("2001:db8::1"), ip("2001:db8::3")}, 1);
  REQUIRE(skipped);
  CHECK(skipped->address(0) == ip("2001:db8::2"));
  CHECK(skipped->address(1) == ip("2001:db8::4"));
}

TEST_CASE("more clients than addresses have ports are refused") {
  const auto full = Clients::make(prefix("10.0.0.0", 30), 65537, {}, 1);
  REQUIRE_FALSE(full);
  CHECK(full.error().message ==
        "--clients: expected at most 65536 for the 2 addresses of 10.0.0.0/30, found 65537");
  const auto none = Clients::make(prefix("10.0.0.1", 32), 1, {ip("10.0.0.1")}, 1);
  REQUIRE_FALSE(none);
  CHECK(none.error().message == "--from: 10.0.0.1/32 leaves no address for a client");
}

}  // namespace wiretime::load
