// SPDX-License-Identifier: BSD-3-Clause
// A full routing table as an access list, made up but shaped like the real one: prefix lengths as BGP has
// them (CIDR report, 2023: most IPv4 routes /24 and /22, most IPv6 ones /48 and /32), IPv6 in the blocks that
// the registries give out.
#pragma once

#include <random>
#include <vector>

#include "ntp/access_list.hpp"

namespace wiretime::perf {

struct RoutingTableSize {
  std::size_t ipv4 = 1'000'000;
  std::size_t ipv6 = 200'000;
};

inline std::vector<ntp::AccessChange> routing_table(const RoutingTableSize& size) {
  constexpr std::array<unsigned, 20> kLengths4{24, 24, 24, 24, 24, 24, 24, 24, 24, 24,
                                               24, 24, 23, 23, 22, 22, 21, 20, 19, 16};
  constexpr std::array<unsigned, 10> kLengths6{48, 48, 48, 48, 48, 44, 40, 36, 32, 29};
  constexpr std::array<std::uint16_t, 10> kBlocks6{0x2001, 0x2400, 0x2402, 0x2404, 0x2600,
                                                   0x2604, 0x2620, 0x2800, 0x2a02, 0x2c0f};
  std::mt19937_64 random{20261123};
  std::vector<ntp::AccessChange> changes;
  changes.reserve(size.ipv4 + size.ipv6);
  for (std::size_t i = 0; i < size.ipv4; ++i) {
    const auto address = static_cast<std::uint32_t>(random() % (0xDF00'0000U - 0x0100'0000U)) + 0x0100'0000U;
    changes.push_back(
        {*IpPrefix::of(IpAddress::v4(address), kLengths4[random() % kLengths4.size()]), i % 2 == 0, false});
  }
  for (std::size_t i = 0; i < size.ipv6; ++i) {
    IpAddress address;
    address.family = Family::ipv6;
    const std::uint16_t block = kBlocks6[random() % kBlocks6.size()];
    address.bytes[0] = static_cast<std::uint8_t>(block >> 8);
    address.bytes[1] = static_cast<std::uint8_t>(block);
    for (std::size_t b = 2; b < 6; ++b) address.bytes[b] = static_cast<std::uint8_t>(random());
    changes.push_back({*IpPrefix::of(address, kLengths6[random() % kLengths6.size()]), i % 2 == 0, false});
  }
  return changes;
}

}  // namespace wiretime::perf
