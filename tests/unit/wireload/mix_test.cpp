// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/mix.hpp"

#include <map>

#include "catch.hpp"
#include "exchange.hpp"

namespace wiretime::load {

TEST_CASE("no bad packet is answered by a worker, and each for its own reason") {
  const std::map<std::string_view, Verdict> reasons{{"malformed", Verdict::ntp_extension_invalid},
                                                    {"short", Verdict::ntp_too_short},
                                                    {"version", Verdict::ntp_version_unsupported},
                                                    {"mode6", Verdict::ntp_mode_control},
                                                    {"mode7", Verdict::ntp_mode_private},
                                                    {"response", Verdict::ntp_mode_response},
                                                    {"checksum", Verdict::udp_checksum_bad},
                                                    {"fragment", Verdict::fragment},
                                                    {"source", Verdict::source_invalid}};
  REQUIRE(reasons.size() == kBadPackets);
  for (const bool ipv6 : {false, true}) {
    for (std::size_t k = 0; k < kBadPackets; ++k) {
      const auto kind = static_cast<BadPacket>(k);
      test::World world{ipv6};
      test::Bytes frame(kBadRoom);
      frame.resize(write_bad(frame.data(), kind, world.writer, world.path, world.endpoint(7), 0x55AA));
      INFO(name(kind) << (ipv6 ? " over IPv6" : " over IPv4"));
      CHECK(load_be16(frame.data() + world.path.udp() + (ipv6 && kind == BadPacket::fragment_ ? 8 : 0)) ==
            kFirstBadPort + k);
      CHECK(name(world.server.answer(frame)) == name(reasons.at(name(kind))));
    }
  }
}

TEST_CASE("shares of a mix are kept, and the rest are requests") {
  const auto mix = Mix::parse("malformed=5%,short=1%,mode6=0.5%");
  REQUIRE(mix);
  std::map<std::optional<BadPacket>, int> counts;
  constexpr int kDraws = 400'000;
  for (std::uint64_t s = 0; s < kDraws; ++s) {
    const auto kind = mix->choose(s, 99);
    REQUIRE(mix->choose(s, 99) == kind);
    ++counts[kind];
  }
  CHECK(counts.size() == 4);
  CHECK(counts[BadPacket::malformed_] == Approx(0.05 * kDraws).epsilon(0.03));
  CHECK(counts[BadPacket::short_] == Approx(0.01 * kDraws).epsilon(0.06));
  CHECK(counts[BadPacket::mode6_] == Approx(0.005 * kDraws).epsilon(0.1));
}

TEST_CASE("a mix that makes no sense is refused with the reason") {
  CHECK(
      Mix::parse("mode8=1%").error().message ==
      "expected a kind of bad packet (malformed, short, version, mode6, mode7, response, checksum, fragment, "
      "source), found \"mode8\"");
  CHECK(Mix::parse("short").error().message ==
        "expected shares such as malformed=5%,short=1%, found \"short\"");
  CHECK(Mix::parse("short=x").error().message ==
        "expected shares such as malformed=5%,short=1%, found \"short=x\"");
  CHECK(Mix::parse("short=60%,mode7=40%").error().message ==
        "expected shares below 100 % together, found \"short=60%,mode7=40%\"");
  CHECK_FALSE(Mix::parse("short=0%"));
  CHECK_FALSE(Mix::parse(""));
  CHECK(Mix{}.empty());
  CHECK_FALSE(Mix{}.choose(1, 2));
}

}  // namespace wiretime::load
