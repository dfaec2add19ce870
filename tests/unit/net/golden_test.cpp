// SPDX-License-Identifier: BSD-3-Clause
// Frames of stock clients and servers, as captured on a wire (tests/golden/README.md).
#include <algorithm>
#include <filesystem>
#include <set>

#include "catch.hpp"
#include "frames.hpp"
#include "net/frame.hpp"
#include "tests/support/pcap_reader.hpp"

using namespace wiretime;
using namespace wiretime::net;
using namespace wiretime::net::test;

TEST_CASE("every captured request and answer of stock programs is let through whole") {
  std::size_t requests = 0;
  std::size_t answers = 0;
  std::set<bool> families;
  for (const auto& file : std::filesystem::directory_iterator{GOLDEN_DIR}) {
    if (file.path().extension() != ".pcap") continue;
    INFO(file.path().filename().string());
    for (const auto& captured : wiretime::testing::read_pcap(file.path().string())) {
      Exact frame{captured.bytes};
      ParsedFrame parsed;
      const Verdict v = parse(frame.span(), 123, parsed);
      if (v == kContinue) {
        ++requests;
      } else {
        REQUIRE(v == Verdict::not_ntp_port);
        ++answers;
        const bool v6 = captured.bytes[12] == std::byte{0x86};
        REQUIRE(parse(frame.span(), load_be16(captured.bytes.data() + (v6 ? 56 : 36)), parsed) == kContinue);
      }
      families.insert(parsed.ipv6);
      CHECK(parsed.payload_length >= 48);
      CHECK(std::size_t{parsed.payload_offset} + parsed.payload_length == captured.bytes.size());

      const IpAddress client = source_address(frame.span(), parsed);
      const std::uint32_t length = reverse(frame.span(), parsed, 48, 0);
      finish_udp_checksum(frame.span().first(length), parsed);
      CHECK(length == parsed.payload_offset + 48U);
      CHECK(destination_address(frame.span(), parsed) == client);
      CHECK(checksums_right(frame.span(), parsed.l3_offset, 56));
    }
  }
  CHECK(requests > 0);
  CHECK(answers > 0);
  CHECK(families.size() == 2);
}
