// SPDX-License-Identifier: BSD-3-Clause
#include "base/ip_address.hpp"

#include <arpa/inet.h>  // inet_pton and inet_ntop only: text conversion, no socket

#include <algorithm>

namespace wiretime {

IpAddress IpAddress::v4(std::uint32_t host_order) noexcept {
  IpAddress a;
  a.family = Family::ipv4;
  for (unsigned i = 0; i < 4; ++i) a.bytes[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return a;
}

IpAddress IpAddress::v4(const std::byte* four_bytes) noexcept {
  IpAddress a;
  a.family = Family::ipv4;
  std::memcpy(a.bytes.data(), four_bytes, 4);
  return a;
}

IpAddress IpAddress::v6(const std::byte* sixteen_bytes) noexcept {
  IpAddress a;
  a.family = Family::ipv6;
  std::memcpy(a.bytes.data(), sixteen_bytes, 16);
  return a;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy{text};
  IpAddress a;
  if (inet_pton(AF_INET, copy.c_str(), a.bytes.data()) == 1) {
    a.family = Family::ipv4;
    return a;
  }
  a.bytes.fill(0);
  if (inet_pton(AF_INET6, copy.c_str(), a.bytes.data()) == 1) {
    a.family = Family::ipv6;
    return a;
  }
  return std::nullopt;
}

bool IpAddress::is_unspecified() const noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_loopback() const noexcept {
  if (family == Family::ipv4) return bytes[0] == 127;
  return family == Family::ipv6 && bytes[15] == 1 &&
         std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_multicast() const noexcept {
  return family == Family::ipv4 ? (bytes[0] & 0xF0U) == 0xE0U : family == Family::ipv6 && bytes[0] == 0xFF;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family == Family::unspecified) return "?";
  inet_ntop(family == Family::ipv4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

namespace {

// The mask byte for byte `index` of a prefix of `length` bits.
std::uint8_t mask_byte(unsigned length, unsigned index) {
  const unsigned first_bit = index * 8;
  if (length >= first_bit + 8) return 0xFF;
  if (length <= first_bit) return 0;
  return static_cast<std::uint8_t>(0xFFU << (8 - (length - first_bit)));
}

}  // namespace

std::optional<IpPrefix> IpPrefix::of(const IpAddress& address, unsigned length) {
  if (address.family == Family::unspecified || length > address.bit_length()) return std::nullopt;
  IpPrefix p{address, length};
  for (unsigned i = 0; i < 16; ++i)
    p.address.bytes[i] = static_cast<std::uint8_t>(p.address.bytes[i] & mask_byte(length, i));
  return p;
}

bool IpPrefix::contains(const IpAddress& a) const noexcept {
  if (a.family != address.family) return false;
  for (unsigned i = 0; i * 8 < length; ++i)
    if ((a.bytes[i] & mask_byte(length, i)) != address.bytes[i]) return false;
  return true;
}

std::optional<IpAddress> subnet_broadcast(const IpAddress& address, unsigned prefix_length) noexcept {
  if (address.family != Family::ipv4 || prefix_length > 30) return std::nullopt;
  return IpAddress::v4(address.v4_host_order() | (0xFFFF'FFFFU >> prefix_length));
}

std::string IpPrefix::to_string() const {
  return address.to_string() + '/' + std::to_string(length);
}

}  // namespace wiretime
