// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/extension.hpp"

#include "catch.hpp"
#include "ntp/message.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::add_field;
using test::ntp_request;

TEST_CASE("what follows the header is told apart by length as RFC 7822 says") {
  CHECK(classify_trailer(ntp_request(4, 3, 48)).kind == Trailer::none);
  CHECK(classify_trailer(ntp_request(4, 3, 52)).kind == Trailer::crypto_nak);
  CHECK(classify_trailer(ntp_request(4, 3, 56)).kind == Trailer::invalid);
  CHECK(classify_trailer(ntp_request(4, 3, 48 + 20)).kind == Trailer::mac);
  CHECK(classify_trailer(ntp_request(4, 3, 48 + 24)).kind == Trailer::mac);
  CHECK(classify_trailer(ntp_request(3, 3, 48 + 36)).kind == Trailer::mac);
  CHECK(classify_trailer(ntp_request(3, 3, 48 + 72)).kind == Trailer::invalid);
  CHECK(classify_trailer(ntp_request(3, 3, 48 + 8)).kind == Trailer::invalid);
}

TEST_CASE("a long MAC in version 4 is one when it cannot be an extension field") {
  auto m = ntp_request(4, 3, 48 + 36);  // key id 0, then a length of 0
  CHECK(classify_trailer(m).kind == Trailer::mac);
}

TEST_CASE("extension fields are walked to the end") {
  auto m = ntp_request();
  add_field(m, 0x2005, 28);
  CHECK(classify_trailer(m).kind == Trailer::extension_fields);
  add_field(m, 0xF323, 32);
  CHECK(classify_trailer(m).kind == Trailer::extension_fields);
  auto with_mac = m;
  with_mac.resize(m.size() + 20);
  CHECK(classify_trailer(with_mac).kind == Trailer::mac);
  add_field(m, extension_type::kNtsUniqueIdentifier, 36);
  CHECK(classify_trailer(m).kind == Trailer::nts);
}

TEST_CASE("a field that claims more than there is, or an odd length, is invalid") {
  for (unsigned claimed : {0U, 4U, 12U, 30U, 104U, 65532U}) {
    auto m = ntp_request();
    add_field(m, 0x2005, 100);
    store_be16(m.data() + 50, static_cast<std::uint16_t>(claimed));
    CHECK(classify_trailer(m).kind == Trailer::invalid);
  }
}
