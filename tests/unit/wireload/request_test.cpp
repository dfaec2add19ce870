// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/request.hpp"

#include <random>

#include "catch.hpp"
#include "exchange.hpp"
#include "net/frame.hpp"

namespace wiretime::load {

TEST_CASE("a request is a frame that a server parses, with checksums that a slow sum finds right") {
  std::mt19937_64 random{17};
  for (const bool ipv6 : {false, true}) {
    for (const auto vlan : {std::optional<std::uint16_t>{}, std::optional<std::uint16_t>{77}}) {
      test::World world{ipv6, vlan};
      for (int i = 0; i < 500; ++i) {
        test::Bytes frame(RequestWriter::kRoom, std::byte{0xEE});
        const Endpoint from = world.endpoint(static_cast<std::uint32_t>(random() % 200));
        const RequestStamps stamps{random(), random(), random()};
        if (ipv6)
          world.writer.write<true, true>(frame.data(), from, stamps);
        else
          world.writer.write<false, true>(frame.data(), from, stamps);
        frame.resize(world.writer.length());
        net::ParsedFrame parsed;
        REQUIRE(net::parse(frame, 123, parsed) == net::kContinue);
        REQUIRE(parsed.payload_length == 48);
        REQUIRE(parsed.payload_offset == world.path.payload());
        REQUIRE(net::test::checksums_right(frame, world.path.l3(), 56));
        REQUIRE(net::destination_address(frame, parsed) == world.path.server);
        REQUIRE(net::source_port(frame, parsed) == byte_swap(from.port));
        const std::byte* message = frame.data() + parsed.payload_offset;
        REQUIRE(load_u8(message) == 0x23);
        REQUIRE(load_raw<std::uint64_t>(message + 24) == stamps.origin);
        REQUIRE(load_raw<std::uint64_t>(message + 32) == stamps.receive);
        REQUIRE(load_raw<std::uint64_t>(message + 40) == stamps.transmit);
        if (vlan) REQUIRE((load_be16(frame.data() + 14) == *vlan && load_be16(frame.data() + 12) == 0x8100));
      }
    }
  }
}

TEST_CASE("a basic request says nothing but its cookie") {
  test::World world{false};
  test::Bytes frame(RequestWriter::kRoom);
  world.writer.write<false>(frame.data(), world.endpoint(3), {1, 2, 0x1122334455667788});
  const auto* message = frame.data() + world.path.payload();
  for (std::size_t i = 4; i < 40; ++i) CHECK(load_u8(message + i) == 0);
  CHECK(net::test::checksums_right(std::span{frame}.first(world.writer.length()), 14, 56));
}

TEST_CASE("the source of a request is its client's") {
  test::World world{false};
  const auto frame = world.request();
  CHECK(IpAddress::v4(frame.data() + 26) == world.clients.address(world.asked));
  test::World world6{true};
  const auto frame6 = world6.request();
  CHECK(IpAddress::v6(frame6.data() + 22) == world6.clients.address(world6.asked));
}

}  // namespace wiretime::load
