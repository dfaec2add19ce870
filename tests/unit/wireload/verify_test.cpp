// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/verify.hpp"

#include <functional>
#include <random>

#include "catch.hpp"
#include "exchange.hpp"

namespace wiretime::load {

namespace {

using test::Bytes;
using test::kNow;
using test::World;

struct Damage {
  std::string what;
  Finding finding;
  std::function<void(World&, Bytes&)> damage;
};

std::byte* message_of(const World& w, Bytes& f) {
  return f.data() + w.path.payload();
}

// A change to the NTP message, with the checksum put right.
Damage in_message(std::string what, Finding finding, std::function<void(std::byte*)> change) {
  return {std::move(what), finding, [change = std::move(change)](World& w, Bytes& f) {
            change(message_of(w, f));
            test::seal(f, w.path);
          }};
}

void move_stamp(std::byte* message, std::size_t field, double seconds) {
  const auto moved = static_cast<std::int64_t>(seconds * 4294967296.0);
  store_be64(message + field, load_be64(message + field) + static_cast<std::uint64_t>(moved));
}

const std::vector<Damage>& damages() {
  static const std::vector<Damage> all{
      {"a bit of the UDP checksum", Finding::udp_checksum,
       [](World& w, Bytes& f) { f[w.path.udp() + 6] ^= std::byte{1}; }},
      {"a bit of the message", Finding::udp_checksum,
       [](World& w, Bytes& f) { message_of(w, f)[17] ^= std::byte{0x10}; }},
      {"UDP length one short", Finding::length,
       [](World& w, Bytes& f) { store_be16(f.data() + w.path.udp() + 4, 55); }},
      {"frame cut", Finding::length, [](World&, Bytes& f) { f.resize(f.size() - 1); }},
      {"44 bytes of NTP", Finding::length,
       [](World& w, Bytes& f) {
         f.resize(f.size() - 4);
         store_be16(f.data() + w.path.udp() + 4, 52);
         store_be16(f.data() + w.path.l3() + (w.path.ipv6() ? 4 : 2), w.path.ipv6() ? 52 : 72);
         test::seal(f, w.path);
       }},
      {"an extension field more", Finding::longer,
       [](World& w, Bytes& f) {
         f.resize(f.size() + 28);
         store_be16(f.data() + w.path.udp() + 4, 84);
         store_be16(f.data() + w.path.l3() + (w.path.ipv6() ? 4 : 2), w.path.ipv6() ? 84 : 104);
         test::seal(f, w.path);
       }},
      {"another port", Finding::address,
       [](World& w, Bytes& f) {
         f[w.path.udp() + 3] ^= std::byte{4};
         test::seal(f, w.path);
       }},
      {"another address", Finding::address,
       [](World& w, Bytes& f) {
         f[w.path.udp() - 1] ^= std::byte{4};
         test::seal(f, w.path);
       }},
      in_message("a random origin", Finding::origin,
                 [](std::byte* m) { store_be64(m + 24, 0x0123456789ABCDEF); }),
      in_message("an origin of zero", Finding::origin, [](std::byte* m) { store_be64(m + 24, 0); }),
      in_message("mode 3", Finding::mode, [](std::byte* m) { store_u8(m, 0x23); }),
      in_message("mode 5", Finding::mode, [](std::byte* m) { store_u8(m, 0x25); }),
      in_message("version 3", Finding::version, [](std::byte* m) { store_u8(m, 0x1C); }),
      in_message("leap 3", Finding::leap, [](std::byte* m) { store_u8(m, 0xE4); }),
      in_message("stratum 16", Finding::stratum, [](std::byte* m) { store_u8(m + 1, 16); }),
      in_message("no time, stratum 16", Finding::leap, [](std::byte* m) { store_be16(m, 0xE410); }),
      in_message("no time, stratum 0", Finding::leap,
                 [](std::byte* m) {
                   store_be16(m, 0xE400);
                   store_be32(m + 12, 0);
                 }),
      in_message("a kiss", Finding::kiss,
                 [](std::byte* m) {
                   store_be16(m, 0xE400);
                   store_be32(m + 12, 0x52415445);  // RATE
                 }),
      in_message("stratum 0", Finding::kiss, [](std::byte* m) { store_u8(m + 1, 0); }),
      in_message("transmit before receive", Finding::transmit_before_receive,
                 [](std::byte* m) { move_stamp(m, 40, -0.001); }),
      in_message("transmit zero", Finding::transmit_before_receive,
                 [](std::byte* m) { store_be64(m + 40, 0); }),
      in_message("two seconds ahead", Finding::clock,
                 [](std::byte* m) {
                   move_stamp(m, 32, 2);
                   move_stamp(m, 40, 2);
                 }),
      in_message("two seconds behind", Finding::clock,
                 [](std::byte* m) {
                   move_stamp(m, 32, -2);
                   move_stamp(m, 40, -2);
                 }),
  };
  return all;
}

}  // namespace

TEST_CASE("what a worker answers passes every check") {
  for (const bool ipv6 : {false, true}) {
    for (const auto vlan : {std::optional<std::uint16_t>{}, std::optional<std::uint16_t>{77}}) {
      World world{ipv6, vlan};
      for (int i = 0; i < 2000; ++i) {
        const Bytes reply = world.reply();
        REQUIRE_FALSE(reply.empty());
        REQUIRE(world.judge(reply) == Finding::valid);
        REQUIRE(world.reading.response_ticks / 8 == 26'000 / 8);
        REQUIRE(world.reading.receive_to_transmit.units > 0);
        REQUIRE_FALSE(world.reading.interleaved);
        REQUIRE(world.reading.sequence == world.sequence - 1);
        REQUIRE((ipv6 ? world.verifier.echo<true>(reply.data(), reply.size())
                      : world.verifier.echo<false>(reply.data(), reply.size())) ==
                load_raw<std::uint32_t>(reply.data() + world.path.payload() + 24));
        REQUIRE(world.judge(reply) == Finding::duplicate);
        REQUIRE(world.reading.sequence == Reading::kNone);
      }
    }
  }
}

TEST_CASE("each kind of damage is caught and named") {
  for (const bool ipv6 : {false, true}) {
    for (const Damage& d : damages()) {
      World world{ipv6};
      Bytes reply = world.reply();
      d.damage(world, reply);
      INFO(d.what << (ipv6 ? " over IPv6" : " over IPv4"));
      CHECK(name(world.judge(reply)) == name(d.finding));
    }
  }
  World world{false};
  Bytes reply = world.reply();
  reply[14 + 8] ^= std::byte{0x40};  // TTL
  CHECK(world.judge(reply) == Finding::ip_checksum);
}

TEST_CASE("no single flipped bit behind the addresses of a reply goes unnoticed") {
  for (const bool ipv6 : {false, true}) {
    World world{ipv6};
    const std::size_t first = (world.path.udp() + 2) * 8;
    const std::size_t bits = world.reply().size() * 8;
    for (std::size_t bit = first; bit < bits; ++bit) {
      Bytes reply = world.reply();
      reply[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
      REQUIRE(world.judge(reply) != Finding::valid);
    }
  }
}

TEST_CASE("a second reply is a duplicate, one of an earlier step is late") {
  World world{false};
  const Bytes reply = world.reply();
  const Bytes other = world.reply();
  CHECK(world.judge(reply) == Finding::valid);
  CHECK(world.judge(reply) == Finding::duplicate);
  world.verifier.begin_step(world.sequence);
  CHECK(world.judge(other) == Finding::late);
  CHECK(world.judge(world.reply()) == Finding::valid);
}

TEST_CASE("a reply older than any that is waited for is nobody's") {
  World world{false};
  const Bytes reply = world.reply();
  CHECK(world.judge(reply, kNow + static_cast<std::uint64_t>(11 * test::kHz)) == Finding::origin);
}

TEST_CASE("of a reflector each request counts once, as it went out") {
  for (const bool ipv6 : {false, true}) {
    World world{ipv6};
    Verifier verifier{world.path,
                      world.clients,
                      world.order,
                      world.cookie,
                      world.answered,
                      nullptr,
                      {std::nullopt, test::kHz, true}};
    const auto judge = [&](const Bytes& frame) {
      return ipv6 ? verifier.check<true>(frame.data(), frame.size(), kNow + 26, world.sequence, world.reading)
                  : verifier.check<false>(frame.data(), frame.size(), kNow + 26, world.sequence,
                                          world.reading);
    };
    const auto glance = [&](const Bytes& frame) {
      return ipv6 ? verifier.glance<true>(frame.data(), frame.size())
                  : verifier.glance<false>(frame.data(), frame.size());
    };
    const Bytes other = test::reflected(world.request(), world.path);
    Bytes frame = test::reflected(world.request(), world.path);
    CHECK(judge(frame) == Finding::valid);
    CHECK(world.reading.response_ticks / 8 == 26 / 8);
    CHECK(judge(frame) == Finding::duplicate);
    CHECK(glance(frame) == Finding::valid);
    frame[frame.size() - 1] ^= std::byte{1};
    CHECK(judge(frame) == Finding::udp_checksum);
    CHECK(judge(world.reply()) == Finding::origin);
    CHECK(judge(other) == Finding::valid);
  }
}

TEST_CASE("checksums that a virtual link leaves half made, or out, are taken") {
  World world{false};
  Bytes reply = world.reply();
  const auto pseudo =
      net::test::slow_pseudo_sum(net::test::ip("192.0.2.1"), world.clients.address(world.asked), 17, 56);
  store_be16(reply.data() + 40, pseudo);
  CHECK(world.judge(reply) == Finding::valid);
  reply = world.reply();
  store_be16(reply.data() + 40, 0);
  CHECK(world.judge(reply) == Finding::valid);
  World world6{true};
  Bytes reply6 = world6.reply();
  store_be16(reply6.data() + 60, 0);
  CHECK(world6.judge(reply6) == Finding::udp_checksum);
}

TEST_CASE("a server whose clock runs backwards between two replies is found out") {
  World world{false};
  const std::uint64_t tick = static_cast<std::uint64_t>(test::kHz / 1000);
  CHECK(world.judge(world.reply(kNow), kNow + 1000) == Finding::valid);
  // Due after the first was received, and received by a clock 50 ms earlier.
  world.server.snapshot.anchor_time =
      world.server.snapshot.anchor_time + NtpDuration::from(std::chrono::milliseconds{-50});
  CHECK(world.judge(world.reply(kNow + 2 * tick), kNow + 3 * tick) == Finding::backwards);
}

TEST_CASE("what does not come from the server's port is not a reply") {
  for (const bool ipv6 : {false, true}) {
    World world{ipv6};
    const Bytes good = world.reply();
    const auto changed = [&](std::size_t at) {
      Bytes f = good;
      f[at] ^= std::byte{2};
      return f;
    };
    CHECK(world.judge(changed(12)) == Finding::other);                                  // EtherType
    CHECK(world.judge(changed(world.path.udp() - (ipv6 ? 17 : 5))) == Finding::other);  // source address
    CHECK(world.judge(changed(world.path.udp() + 1)) == Finding::other);                // source port
    CHECK(world.judge(changed(world.path.l3() + (ipv6 ? 6 : 9))) == Finding::other);    // protocol
    for (std::size_t length = 0; length < world.path.payload(); ++length)
      REQUIRE(world.judge({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)}) ==
              Finding::other);
  }
  World tagged{false, std::uint16_t{77}};
  Bytes wrong_tag = tagged.reply();
  wrong_tag[15] ^= std::byte{1};
  CHECK(tagged.judge(wrong_tag) == Finding::other);
}

TEST_CASE("a glance tells kisses and answers to bad packets from the rest") {
  World world{false};
  Bytes reply = world.reply();
  CHECK(world.verifier.glance<false>(reply.data(), reply.size()) == Finding::valid);
  store_u8(message_of(world, reply) + 1, 0);
  CHECK(world.verifier.glance<false>(reply.data(), reply.size()) == Finding::kiss);
  store_be16(reply.data() + world.path.udp() + 2, kFirstBadPort + 3);
  CHECK(world.verifier.glance<false>(reply.data(), reply.size()) == Finding::unexpected);
  CHECK(world.judge(reply) == Finding::unexpected);
}

TEST_CASE("interleaved replies are checked against the reply before") {
  World world{false, std::nullopt, true};
  const auto interleave = [&](Bytes request, Bytes reply, double transmit_off) {
    // As RFC 9769 has it: the origin is the request's receive stamp, the transmit stamp the last reply's.
    std::byte* m = message_of(world, reply);
    std::copy_n(message_of(world, request) + 32, 8, m + 24);
    store_raw(m + 40, world.last_replies[world.asked].transmit);
    move_stamp(m, 40, transmit_off);
    test::seal(reply, world.path);
    return reply;
  };
  // Every client once, in basic mode; then again.
  for (int i = 0; i < 200; ++i) REQUIRE(world.judge(world.reply()) == Finding::valid);
  for (const auto& [off, finding] :
       {std::pair{0.00002, Finding::valid}, std::pair{5.0, Finding::interleaved}}) {
    const Bytes request = world.request();
    REQUIRE(load_raw<std::uint64_t>(request.data() + world.path.payload() + 24) ==
            world.last_replies[world.asked].receive);
    Bytes reply = request;
    REQUIRE(world.server.answer(reply) == Verdict::answered);
    CHECK(world.judge(interleave(request, reply, off)) == finding);
    CHECK(world.reading.interleaved);
    CHECK(world.reading.receive_to_transmit.seconds() == Approx(off + 1.0 / 65536).margin(1e-6));
  }
  CHECK(world.judge(world.reply()) == Finding::valid);  // back to basic mode any time
}

TEST_CASE("random bytes are never valid, nor read beyond their end") {
  std::mt19937_64 random{23};
  for (const bool ipv6 : {false, true}) {
    World world{ipv6};
    const Bytes good = world.reply();
    for (int i = 0; i < 20'000; ++i) {
      Bytes f = good;
      for (std::size_t at = world.path.udp() + 2; at < f.size(); ++at)
        f[at] = static_cast<std::byte>(random());
      f.resize(random() % (f.size() + 1));
      REQUIRE(world.judge(f) != Finding::valid);
    }
  }
}

TEST_CASE("our own clock goes with the ticks") {
  const OwnClock clock = OwnClock::at(1000, {0xEA00'0000'0000'0000U}, 2.5e9);
  CHECK((clock.time(1000 + 2'500'000'000) - clock.anchor_time).seconds() == Approx(1).epsilon(1e-9));
  CHECK((clock.time(1000 + 2'500'000'000ULL * 86400) - clock.anchor_time).seconds() ==
        Approx(86400).epsilon(1e-9));
}

}  // namespace wiretime::load
