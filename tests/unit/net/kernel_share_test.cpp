// SPDX-License-Identifier: BSD-3-Clause
#include "net/kernel_share.hpp"

#include "neighbor_frames.hpp"
#include "net/frame.hpp"

using namespace wiretime;
using namespace wiretime::net::test;
using net::kernel_share;
using net::KernelShare;

namespace {

// As the worker asks: with the verdict of what looked at the frame before.
KernelShare share_of(const Bytes& frame) {
  net::ParsedFrame parsed;
  Verdict verdict = net::parse(frame, 123, parsed);
  if (verdict == Verdict::not_ip || verdict == Verdict::not_udp) verdict = ask(frame).verdict;
  return kernel_share(frame, verdict, server());
}

Bytes udp_from(std::uint16_t port, Spec s = {}) {
  s.source_port = port;
  s.destination_port = 40000;
  return udp_frame(s);
}

}  // namespace

TEST_CASE("what our own time hangs on is vital: ARP, neighbour discovery, answers of NTP servers") {
  CHECK(share_of(arp_frame(kServerMac, ip("192.0.2.2"), ip("192.0.2.1"), 2)) == KernelShare::vital);
  CHECK(share_of(arp_request("192.0.2.99")) == KernelShare::vital);
  CHECK(share_of(udp_from(123)) == KernelShare::vital);
  CHECK(share_of(udp_from(123, ipv6_spec())) == KernelShare::vital);
  CHECK(kernel_share(udp_from(40000), Verdict::peer_packet, server()) == KernelShare::vital);
  Spec s;
  s.from = ip("2001:db8::2");
  s.to = ip("2001:db8::1");
  s.hop_limit = 255;
  for (unsigned type = 133; type <= 137; ++type) {
    Bytes message(24);
    message[0] = static_cast<std::byte>(type);
    CHECK(kernel_share(icmp_frame(s, message), Verdict::not_udp, server()) == KernelShare::vital);
  }
}

TEST_CASE("TCP, errors, names and whatever else comes for this host is ordinary") {
  CHECK(share_of(udp_from(53)) == KernelShare::ordinary);
  CHECK(share_of(udp_from(53, ipv6_spec())) == KernelShare::ordinary);
  Spec tcp;
  tcp.protocol = net::protocol::kTcp;
  CHECK(share_of(ip_frame(tcp, Bytes(20))) == KernelShare::ordinary);
  Bytes unreachable(36);
  unreachable[0] = std::byte{3};
  CHECK(share_of(icmp_frame({}, unreachable)) == KernelShare::ordinary);
  Spec fragment;
  fragment.fragment = net::ipv4::kFragmentMask & 0x2000;
  CHECK(share_of(udp_from(123, fragment)) == KernelShare::ordinary);
}

TEST_CASE("broken and refused frames, and those of other stations and of ourselves, are not the kernel's") {
  for (unsigned v = 0; v < kVerdictCount; ++v) {
    const auto verdict = static_cast<Verdict>(v);
    const bool passed = disposition(verdict) == Disposition::pass_on ||
                        verdict == Verdict::ntp_mode_response || verdict == Verdict::peer_packet;
    CHECK((kernel_share(udp_from(53), verdict, server()) != KernelShare::none) == passed);
  }
  Spec stray;
  stray.destination_mac = kServerMac ^ 0x10;
  CHECK(share_of(udp_from(53, stray)) == KernelShare::none);
  Spec mirrored;
  mirrored.source_mac = kServerMac;
  CHECK(share_of(udp_from(53, mirrored)) == KernelShare::none);
  const Bytes whole = udp_from(123);
  for (std::size_t size = 0; size < whole.size(); ++size)
    for (const Verdict v : {Verdict::not_ip, Verdict::not_udp, Verdict::ntp_mode_response}) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK((kernel_share(part, v, server()) == KernelShare::none) == (size < 14));
    }
}
