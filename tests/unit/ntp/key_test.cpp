// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/key.hpp"

#include "catch.hpp"
#include "ntp/keys.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::from_hex;
using test::from_text;
using test::make_key;

namespace {

std::vector<std::byte> digest(const Key& key, const std::vector<std::byte>& message) {
  std::vector<std::byte> out(key.digest_length());
  key.compute(message, out);
  return out;
}

struct Vector {
  KeyType type;
  const char* digest;
};

// RFC 1321 appendix A.5, FIPS 180-4 and FIPS 202 examples: "abc".
constexpr std::array kAbc{
    Vector{KeyType::md5, "900150983cd24fb0d6963f7d28e17f72"},
    Vector{KeyType::sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
    Vector{KeyType::sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    Vector{
        KeyType::sha384,
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
    Vector{KeyType::sha512,
           "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
           "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    Vector{KeyType::sha3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf"},
    Vector{KeyType::sha3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
    Vector{
        KeyType::sha3_384,
        "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25"},
    Vector{KeyType::sha3_512,
           "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
           "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
};

struct CmacVector {
  std::size_t length;  // of the message that all of them share
  const char* aes128;
  const char* aes256;
};

// RFC 4493 section 4 and NIST SP 800-38B appendix D.
constexpr const char* kCmacMessage =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
constexpr std::array kCmac{
    CmacVector{0, "bb1d6929e95937287fa37d129b756746", "028962f61b7bf89efc6b551f4667d983"},
    CmacVector{16, "070a16b46b4d4144f79bdd9dd04a287c", "28a7023f452e8f82bd4bf28d8c37c35c"},
    CmacVector{40, "dfa66747de9ae63030ca32611497c827", "aaf3d8f1de5640c232f5b169b9c911e6"},
    CmacVector{64, "51f0bebf7e3b9d92fc49741779363cfe", "e1992190549f6ed5696a2c056c315410"},
};

}  // namespace

TEST_CASE("a digest is that of the secret and the message behind it") {
  for (const Vector& v : kAbc) {
    INFO(name(v.type));
    CHECK(digest(make_key(1, v.type, from_text("a")), from_text("bc")) == from_hex(v.digest));
    CHECK(digest(make_key(1, v.type, from_text("abc")), {}) == from_hex(v.digest));
  }
}

TEST_CASE("a secret may be longer than the hash's block") {
  // RFC 1321 appendix A.5, the longest.
  const auto secret =
      from_text("1234567890123456789012345678901234567890123456789012345678901234567890123456789");
  CHECK(digest(make_key(1, KeyType::md5, secret), from_text("0")) ==
        from_hex("57edf4a22be3c955ac49da2e2107b67a"));
}

TEST_CASE("ciphers make the CMACs of RFC 4493 and SP 800-38B") {
  const Key aes128 = make_key(1, KeyType::aes128, from_hex("2b7e151628aed2a6abf7158809cf4f3c"));
  const Key aes256 = make_key(2, KeyType::aes256,
                              from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"));
  for (const CmacVector& v : kCmac) {
    auto message = from_hex(kCmacMessage);
    message.resize(v.length);
    CHECK(digest(aes128, message) == from_hex(v.aes128));
    CHECK(digest(aes256, message) == from_hex(v.aes256));
  }
}

TEST_CASE("a digest is cut at its end") {
  for (const Key& key : test::key_of_every_type()) {
    const auto whole = digest(key, from_text("message"));
    std::vector<std::byte> cut(10);
    key.compute(from_text("message"), cut);
    CHECK(std::equal(cut.begin(), cut.end(), whole.begin()));
  }
}

TEST_CASE("types go by the names that key files and chronyc use") {
  for (const auto type_name : key_type_names()) CHECK(name(*key_type(type_name)) == type_name);
  CHECK(key_type("AES256") == KeyType::aes256);
  CHECK_FALSE(key_type("aes256"));
  CHECK_FALSE(key_type("TIGER"));
}

TEST_CASE("a key needs a secret, and a cipher one of its length") {
  CHECK_FALSE(Key::make(1, KeyType::md5, {}));
  CHECK_FALSE(Key::make(1, KeyType::aes128, from_hex("0011")));
  CHECK_FALSE(Key::make(1, KeyType::aes256, std::vector<std::byte>(16)));
  const Key key = make_key(7, KeyType::aes256, std::vector<std::byte>(32));
  CHECK(key.id() == 7);
  CHECK(key.secret_bits() == 256);
  CHECK(key.digest_length() == 16);
}

TEST_CASE("a table finds its keys and no others, of two with one id the first") {
  const KeyTable table{
      {make_key(7, KeyType::sha1, from_text("x")), make_key(0xFFFF'FFFFU, KeyType::md5, from_text("x")),
       make_key(1, KeyType::md5, from_text("x")), make_key(7, KeyType::md5, from_text("y"))}};
  CHECK(table.size() == 3);
  REQUIRE(table.find(7) != nullptr);
  CHECK(table.find(7)->type() == KeyType::sha1);
  CHECK(table.find(1)->id() == 1);
  CHECK(table.find(0xFFFF'FFFFU)->id() == 0xFFFF'FFFFU);
  for (std::uint32_t id : {0U, 2U, 6U, 8U, 0xFFFF'FFFEU}) CHECK(table.find(id) == nullptr);
  CHECK(KeyTable{}.find(1) == nullptr);
}
