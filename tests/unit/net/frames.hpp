// SPDX-License-Identifier: BSD-3-Clause
// Frames for the tests of net/, written out field by field and checksummed by a second, slow implementation,
// so that a mistake in src/net cannot hide in its own test.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "net/headers.hpp"

namespace wiretime::net::test {

using Bytes = std::vector<std::byte>;

inline MacAddress mac(std::uint64_t value) {
  MacAddress m;
  for (unsigned i = 0; i < 6; ++i) m[i] = static_cast<std::byte>(value >> (40 - 8 * i));
  return m;
}
inline constexpr std::uint64_t kServerMac = 0x020000000001;
inline constexpr std::uint64_t kClientMac = 0x020000000002;
inline constexpr std::uint64_t kBroadcastMac = 0xFFFFFFFFFFFF;

inline IpAddress ip(const std::string& text) {
  return IpAddress::parse(text).value();
}

// A copy whose end is the end of its heap block: the address sanitizer sees every read beyond it.
class Exact {
 public:
  explicit Exact(std::span<const std::byte> from)
      : size_(from.size()), bytes_(std::make_unique<std::byte[]>(from.size())) {
    if (!from.empty()) std::memcpy(bytes_.get(), from.data(), from.size());
  }
  std::span<std::byte> span() { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> bytes_;
};

inline void append(Bytes& to, std::span<const std::byte> more) {
  to.insert(to.end(), more.begin(), more.end());
}
inline void append8(Bytes& to, std::uint8_t v) {
  to.push_back(std::byte{v});
}
inline void append16(Bytes& to, std::uint16_t v) {
  append8(to, static_cast<std::uint8_t>(v >> 8));
  append8(to, static_cast<std::uint8_t>(v));
}
inline void append32(Bytes& to, std::uint32_t v) {
  append16(to, static_cast<std::uint16_t>(v >> 16));
  append16(to, static_cast<std::uint16_t>(v));
}
inline void append(Bytes& to, const IpAddress& a) {
  append(to, std::as_bytes(std::span{a.bytes}).first(a.bit_length() / 8));
}

// RFC 1071 by the book: 16-bit big-endian words, zero padded, carries folded at once.
inline std::uint16_t slow_sum(std::span<const std::byte> bytes, std::uint16_t start = 0) {
  std::uint32_t sum = start;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
    if (sum > 0xFFFF) sum -= 0xFFFF;
  }
  return static_cast<std::uint16_t>(sum);
}

inline std::uint16_t slow_pseudo_sum(const IpAddress& from, const IpAddress& to, std::uint8_t protocol,
                                     std::size_t length) {
  Bytes pseudo;
  append(pseudo, from);
  append(pseudo, to);
  append32(pseudo, static_cast<std::uint32_t>(length));
  append32(pseudo, protocol);
  return slow_sum(pseudo);
}

struct Spec {
  std::uint64_t destination_mac = kServerMac;
  std::uint64_t source_mac = kClientMac;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> tags{};  // TPID, TCI
  IpAddress from = ip("192.0.2.2");
  IpAddress to = ip("192.0.2.1");
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 123;
  std::size_t payload = 48;
  std::uint8_t protocol = protocol::kUdp;
  std::uint8_t tos = 0;
  std::uint8_t hop_limit = 64;
  std::uint16_t identification = 0;
  std::uint16_t fragment = ipv4::kDontFragment;
  std::uint32_t flow_label = 0;
  Bytes options{};          // IPv4, multiple of 4
  std::size_t padding = 0;  // Ethernet padding behind the IP packet

