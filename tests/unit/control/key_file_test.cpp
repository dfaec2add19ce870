// SPDX-License-Identifier: BSD-3-Clause
#include "control/key_file.hpp"

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "ntp/keys.hpp"
#include "os/temporary_directory.hpp"

using namespace wiretime;
using namespace wiretime::control;

namespace {

std::string only_warning(std::string_view text) {
  const KeyFile file = parse_key_file(text, "keys");
  CHECK(file.keys.size() == 0);
  REQUIRE(file.warnings.size() == 1);
  return file.warnings[0].to_string();
}

// That the key in `table` is the one made of these.
void check_key(const ntp::KeyTable& table, std::uint32_t id, ntp::KeyType type,
               const std::vector<std::byte>& secret) {
  INFO("key " << id);
  const ntp::Key* const key = table.find(id);
  REQUIRE(key != nullptr);
  CHECK(key->type() == type);
  CHECK(key->secret_bits() == 8 * secret.size());
  const auto message = test::from_text("message");
  std::vector<std::byte> given(key->digest_length());
  std::vector<std::byte> right(key->digest_length());
  key->compute(message, given);
  test::make_key(id, type, secret).compute(message, right);
  CHECK(given == right);
}

}  // namespace

TEST_CASE("the key file that chrony.conf(5) shows is read") {
  const KeyFile file = parse_key_file(
      "# keys\n"
      "10 tulip\n"
      "11 hyacinth\n"
      "\n"
      "20 MD5 ASCII:crocus\r\n"
      "  25   SHA1\tHEX:933F62BE1D604E68A81B557F18CFA200483F5B70\n"
      "! 26 SHA1 HEX:01\n"
      "30 AES128 HEX:7EA62AE64D190114D46D5A082F948EC1\n"
      "31 AES256 HEX:37DDCBC67BB902BCB8E995977FAB4D2B5642F5B32EBCEEE421921D97E5CBFE39\n"
      "4294967295 sha512 last, without newline's secret?x",
      "keys");
  REQUIRE(file.warnings.size() == 1);  // the last line has too many words
  CHECK(file.warnings[0].to_string() == "keys:10: expected ID [TYPE] KEY, found 6 words");
  CHECK(file.keys.size() == 6);
  check_key(file.keys, 10, ntp::KeyType::md5, test::from_text("tulip"));
  check_key(file.keys, 11, ntp::KeyType::md5, test::from_text("hyacinth"));
  check_key(file.keys, 20, ntp::KeyType::md5, test::from_text("crocus"));
  check_key(file.keys, 25, ntp::KeyType::sha1, test::from_hex("933f62be1d604e68a81b557f18cfa200483f5b70"));
  check_key(file.keys, 30, ntp::KeyType::aes128, test::from_hex("7ea62ae64d190114d46d5a082f948ec1"));
  check_key(file.keys, 31, ntp::KeyType::aes256,
            test::from_hex("37ddcbc67bb902bcb8e995977fab4d2b5642f5b32ebceee421921d97e5cbfe39"));
}

TEST_CASE("types are known in any case, a secret without a prefix is text") {
  const KeyFile file = parse_key_file("1 sha3-512 HEX\n2 Sha256 hex:01\n3 aScii:x", "keys");
  CHECK(file.warnings.empty());
  check_key(file.keys, 1, ntp::KeyType::sha3_512, test::from_text("HEX"));
  check_key(file.keys, 2, ntp::KeyType::sha256, test::from_text("hex:01"));
  check_key(file.keys, 3, ntp::KeyType::md5, test::from_text("aScii:x"));
}

TEST_CASE("a line that gives no key says where and why") {
  CHECK(only_warning("\n1\n") == "keys:2: expected ID [TYPE] KEY, found 1 word");
  CHECK(only_warning("x MD5 abc") == "keys:1: expected a key ID from 1 to 4294967295, found \"x\"");
  CHECK(only_warning("0 MD5 abc") == "keys:1: expected a key ID from 1 to 4294967295, found \"0\"");
  CHECK(only_warning("4294967296 abc") ==
        "keys:1: expected a key ID from 1 to 4294967295, found \"4294967296\"");
  CHECK(only_warning("1 TIGER abc") ==
        "keys:1: key 1: expected a type (MD5, SHA1, SHA256, SHA384, SHA512, SHA3-224, SHA3-256, SHA3-384, "
        "SHA3-512, AES128 or AES256), found \"TIGER\"");
  for (const char* secret : {"HEX:", "HEX:0", "HEX:0g", "HEX: 00", "HEX:+1", "HEX:0x", "ASCII:"})
    CHECK_FALSE(only_warning("1 MD5 " + std::string{secret}).empty());
  CHECK(only_warning("1 AES128 HEX:00") == "keys:1: key 1: expected 128 bits for AES128, found 8");
  CHECK(only_warning("1 AES256 0123456789012345") ==
        "keys:1: key 1: expected 256 bits for AES256, found 128");
}

TEST_CASE("of two keys with one ID the first counts") {
  const KeyFile file = parse_key_file("1 MD5 first\n1 SHA1 second\n2 x", "keys");
  REQUIRE(file.warnings.size() == 1);
  CHECK(file.warnings[0].to_string() ==
        "keys:2: expected each key once, found key 1 again: the first one counts");
  check_key(file.keys, 1, ntp::KeyType::md5, test::from_text("first"));
  CHECK(file.keys.size() == 2);
}

TEST_CASE("no message shows a secret") {
  for (const char* line :
       {"1 hunter2 hunter2", "1 MD5 hunter2 hunter2", "1 AES128 hunter2", "1 MD5 HEX:hunter2"})
    CHECK(only_warning(line).find("hunter2") == std::string::npos);
}

TEST_CASE("a key file is read from disk, and one that others may read is warned about") {
  TemporaryDirectory directory;
  const std::string path = directory / "chrony.keys";
  std::ofstream{path} << "1 MD5 0123456789\n";
  namespace fs = std::filesystem;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
  auto file = read_key_file(path);
  REQUIRE(file);
  CHECK(file->warnings.empty());
  CHECK(file->keys.size() == 1);
  fs::permissions(path, fs::perms::others_read, fs::perm_options::add);
  file = read_key_file(path);
  REQUIRE(file);
  REQUIRE(file->warnings.size() == 1);
  CHECK(file->warnings[0].to_string().find("chmod o-rw") != std::string::npos);
  CHECK(read_key_file(directory / "none").error().message ==
        "cannot read the key file " + (directory / "none") + ": No such file or directory");
}
