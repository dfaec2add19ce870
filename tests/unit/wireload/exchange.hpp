// SPDX-License-Identifier: BSD-3-Clause
// A generator without its wire, and a server as workers run it: a request goes in, its reply comes out.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "perf/wireload/mix.hpp"
#include "perf/wireload/verify.hpp"
#include "server/fixture.hpp"

namespace wiretime::load::test {

using net::test::Bytes;

inline constexpr double kHz = 2.6e9;
inline constexpr std::uint64_t kNow = 5'000'000'000'000;

inline Path path_to(const std::string& server, std::optional<std::uint16_t> vlan = std::nullopt) {
  Path path;
  path.source = net::test::mac(net::test::kClientMac);
  path.destination = net::test::mac(net::test::kServerMac);
  path.server = net::test::ip(server);
  path.vlan = vlan;
  return path;
}

struct World {
  explicit World(bool ipv6, std::optional<std::uint16_t> vlan = std::nullopt, bool interleaved = false)
      : path{path_to(ipv6 ? "2001:db8::1" : "192.0.2.1", vlan)},
        clients{*Clients::make(*IpPrefix::of(path.server, ipv6 ? 64 : 24), 200,
                               {path.server, net::test::ip("192.0.2.66")}, 11)},
        last_replies(interleaved ? clients.count() : 0),
        verifier{path,
                 clients,
                 order,
                 cookie,
                 answered,
                 interleaved ? &last_replies : nullptr,
                 {NtpDuration::from(std::chrono::seconds{1}), kHz}} {
    verifier.set_clock(OwnClock::at(kNow, server.snapshot.anchor_time, kHz));
  }

  Endpoint endpoint(std::uint32_t client) const {
    return path.ipv6() ? clients.endpoint<true>(client) : clients.endpoint<false>(client);
  }

  // The next request, due at `due`.
  Bytes request(std::uint64_t due = kNow) {
    std::uint32_t client = 0;
    do answered.open(sequence);
    while (!order.client(static_cast<std::uint32_t>(sequence++), client));
    asked = client;
    Bytes frame(RequestWriter::kRoom);
    const Exchange e{due, static_cast<std::uint32_t>(sequence - 1), false};
    RequestStamps stamps{0, 0, cookie.make(e)};
    if (!last_replies.empty() && last_replies[client].receive != 0) {
      stamps.origin = last_replies[client].receive;
      stamps.receive = cookie.make({due, e.sequence, true});
    }
    if (path.ipv6())
      writer.write<true, true>(frame.data(), endpoint(client), stamps);
    else
      writer.write<false, true>(frame.data(), endpoint(client), stamps);
    frame.resize(writer.length());
    return frame;
  }

  Bytes reply(std::uint64_t due = kNow) {
    Bytes frame = request(due);
    if (disposition(server.answer(frame)) != Disposition::reply) frame.clear();
    return frame;
  }

  // As the generator does it; `other` for what is no reply.
  Finding judge(const Bytes& frame, std::uint64_t now = kNow + 26'000) {
    net::test::Exact exact{frame};
    const std::byte* data = exact.span().data();
    reading = {};
    if (path.ipv6())
      return verifier.is_reply<true>(data, frame.size())
                 ? verifier.check<true>(data, frame.size(), now, sequence, reading)
                 : Finding::other;
    return verifier.is_reply<false>(data, frame.size())
               ? verifier.check<false>(data, frame.size(), now, sequence, reading)
               : Finding::other;
  }

  wiretime::test::Fixture server;
  Path path;
  Clients clients;
  ClientOrder order{200, 12};
  Cookie cookie{13};
  RequestWriter writer{path};
  Answered answered;
  std::vector<LastReply> last_replies;
  Verifier verifier;
  std::uint64_t sequence = 1;
  std::uint32_t asked = 0;
  Reading reading;
};

// After a change behind the UDP header: the damage is the message's, not the checksum's.
inline void seal(Bytes& frame, const Path& path) {
  const std::size_t udp = path.udp();
  const std::size_t length = load_be16(frame.data() + udp + 4);
  store_be16(frame.data() + udp + 6, 0);
  const auto at = [&](std::size_t offset) {
    return path.ipv6() ? IpAddress::v6(frame.data() + offset) : IpAddress::v4(frame.data() + offset);
  };
  const std::size_t size = path.ipv6() ? 16 : 4;
  const auto pseudo = net::test::slow_pseudo_sum(at(udp - 2 * size), at(udp - size), 17, length);
  const auto sum = static_cast<std::uint16_t>(
      ~net::test::slow_sum(std::span<const std::byte>{frame}.subspan(udp, length), pseudo));
  store_be16(frame.data() + udp + 6, sum == 0 ? std::uint16_t{0xFFFF} : sum);
  if (!path.ipv6()) net::test::set_ipv4_checksum(frame, path.l3());
}

// What testpmd's 5tswap makes of a frame.
inline Bytes reflected(Bytes frame, const Path& path) {
  const auto swap = [&](std::size_t first, std::size_t size) {
    std::swap_ranges(frame.begin() + static_cast<std::ptrdiff_t>(first),
                     frame.begin() + static_cast<std::ptrdiff_t>(first + size),
                     frame.begin() + static_cast<std::ptrdiff_t>(first + size));
  };
  const std::size_t address = path.ipv6() ? 16 : 4;
  swap(0, 6);
  swap(path.udp() - 2 * address, address);
  swap(path.udp(), 2);
  return frame;
}

}  // namespace wiretime::load::test
