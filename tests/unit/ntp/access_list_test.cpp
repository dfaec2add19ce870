// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/access_list.hpp"

#include <map>
#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::ntp;

namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
IpPrefix prefix(const char* text, unsigned length) {
  return *IpPrefix::of(ip(text), length);
}

}  // namespace

TEST_CASE("nothing is allowed until a rule says so") {
  const AccessList list;
  CHECK_FALSE(list.allows(ip("127.0.0.1")));
  CHECK_FALSE(list.allows(ip("::1")));
  CHECK_FALSE(AccessRules{}.allows_anything(Family::ipv4));
}

TEST_CASE("the longest matching prefix decides whatever the order of the rules") {
  AccessRules rules;
  rules.set(prefix("10.1.2.3", 32), true, false);
  rules.set(prefix("10.0.0.0", 8), true, false);
  rules.set(prefix("10.1.0.0", 16), false, false);
  const AccessList list{rules};
  CHECK(list.allows(ip("10.0.0.1")));
  CHECK_FALSE(list.allows(ip("10.1.0.1")));
  CHECK(list.allows(ip("10.1.2.3")));
  CHECK_FALSE(list.allows(ip("10.1.2.4")));
  CHECK(list.allows(ip("10.255.255.255")));
  CHECK_FALSE(list.allows(ip("11.0.0.0")));
}

TEST_CASE("a rule with all erases the rules inside it") {
  AccessRules rules;
  rules.set(prefix("10.1.0.0", 16), false, false);
  rules.set(prefix("10.0.0.0", 8), true, true);
  CHECK(rules.allows(ip("10.1.0.1")));
  rules.set_everywhere(false, true);
  CHECK_FALSE(rules.allows(ip("10.2.0.1")));
  CHECK_FALSE(rules.allows_anything(Family::ipv4));
}

