// SPDX-License-Identifier: BSD-3-Clause
// What a host owes its link on ports the kernel does not own: answers to ARP (RFC 826, 5227), IPv6 neighbour
// solicitations (RFC 4861, 4862) and ICMP / ICMPv6 echo (RFC 792, 1122, 4443), and the announcements at
// start; and questions of its own, for the load generator. Worker threads; no state here: RateLimiter
// (net/rate_limiter.hpp) is the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip_address.hpp"
#include "base/verdict.hpp"
#include "net/headers.hpp"

namespace wiretime::net {

// Filled before the workers start, read only from then on.
struct OwnAddresses {
  MacAddress mac{};
  std::vector<IpAddress> addresses;  // both families, unicast; the link-local address need not be listed
  std::optional<std::uint16_t>
      vlan;  // only frames with exactly this one tag are ours; nullopt: any tags, or none
  std::vector<IpPrefix> prefixes{};  // ours as a whole: those of simulated clients
  std::vector<IpAddress> foreign{};  // not ours, though inside `prefixes`

  // fe80::/64 and the modified EUI-64 of `mac` (RFC 4291 appendix A); always one of our addresses.
  [[nodiscard]] IpAddress link_local() const noexcept;
  [[nodiscard]] bool owns(const IpAddress& address) const noexcept;
};

// Answers the frame in the first `length` bytes of `buffer` in place when it asks for one of our addresses:
// arp_answered, nd_answered or echo_answered, with `length` the answer's (an advertisement can be 8 bytes
// longer than its solicitation, hence the whole buffer). Any other verdict leaves buffer and length as they
// were and says why: a pass_on one for what is not for us to answer, a drop one for what nobody should
// answer.
[[nodiscard]] Verdict answer_neighbor(std::span<std::byte> buffer, std::uint32_t& length,
                                      const OwnAddresses& own) noexcept;

// Announcements for one of our addresses, tagged when `own.vlan` is set: a gratuitous ARP request (RFC 5227
// section 3) and an unsolicited neighbour advertisement to all nodes (RFC 4861 section 7.2.6). They return
// the frame's length, or 0 when `buffer` is too small or the address is of the other family.
// kAnnouncementSize suffices for both.
inline constexpr std::size_t kAnnouncementSize = 90;
[[nodiscard]] std::uint32_t build_gratuitous_arp(std::span<std::byte> buffer, const OwnAddresses& own,
                                                 const IpAddress& address) noexcept;
[[nodiscard]] std::uint32_t build_unsolicited_advertisement(std::span<std::byte> buffer,
                                                            const OwnAddresses& own,
                                                            const IpAddress& address) noexcept;

// Asks who has `target`, from our address `asker` of the same family: a broadcast ARP request or a multicast
// neighbour solicitation (RFC 4861 section 4.3). Returns the frame's length, or 0 when `buffer` is too small.
[[nodiscard]] std::uint32_t build_neighbor_request(std::span<std::byte> buffer, const OwnAddresses& own,
                                                   const IpAddress& asker, const IpAddress& target) noexcept;
// The MAC of `target`, if this frame, on our VLAN, says so in answer to the above.
[[nodiscard]] std::optional<MacAddress> read_neighbor_answer(std::span<const std::byte> frame,
                                                             const OwnAddresses& own,
                                                             const IpAddress& target) noexcept;

}  // namespace wiretime::net