  [[nodiscard]] bool is_ipv6() const { return from.family == Family::ipv6; }
  [[nodiscard]] std::size_t l3() const { return 14 + 4 * tags.size(); }
  [[nodiscard]] std::size_t l4() const { return l3() + (is_ipv6() ? 40 : 20 + options.size()); }
};

inline Spec ipv6_spec() {
  Spec s;
  s.from = ip("2001:db8::2");
  s.to = ip("2001:db8::1");
  return s;
}

inline void set_ipv4_checksum(std::span<std::byte> frame, std::size_t l3) {
  const std::size_t header = (std::to_integer<std::size_t>(frame[l3]) & 0xFU) * 4;
  store_be16(frame.data() + l3 + 10, 0);
  store_be16(frame.data() + l3 + 10, static_cast<std::uint16_t>(~slow_sum(frame.subspan(l3, header))));
}

inline Bytes link_header(const Spec& s, std::uint16_t ether_type) {
  Bytes f;
  append(f, mac(s.destination_mac));
  append(f, mac(s.source_mac));
  for (const auto& [tpid, tci] : s.tags) {
    append16(f, tpid);
    append16(f, tci);
  }
  append16(f, ether_type);
  return f;
}

inline Bytes ip_frame(const Spec& s, std::span<const std::byte> l4) {
  Bytes f = link_header(s, s.is_ipv6() ? 0x86DD : 0x0800);
  if (s.is_ipv6()) {
    append32(f, 0x60000000U | std::uint32_t{s.tos} << 20 | s.flow_label);
    append16(f, static_cast<std::uint16_t>(l4.size()));
    append8(f, s.protocol);
    append8(f, s.hop_limit);
  } else {
    append8(f, static_cast<std::uint8_t>(0x45 + s.options.size() / 4));
    append8(f, s.tos);
    append16(f, static_cast<std::uint16_t>(20 + s.options.size() + l4.size()));
    append16(f, s.identification);
    append16(f, s.fragment);
    append8(f, s.hop_limit);
    append8(f, s.protocol);
    append16(f, 0);
  }
  append(f, s.from);
  append(f, s.to);
  append(f, s.options);
  if (!s.is_ipv6()) set_ipv4_checksum(f, s.l3());
  append(f, l4);
  f.resize(f.size() + s.padding, std::byte{0xEE});
  return f;
}

// UDP with a payload of 1, 2, 3 ... and a right checksum.
inline Bytes udp_frame(const Spec& s) {
  Bytes u;
  append16(u, s.source_port);
  append16(u, s.destination_port);
  append16(u, static_cast<std::uint16_t>(8 + s.payload));
  append16(u, 0);
  for (std::size_t i = 0; i < s.payload; ++i) append8(u, static_cast<std::uint8_t>(i + 1));
  const auto sum = slow_sum(u, slow_pseudo_sum(s.from, s.to, protocol::kUdp, u.size()));
  store_be16(u.data() + 6, sum == 0xFFFF ? std::uint16_t{0xFFFF} : static_cast<std::uint16_t>(~sum));
  return ip_frame(s, u);
}

// An ICMP or ICMPv6 message whose checksum field, zero on entry, is filled in.
inline Bytes icmp_frame(Spec s, Bytes message) {
  s.protocol = s.is_ipv6() ? protocol::kIcmpv6 : protocol::kIcmp;
  const std::uint16_t start =
      s.is_ipv6() ? slow_pseudo_sum(s.from, s.to, s.protocol, message.size()) : std::uint16_t{0};
  store_be16(message.data() + 2, static_cast<std::uint16_t>(~slow_sum(message, start)));
  return ip_frame(s, message);
}

// The reply's checksums, all recomputed slowly: IPv4 header, and the transport's over `length` bytes.
inline bool checksums_right(std::span<const std::byte> frame, std::size_t l3, std::size_t length) {
  const bool v6 = std::to_integer<unsigned>(frame[l3]) >> 4 == 6;
  const std::size_t l4 = l3 + (v6 ? 40 : 20);
  if (!v6 && slow_sum(frame.subspan(l3, 20)) != 0xFFFF) return false;
  const auto protocol = std::to_integer<std::uint8_t>(frame[l3 + (v6 ? 6 : 9)]);
  const auto address = [&](std::size_t at) {
    return v6 ? IpAddress::v6(frame.data() + at) : IpAddress::v4(frame.data() + at);
  };
  const std::uint16_t start =
      protocol == protocol::kIcmp
          ? std::uint16_t{0}
          : slow_pseudo_sum(address(l3 + (v6 ? 8 : 12)), address(l3 + (v6 ? 24 : 16)), protocol, length);
  return slow_sum(frame.subspan(l4, length), start) == 0xFFFF;
}

inline Bytes random_bytes(std::mt19937_64& random, std::size_t size) {
  Bytes b(size);
  for (auto& byte : b) byte = static_cast<std::byte>(random());
  return b;
}

}  // namespace wiretime::net::test
