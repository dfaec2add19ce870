// SPDX-License-Identifier: BSD-3-Clause
// A server as a worker sees it: 192.0.2.1 and 2001:db8::1, serving 192.0.2.0/24 and 2001:db8::/32.
#pragma once

#include <memory>

#include "net/frames.hpp"
#include "ntp/message.hpp"
#include "server/burst.hpp"

namespace wiretime::test {

struct Fixture {
  Fixture() {
    snapshot.valid = true;
    snapshot.precision = -24;
    snapshot.uptime = 1600;
    snapshot.anchor_time = {0xEA00'0000'0000'0000U};
    snapshot.reference.leap = clock::Leap::none;
    snapshot.reference.stratum = 2;
    snapshot.reference.refid = 0x7F7F0101U;
    ntp::AccessRules rules;
    rules.set(*IpPrefix::of(net::test::ip("192.0.2.0"), 24), true, false);
    rules.set(*IpPrefix::of(net::test::ip("2001:db8::"), 32), true, false);
    rules.set(*IpPrefix::of(net::test::ip("192.0.2.66"), 32), false, false);
    tables.access = ntp::AccessList{rules};
  }

  Verdict answer(net::test::Bytes& frame) {
    server::Frame f{frame.data(), static_cast<std::uint32_t>(frame.size()), snapshot.anchor_time, {}, {}};
    server::answer({&f, 1}, snapshot, tables, ours, state);
    server::finish({&f, 1}, snapshot.anchor_time + NtpDuration{1 << 16}, snapshot, state);
    frame.resize(f.length);
    return f.verdict;
  }

  clock::TimeSnapshot snapshot;
  server::Tables tables;
  server::LocalAddresses ours{{net::test::ip("192.0.2.1"), net::test::ip("2001:db8::1")}};
  server::WorkerState state{"test",
                            0,
                            {1, 2},
                            std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{1024, 1024},
                                                               std::array<std::uint64_t, 2>{3, 4})};
};

// A UDP frame of `spec` that carries `message`, with a right checksum.
inline net::test::Bytes frame_with(net::test::Spec spec, std::span<const std::byte> message) {
  spec.payload = message.size();
  auto frame = net::test::udp_frame(spec);
  const std::size_t udp = spec.l4();
  std::copy(message.begin(), message.end(), frame.begin() + static_cast<std::ptrdiff_t>(udp + 8));
  store_be16(frame.data() + udp + 6, 0);
  const std::span<const std::byte> segment{frame.data() + udp, 8 + message.size()};
  const auto pseudo = net::test::slow_pseudo_sum(spec.from, spec.to, 17, segment.size());
  const auto sum = static_cast<std::uint16_t>(~net::test::slow_sum(segment, pseudo));
  store_be16(frame.data() + udp + 6, sum == 0 ? std::uint16_t{0xFFFF} : sum);
  return frame;
}

}  // namespace wiretime::test
