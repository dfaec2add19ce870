// SPDX-License-Identifier: BSD-3-Clause
// Requests that stock clients really sent (tests/golden), through the whole packet path.
#include <map>

#include "catch.hpp"
#include "ntp/keys.hpp"
#include "ntp/mac.hpp"
#include "server/fixture.hpp"
#include "tests/support/pcap_reader.hpp"

using namespace wiretime;

namespace {

struct Golden {
  const char* client;
  Verdict expected;
  std::size_t mac_length = 0;
};

// Both families of each; what a stock chronyd without NTS answers, we answer.
constexpr std::array kGoldens{
    Golden{"chronyd", Verdict::answered},
    Golden{"chronyd-version1", Verdict::answered},
    Golden{"chronyd-version3", Verdict::answered},
    Golden{"chronyd-xleave", Verdict::answered},
    Golden{"chronyd-peer", Verdict::answered_symmetric},
    Golden{"chronyd-md5", Verdict::answered, 20},
    Golden{"chronyd-sha1", Verdict::answered, 24},
    Golden{"chronyd-aes128", Verdict::answered, 20},
    Golden{"ntpdate", Verdict::answered},
    Golden{"ntpdig", Verdict::answered},
    Golden{"ntpsec-ntpd", Verdict::answered},
    Golden{"busybox-ntpd", Verdict::answered},
    Golden{"systemd-timesyncd", Verdict::answered},
};

// The NTP message in a captured frame, if it is a request to port 123.
std::optional<net::ParsedFrame> request_in(const std::vector<std::byte>& frame) {
  net::ParsedFrame parsed;
  if (net::parse(frame, ntp::kPort, parsed) != net::kContinue) return std::nullopt;
  const auto mode = ntp::mode(frame.data() + parsed.payload_offset);
  if (mode != ntp::Mode::client && mode != ntp::Mode::symmetric_active && mode != ntp::Mode::unspecified)
    return std::nullopt;
  return parsed;
}

}  // namespace

TEST_CASE("stock clients' requests get what they deserve") {
  for (const Golden& golden : kGoldens) {
    for (const char* family : {"-v4", "-v6"}) {
      INFO(golden.client << family);
      int requests = 0;
      for (auto& captured : testing::read_golden(std::string{golden.client} + family)) {
        const auto parsed = request_in(captured.bytes);
        if (!parsed) continue;
        ++requests;
        test::Fixture f;
        ntp::AccessRules everybody;
        everybody.set_everywhere(true, false);
        f.tables.access = ntp::AccessList{everybody};
        f.tables.keys = test::golden_keys();
        f.ours = server::LocalAddresses{{net::destination_address(captured.bytes, *parsed)}};
        auto frame = captured.bytes;
        CHECK(f.answer(frame) == golden.expected);
        if (disposition(golden.expected) != Disposition::reply) continue;
        CHECK(net::test::checksums_right(frame, parsed->l3_offset, 56 + golden.mac_length));
        const std::byte* was = captured.bytes.data() + parsed->payload_offset;
        const std::byte* reply = frame.data() + parsed->payload_offset;
        CHECK(ntp::version(reply) == ntp::version(was));
        CHECK(ntp::timestamp(reply, ntp::offset::kOrigin) == ntp::timestamp(was, ntp::offset::kTransmit));
        if (golden.mac_length == 0) continue;
        const std::span<const std::byte> message{reply, ntp::kHeaderLength + golden.mac_length};
        const ntp::Key* const key = ntp::verify_mac(f.tables.keys, message, ntp::kHeaderLength);
        REQUIRE(key != nullptr);
        CHECK(key->id() == load_be32(was + ntp::kHeaderLength));
        CHECK(f.state.features.get(server::Feature::authenticated) == 1);
      }
      CHECK(requests > 0);
    }
  }
}
