// SPDX-License-Identifier: BSD-3-Clause
// Where the fields of Ethernet, VLAN, ARP, IPv4, IPv6, UDP, ICMP and neighbour discovery stand, and the
// numbers they hold. Offsets count from the start of their own header; read and write them with
// base/bytes.hpp. IEEE 802.3, 802.1Q, RFC 826, 791, 8200, 768, 792, 4443, 4861. Constants only: any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace wiretime::net {

using MacAddress = std::array<std::byte, 6>;

namespace ethernet {
inline constexpr std::size_t kDestination = 0;
inline constexpr std::size_t kSource = 6;
inline constexpr std::size_t kEtherType = 12;
inline constexpr std::size_t kHeaderSize = 14;
inline constexpr std::size_t kTagSize = 4;  // TPID and TCI, before the EtherType they push back
inline constexpr std::size_t kMaxTags = 2;
inline constexpr std::size_t kMinimumFrame = 60;  // without the frame check sequence

inline constexpr std::uint16_t kTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kTypeArp = 0x0806;
inline constexpr std::uint16_t kTypeVlan = 0x8100;         // 802.1Q
inline constexpr std::uint16_t kTypeServiceVlan = 0x88A8;  // 802.1ad, the outer tag of QinQ
inline constexpr std::uint16_t kTypeIpv6 = 0x86DD;

inline constexpr std::uint16_t kVlanIdMask = 0x0FFF;  // of the TCI; PCP and DEI are above
}  // namespace ethernet

namespace arp {  // for IPv4 over Ethernet
inline constexpr std::size_t kHardwareType = 0;
inline constexpr std::size_t kProtocolType = 2;
inline constexpr std::size_t kHardwareLength = 4;
inline constexpr std::size_t kProtocolLength = 5;
inline constexpr std::size_t kOperation = 6;
inline constexpr std::size_t kSenderHardware = 8;
inline constexpr std::size_t kSenderAddress = 14;
inline constexpr std::size_t kTargetHardware = 18;
inline constexpr std::size_t kTargetAddress = 24;
inline constexpr std::size_t kSize = 28;

inline constexpr std::uint16_t kHardwareEthernet = 1;
inline constexpr std::uint16_t kRequest = 1;
inline constexpr std::uint16_t kReply = 2;
}  // namespace arp

namespace ipv4 {
inline constexpr std::size_t kVersionAndLength = 0;  // version << 4 | header length in 4-byte words
inline constexpr std::size_t kTos = 1;
inline constexpr std::size_t kTotalLength = 2;
inline constexpr std::size_t kIdentification = 4;
inline constexpr std::size_t kFragment = 6;  // flags and offset
inline constexpr std::size_t kTtl = 8;
inline constexpr std::size_t kProtocol = 9;
inline constexpr std::size_t kChecksum = 10;
inline constexpr std::size_t kSource = 12;
inline constexpr std::size_t kDestination = 16;
inline constexpr std::size_t kHeaderSize = 20;  // without options
inline constexpr std::size_t kAddressSize = 4;

inline constexpr std::uint16_t kDontFragment = 0x4000;
inline constexpr std::uint16_t kFragmentMask = 0x3FFF;  // more fragments, or an offset
}  // namespace ipv4

namespace ipv6 {
inline constexpr std::size_t kVersionClassFlow = 0;  // version << 28 | traffic class << 20 | flow label
inline constexpr std::size_t kPayloadLength = 4;
inline constexpr std::size_t kNextHeader = 6;
inline constexpr std::size_t kHopLimit = 7;
inline constexpr std::size_t kSource = 8;
inline constexpr std::size_t kDestination = 24;
inline constexpr std::size_t kHeaderSize = 40;
inline constexpr std::size_t kAddressSize = 16;
}  // namespace ipv6

namespace protocol {  // IPv4 protocol and IPv6 next header
inline constexpr std::uint8_t kHopByHop = 0;
inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kRouting = 43;
inline constexpr std::uint8_t kFragment = 44;
inline constexpr std::uint8_t kEsp = 50;
inline constexpr std::uint8_t kAuthentication = 51;
inline constexpr std::uint8_t kIcmpv6 = 58;
inline constexpr std::uint8_t kDestinationOptions = 60;
inline constexpr std::uint8_t kMobility = 135;
inline constexpr std::uint8_t kHip = 139;
inline constexpr std::uint8_t kShim6 = 140;
}  // namespace protocol

namespace udp {
inline constexpr std::size_t kSourcePort = 0;
inline constexpr std::size_t kDestinationPort = 2;
inline constexpr std::size_t kLength = 4;  // header included
inline constexpr std::size_t kChecksum = 6;
inline constexpr std::size_t kHeaderSize = 8;
}  // namespace udp

namespace icmp {  // what ICMP and ICMPv6 share
inline constexpr std::size_t kType = 0;
inline constexpr std::size_t kCode = 1;
inline constexpr std::size_t kChecksum = 2;
inline constexpr std::size_t kHeaderSize = 8;

inline constexpr std::uint8_t kEchoReply = 0;
inline constexpr std::uint8_t kEchoRequest = 8;
inline constexpr std::uint8_t kEchoRequest6 = 128;
inline constexpr std::uint8_t kEchoReply6 = 129;
}  // namespace icmp

namespace nd {
inline constexpr std::size_t kFlags = 4;
inline constexpr std::size_t kTarget = 8;
inline constexpr std::size_t kOptions = 24;
inline constexpr std::size_t kLinkLayerOptionSize = 8;  // type, length in 8-byte units, MAC

inline constexpr std::uint8_t kSolicitation = 135;
inline constexpr std::uint8_t kAdvertisement = 136;
inline constexpr std::uint8_t kOptionSourceLinkLayer = 1;
inline constexpr std::uint8_t kOptionTargetLinkLayer = 2;
inline constexpr std::uint32_t kFlagSolicited = 0x4000'0000;
inline constexpr std::uint32_t kFlagOverride = 0x2000'0000;
inline constexpr std::uint8_t kHopLimit = 255;  // proves that no router forwarded it
}  // namespace nd

inline constexpr std::uint8_t kReplyHopLimit = 64;  // IPv4 TTL too

}  // namespace wiretime::net