TEST_CASE("an allow for everybody opens both families") {
  AccessRules rules;
  rules.set_everywhere(true, false);
  const AccessList list{rules};
  CHECK(list.allows(ip("0.0.0.0")));
  CHECK(list.allows(ip("255.255.255.255")));
  CHECK(list.allows(ip("::")));
  CHECK(list.allows(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
}

TEST_CASE("prefixes at the edges of the address space compile") {
  AccessRules rules;
  rules.set(prefix("255.255.255.255", 32), true, false);
  rules.set(prefix("0.0.0.0", 32), true, false);
  rules.set(prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128), true, false);
  rules.set(prefix("2001:db8:ffff:ffff::", 64), true, false);
  rules.set(prefix("2001:db9::ffff:ffff:ffff:ff00", 120), true, false);
  const AccessList list{rules};
  CHECK(list.allows(ip("255.255.255.255")));
  CHECK_FALSE(list.allows(ip("255.255.255.254")));
  CHECK(list.allows(ip("0.0.0.0")));
  CHECK_FALSE(list.allows(ip("0.0.0.1")));
  CHECK(list.allows(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
  CHECK_FALSE(list.allows(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe")));
  CHECK(list.allows(ip("2001:db8:ffff:ffff:ffff::1")));
  CHECK_FALSE(list.allows(ip("2001:db9::")));
  CHECK(list.allows(ip("2001:db9::ffff:ffff:ffff:ffff")));
  CHECK_FALSE(list.allows(ip("2001:db9:0:1::")));
}

TEST_CASE("many changes at once are the same as one after the other, and as a slow model") {
  std::mt19937_64 random{20261123};
  for (int round = 0; round < 300; ++round) {
    std::vector<AccessChange> changes;
    for (unsigned i = 0, n = 1 + static_cast<unsigned>(random() % 60); i < n; ++i) {
      const bool four = random() % 2 == 0;
      // Few distinct bits, all at the top: prefixes meet and nest.
      IpAddress a = four ? IpAddress::v4(0U) : ip("::");
      a.bytes[0] = static_cast<std::uint8_t>(random());
      const unsigned length = random() % 10 == 0 ? a.bit_length() : static_cast<unsigned>(random() % 9);
      changes.push_back({*IpPrefix::of(a, length), random() % 2 == 0, random() % 4 == 0});
    }
    std::map<IpPrefix, bool> model;
    AccessRules one_by_one;
    for (const AccessChange& c : changes) {
      if (c.all)
        std::erase_if(model, [&](const auto& rule) {
          return rule.first.length >= c.prefix.length && c.prefix.contains(rule.first.address);
        });
      model[c.prefix] = c.allow;
      one_by_one.set(c.prefix, c.allow, c.all);
    }
    AccessRules at_once;
    const std::size_t half = changes.size() / 2;
    at_once.apply(std::span{changes}.first(half));
    at_once.apply(std::span{changes}.subspan(half));
    CHECK(one_by_one.size() == model.size());
    CHECK(at_once.size() == model.size());
    const AccessList list{at_once};
    for (unsigned i = 0; i < 512; ++i) {
      IpAddress a = i % 2 == 0 ? IpAddress::v4(0U) : ip("::");
      a.bytes[0] = static_cast<std::uint8_t>(i / 2);
      bool expected = false;
      unsigned longest = 0;
      for (const auto& [p, allow] : model)
        if (p.contains(a) && p.length >= longest) {
          longest = p.length;
          expected = allow;
        }
      REQUIRE(one_by_one.allows(a) == expected);
      REQUIRE(at_once.allows(a) == expected);
      REQUIRE(list.allows(a) == expected);
    }
  }
}

TEST_CASE("a list of thousands of prefixes, some of them crowded, agrees with its rules at their edges too") {
  std::mt19937_64 random{777};
  std::vector<AccessChange> changes;
  const auto random_address = [&](Family family) {
    const bool four = family == Family::ipv4;
    IpAddress a = four ? IpAddress::v4(static_cast<std::uint32_t>(random())) : ip("2a02::");
    if (!four)
      for (std::size_t b = 2; b < 16; ++b) a.bytes[b] = static_cast<std::uint8_t>(random());
    if (random() % 2 == 0) {  // a crowd
      a.bytes[0] = 0x20;
      a.bytes[1] = 0x01;
      a.bytes[2] = four ? a.bytes[2] : 0x06;
      if (!four) a.bytes[3] = 0x7c;
    }
    return a;
  };
  for (int i = 0; i < 6000; ++i) {
    const IpAddress a = random_address(i % 2 == 0 ? Family::ipv4 : Family::ipv6);
    const unsigned longest = a.family == Family::ipv4 ? 32 : 64;
    changes.push_back(
        {*IpPrefix::of(a, longest - static_cast<unsigned>(random() % 17)), random() % 2 == 0, false});
  }
  AccessRules rules;
  rules.apply(changes);
  const AccessList list{rules};
  for (int i = 0; i < 6000; ++i) {
    const IpPrefix& p = changes[static_cast<std::size_t>(i)].prefix;
    IpAddress last = p.address;
    for (unsigned bit = p.length; bit < p.address.bit_length(); ++bit)
      last.bytes[bit / 8] = static_cast<std::uint8_t>(last.bytes[bit / 8] | 0x80U >> bit % 8);
    IpAddress before = p.address;
    for (std::size_t b = p.address.bit_length() / 8; b-- > 0 && before.bytes[b]-- == 0;) {
    }
    for (const IpAddress& a : {p.address, last, before, random_address(p.address.family)})
      if (list.allows(a) != rules.allows(a)) FAIL(a.to_string());
  }
}

TEST_CASE("the compiled list agrees with the rules on random rule sets") {
  std::mt19937_64 random{4242};
  auto random_address = [&](Family family) {
    IpAddress a;
    a.family = family;
    // Few distinct bytes, so that prefixes nest and collide.
    static constexpr std::array<std::uint8_t, 5> kBytes{0, 1, 127, 128, 255};
    for (unsigned i = 0; i < (family == Family::ipv4 ? 4U : 16U); ++i)
      a.bytes[i] = kBytes[random() % kBytes.size()];
    return a;
  };
  for (int round = 0; round < 60; ++round) {
    AccessRules rules;
    std::vector<IpPrefix> used;
    for (int i = 0; i < 40; ++i) {
      const Family family = random() % 2 == 0 ? Family::ipv4 : Family::ipv6;
      const auto a = random_address(family);
      const auto p = *IpPrefix::of(a, static_cast<unsigned>(random() % (a.bit_length() + 1)));
      rules.set(p, random() % 2 == 0, random() % 8 == 0);
      used.push_back(p);
    }
    const AccessList list{rules};
    for (int i = 0; i < 300; ++i) {
      IpAddress a = i % 2 == 0 ? random_address(i % 4 == 0 ? Family::ipv4 : Family::ipv6)
                               : used[random() % used.size()].address;
      if (i % 8 == 1) --a.bytes[a.family == Family::ipv4 ? 3 : 15];
      INFO(a.to_string());
      CHECK(list.allows(a) == rules.allows(a));
    }
  }
}
