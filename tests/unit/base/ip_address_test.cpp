// SPDX-License-Identifier: BSD-3-Clause
#include "base/ip_address.hpp"

#include "catch.hpp"

using namespace wiretime;

TEST_CASE("addresses print as they are written") {
  for (const char* text :
       {"192.0.2.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1"}) {
    const auto a = IpAddress::parse(text);
    REQUIRE(a);
    CHECK(a->to_string() == text);
  }
}

TEST_CASE("what is not a numeric address is refused") {
  for (const char* text :
       {"", "192.0.2", "192.0.2.256", "time.example.com", "1.2.3.4 ", "fe80::1%eth0", "::1::"})
    CHECK_FALSE(IpAddress::parse(text));
}

TEST_CASE("special addresses are recognised in both families") {
  CHECK(IpAddress::parse("127.8.9.1")->is_loopback());
  CHECK(IpAddress::parse("::1")->is_loopback());
  CHECK_FALSE(IpAddress::parse("::2")->is_loopback());
  CHECK(IpAddress::parse("224.0.1.1")->is_multicast());
  CHECK(IpAddress::parse("ff02::101")->is_multicast());
  CHECK_FALSE(IpAddress::parse("223.255.255.255")->is_multicast());
  CHECK(IpAddress::parse("::")->is_unspecified());
}

TEST_CASE("an IPv4 subnet has a broadcast address when it has room for one") {
  const auto broadcast = [](const char* text, unsigned length) {
    return subnet_broadcast(*IpAddress::parse(text), length).value_or(IpAddress{}).to_string();
  };
  CHECK(broadcast("10.99.0.1", 16) == "10.99.255.255");
  CHECK(broadcast("192.0.2.1", 30) == "192.0.2.3");
  CHECK(broadcast("192.0.2.1", 0) == "255.255.255.255");
  CHECK(broadcast("192.0.2.1", 31) == "?");
  CHECK(broadcast("192.0.2.1", 32) == "?");
  CHECK(broadcast("2001:db8::1", 64) == "?");
}

TEST_CASE("a prefix matches its addresses and clears host bits") {
  const auto p = IpPrefix::of(*IpAddress::parse("10.20.30.40"), 13);
  REQUIRE(p);
  CHECK(p->to_string() == "10.16.0.0/13");
  CHECK(p->contains(*IpAddress::parse("10.23.255.255")));
  CHECK_FALSE(p->contains(*IpAddress::parse("10.24.0.0")));
  CHECK_FALSE(p->contains(*IpAddress::parse("::")));
  CHECK(IpPrefix::of(*IpAddress::parse("1.2.3.4"), 0)->contains(*IpAddress::parse("200.1.1.1")));
  CHECK_FALSE(IpPrefix::of(*IpAddress::parse("1.2.3.4"), 33));
  CHECK(IpPrefix::of(*IpAddress::parse("2001:db8:1:2:3::"), 48)->to_string() == "2001:db8:1::/48");
}
