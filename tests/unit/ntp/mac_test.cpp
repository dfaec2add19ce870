// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/mac.hpp"

#include <cstring>
#include <random>

#include "catch.hpp"
#include "ntp/extension.hpp"
#include "ntp/keys.hpp"
#include "ntp/message.hpp"
#include "tests/support/pcap_reader.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::ntp_request;

namespace {

std::vector<std::byte> authenticated(const Key& key, unsigned version, std::size_t length = 48) {
  auto m = ntp_request(version, 3, length);
  m.resize(length + mac_length(key, static_cast<std::uint8_t>(version)));
  CHECK(write_mac(key, m, length) == m.size());
  return m;
}

}  // namespace

TEST_CASE("version 4 cuts a digest to 20 octets, version 3 sends all of it") {
  for (const Key& key : test::key_of_every_type()) {
    INFO(name(key.type()));
    CHECK(mac_length(key, 3) == 4 + key.digest_length());
    CHECK(mac_length(key, 4) == 4 + std::min<std::size_t>(key.digest_length(), 20));
  }
}

TEST_CASE("what a key writes it verifies, in every version") {
  const auto keys = test::key_of_every_type();
  const KeyTable table{keys};
  for (const Key& key : keys) {
    for (unsigned version = 1; version <= 4; ++version) {
      INFO(name(key.type()) << " version " << version);
      const auto m = authenticated(key, version);
      const FoundTrailer trailer = classify_trailer(m);
      CHECK(trailer.kind == Trailer::mac);
      CHECK(trailer.mac_start == 48);
      REQUIRE(verify_mac(table, m, trailer.mac_start) != nullptr);
      CHECK(verify_mac(table, m, trailer.mac_start)->id() == key.id());
    }
  }
}

TEST_CASE("a MAC covers extension fields before it") {
  const KeyTable table = test::golden_keys();
  auto m = ntp_request();
  test::add_field(m, 0x2005, 28);
  const std::size_t length = m.size();
  m.resize(length + 24);
  write_mac(*table.find(2), m, length);
  CHECK(classify_trailer(m).mac_start == length);
  CHECK(verify_mac(table, m, length) != nullptr);
  m[60] ^= std::byte{1};
  CHECK(verify_mac(table, m, length) == nullptr);
}

TEST_CASE("one changed bit anywhere makes a MAC wrong") {
  const KeyTable table{test::key_of_every_type()};
  std::mt19937 random{20261123};
  for (const Key& key : test::key_of_every_type()) {
    const auto good = authenticated(key, 4);
    for (std::size_t bit = 0; bit < 8 * good.size(); bit += 1 + random() % 7) {
      auto m = good;
      m[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      INFO(name(key.type()) << " bit " << bit);
      CHECK(verify_mac(table, m, 48) == nullptr);
    }
  }
}

TEST_CASE("another secret, another type or an unknown key verifies nothing") {
  const Key key = test::make_key(5, KeyType::sha1, test::from_text("right"));
  const auto m = authenticated(key, 4);
  CHECK(verify_mac(KeyTable{{key}}, m, 48) != nullptr);
  CHECK(verify_mac(KeyTable{{test::make_key(5, KeyType::sha1, test::from_text("wrong"))}}, m, 48) == nullptr);
  CHECK(verify_mac(KeyTable{{test::make_key(5, KeyType::sha256, test::from_text("right"))}}, m, 48) ==
        nullptr);
  CHECK(verify_mac(KeyTable{{test::make_key(6, KeyType::sha1, test::from_text("right"))}}, m, 48) == nullptr);
  CHECK(verify_mac(KeyTable{}, m, 48) == nullptr);
}

TEST_CASE("a digest of another length than the version wants is wrong") {
  const Key sha512 = test::make_key(5, KeyType::sha512, test::from_text("secret"));
  const KeyTable table{{sha512}};
  auto version3 = authenticated(sha512, 3);
  version3.resize(48 + 24);  // cut, as version 4 would
  CHECK(verify_mac(table, version3, 48) == nullptr);
  auto version4 = ntp_request(4, 3, 48 + 68);
  store_be32(version4.data() + 48, 5);
  sha512.compute(std::span{version4}.first(48), std::span{version4}.subspan(52));
  CHECK(verify_mac(table, version4, 48) != nullptr);  // whole, as chronyd takes it
  version4.resize(48 + 36);
  CHECK(verify_mac(table, version4, 48) == nullptr);
}

TEST_CASE("any bytes at the end of a message are no MAC of ours") {
  const KeyTable table{test::key_of_every_type()};
  std::mt19937 random{7};
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> m(48 + random() % 80);
    for (auto& b : m) b = static_cast<std::byte>(random());
    if (m.size() >= 52) store_be32(m.data() + 48, static_cast<std::uint32_t>(random() % 16));
    REQUIRE(verify_mac(table, m, 48) == nullptr);
  }
}

TEST_CASE("what stock chronyd sends with keys verifies, requests and answers") {
  constexpr std::array kClients{"chronyd-md5", "chronyd-sha1", "chronyd-aes128"};
  const KeyTable table = test::golden_keys();
  for (std::uint32_t i = 0; i < kClients.size(); ++i) {
    int requests = 0;
    int answers = 0;
    for (auto& frame : testing::read_golden(std::string{kClients[i]} + "-v4")) {
      const std::span<const std::byte> bytes{frame.bytes};
      if (bytes.size() < 42 + 48 || load_be16(bytes.data() + 12) != 0x0800 || bytes[23] != std::byte{17})
        continue;
      const auto message = bytes.subspan(42, load_be16(bytes.data() + 38) - 8U);
      (mode(message.data()) == Mode::client ? requests : answers) += 1;
      const Key* const key = verify_mac(table, message, classify_trailer(message).mac_start);
      REQUIRE(key != nullptr);
      CHECK(key->id() == i + 1);
    }
    INFO(kClients[i]);
    CHECK(requests > 0);
    CHECK(answers > 0);
  }
}
