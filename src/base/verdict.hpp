// SPDX-License-Identifier: BSD-3-Clause
// One value for each way a received packet can end. Every value is one counter, one Prometheus series
// (wiretime_packets_total{verdict="..."}), one line in the documentation and at least one test.
// Shared by every layer of the packet path, so that the layer that finds the reason names it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace wiretime {

// What the transport does with the frame.
enum class Disposition : std::uint8_t {
  reply,    // the frame now holds the answer: transmit it
  pass_on,  // not ours to answer: the kernel's, or the exception path's; dropped where there is neither
  drop,
};

// name, disposition, what an operator reads in the metric's documentation
#define WIRETIME_VERDICTS(X)                                                                              \
  /* answers */                                                                                           \
  X(answered, reply, "client request answered (mode 3 to 4)")                                             \
  X(answered_symmetric, reply, "symmetric active request answered (mode 1 to 2)")                         \
  X(answered_version1, reply, "version 1 request without a mode answered")                                \
  X(answered_kiss, reply, "client over its rate limit told so: kiss of death RATE")                       \
  X(arp_answered, reply, "ARP request for our address answered")                                          \
  X(nd_answered, reply, "IPv6 neighbour solicitation answered")                                           \
  X(echo_answered, reply, "ICMP or ICMPv6 echo request answered")                                         \
  /* frames that are somebody else's business */                                                          \
  X(not_ip, pass_on, "neither IPv4 nor IPv6, or an ARP frame not for us")                                 \
  X(not_udp, pass_on, "IP, but not UDP")                                                                  \
  X(not_ntp_port, pass_on, "UDP to another port than ours")                                               \
  X(not_our_address, pass_on, "destination is not an address of this host")                               \
  X(fragment, pass_on, "IP fragment")                                                                     \
  X(ipv4_options, pass_on, "IPv4 header with options")                                                    \
  X(ipv6_extension, pass_on, "IPv6 with extension headers")                                               \
  X(other_dataplane, drop, "kernel socket's copy of a packet that a data plane answers")                  \
  /* broken frames */                                                                                     \
  X(frame_truncated, drop, "frame or IP packet shorter than its headers say")                             \
  X(ip_header_invalid, drop, "IP version, header length or total length makes no sense")                  \
  X(ip_checksum_bad, drop, "IPv4 header checksum is wrong")                                               \
  X(udp_length_bad, drop, "UDP length does not fit the IP payload")                                       \
  X(udp_checksum_bad, drop, "UDP checksum is wrong, or missing over IPv6")                                \
  X(icmp_invalid, drop, "ICMP checksum is wrong, or a neighbour solicitation RFC 4861 rejects")           \
  X(link_broadcast, drop, "unicast request in a broadcast or multicast link-layer frame, or sent to one") \
  X(frame_multi_segment, drop, "frame longer than one receive buffer")                                    \
  /* spoofed sources: answering would make us a weapon */                                                 \
  X(source_own_address, drop, "source is our own address")                                                \
  X(source_multicast, drop, "source is a multicast or broadcast address")                                 \
  X(source_invalid, drop, "source is unspecified, loopback on a wire, or port 0")                         \
  X(source_port_reflects, drop, "version 1 request without a mode from port 123: the answer could loop")  \
  /* not a request */                                                                                     \
  X(ntp_too_short, drop, "NTP message shorter than 48 bytes")                                             \
  X(ntp_too_long, drop, "NTP message longer than any request")                                            \
  X(ntp_length_unaligned, drop, "NTP message length not a multiple of 4")                                 \
  X(ntp_version_unsupported, drop, "NTP version 0, 5, 6 or 7")                                            \
  X(peer_packet, drop, "symmetric packet of a peer we are configured with: measured, not answered")       \
  X(ntp_mode_response, drop, "NTP mode 2, 4 or 5: an answer or broadcast, not a request")                 \
  X(ntp_mode_reserved, drop, "NTP mode 0 with a version above 1")                                         \
  X(ntp_mode_control, drop, "NTP mode 6 (ntpq control message): never answered")                          \
  X(ntp_mode_private, drop, "NTP mode 7 (ntpdc private message): never answered")                         \
  X(ntp_extension_invalid, drop, "extension fields or MAC cannot be parsed")                              \
  X(ntp_authentication_unsupported, drop, "NTS extension fields, which this server cannot verify")        \
  X(ntp_mac_invalid, drop, "MAC of a key that is not in the key file, or not made with that key")         \
  /* policy */                                                                                            \
  X(denied, drop, "client refused by allow/deny")                                                         \
  X(rate_limited, drop, "client over its rate limit")                                                     \
  /* ours to regret */                                                                                    \
  X(no_time, drop, "no time snapshot yet: service is starting")                                           \
  X(neighbor_rate_limited, drop, "ARP, ND or echo request over the answer rate")                          \
  X(transmit_failed, drop, "answer dropped: transmit queue full or socket error")

enum class Verdict : std::uint8_t {
#define X(name, disposition, text) name,
  WIRETIME_VERDICTS(X)
#undef X
      kCount
};

inline constexpr std::size_t kVerdictCount = static_cast<std::size_t>(Verdict::kCount);

namespace detail {
struct VerdictInfo {
  std::string_view name;
  std::string_view text;
  Disposition disposition;
};
inline constexpr std::array<VerdictInfo, kVerdictCount> kVerdictInfo{{
#define X(name, disposition, text) {#name, text, Disposition::disposition},
    WIRETIME_VERDICTS(X)
#undef X
}};
}  // namespace detail

[[nodiscard]] constexpr Disposition disposition(Verdict v) noexcept {
  return detail::kVerdictInfo[static_cast<std::size_t>(v)].disposition;
}
[[nodiscard]] constexpr std::string_view name(Verdict v) noexcept {
  return detail::kVerdictInfo[static_cast<std::size_t>(v)].name;
}
[[nodiscard]] constexpr std::string_view describe(Verdict v) noexcept {
  return detail::kVerdictInfo[static_cast<std::size_t>(v)].text;
}
// True for the verdicts that are an NTP answer (not ARP, ND or echo).
[[nodiscard]] constexpr bool is_ntp_answer(Verdict v) noexcept {
  return v <= Verdict::answered_kiss;
}

}  // namespace wiretime
