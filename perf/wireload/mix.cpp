// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/mix.hpp"

#include <fmt/format.h>

#include <cmath>

#include "net/frame.hpp"
#include "perf/wireload/values.hpp"

namespace wiretime::load {

namespace {

using namespace net;

struct Text {
  std::string_view name;
  std::string_view text;
};
constexpr std::array<Text, kBadPackets> kTexts{{
#define X(name, text) {#name, text},
    WIRELOAD_BAD_PACKETS(X)
#undef X
}};

// Lengths for a payload of that size, and right checksums over what is there.
std::uint16_t seal(std::byte* frame, const Path& path, std::uint16_t payload) noexcept {
  const auto udp_length = static_cast<std::uint16_t>(udp::kHeaderSize + payload);
  std::byte* const ip = frame + path.l3();
  std::byte* const udp = frame + path.udp();
  store_be16(udp + udp::kLength, udp_length);
  if (path.ipv6()) {
    store_be16(ip + ipv6::kPayloadLength, udp_length);
  } else {
    store_be16(ip + ipv4::kTotalLength, static_cast<std::uint16_t>(ipv4::kHeaderSize + udp_length));
    store_be16(ip + ipv4::kChecksum, 0);
    store_be16(ip + ipv4::kChecksum, internet_checksum({ip, ipv4::kHeaderSize}));
  }
  const auto length = static_cast<std::uint16_t>(path.payload() + payload);
  finish_udp_checksum({frame, length},
                      {static_cast<std::uint16_t>(path.l3()), static_cast<std::uint16_t>(path.udp()),
                       static_cast<std::uint16_t>(path.payload()), payload, path.ipv6()});
  return length;
}

std::uint16_t with_extension_too_long(std::byte* frame, const Path& path) noexcept {
  constexpr std::uint16_t kSize = 80;  // more than any MAC, which it could be taken for
  std::byte* const field = frame + path.payload() + ntp::kHeaderLength;
  std::memset(field, 0, kSize);
  store_be16(field, 0x0104);  // NTS unique identifier
  store_be16(field + 2, 1024);
  return seal(frame, path, ntp::kHeaderLength + kSize);
}

// RFC 1305 appendix B: READVAR of the system; ntpdc's request 42, MON_GETLIST_1, the old amplifier.
std::uint16_t query(std::byte* frame, const Path& path, bool is_private) noexcept {
  constexpr std::uint16_t kControlSize = 12;
  constexpr std::uint16_t kPrivateSize = 48;
  std::byte* const message = frame + path.payload();
  std::memset(message, 0, ntp::kHeaderLength);
  store_be32(message, is_private ? 0x17'00'03'2AU : 0x16'02'00'01U);
  return seal(frame, path, is_private ? kPrivateSize : kControlSize);
}

std::uint16_t with_flags(std::byte* frame, const Path& path, std::uint8_t flags) noexcept {
  store_u8(frame + path.payload(), flags);
  return seal(frame, path, ntp::kHeaderLength);
}

std::uint16_t as_fragment(std::byte* frame, const Path& path) noexcept {
  constexpr std::uint16_t kMoreFragments = 0x2000;
  constexpr std::size_t kFragmentHeader = 8;
  std::byte* const ip = frame + path.l3();
  if (!path.ipv6()) {
    store_be16(ip + ipv4::kFragment, kMoreFragments);
    return seal(frame, path, ntp::kHeaderLength);
  }
  const std::uint16_t length = seal(frame, path, ntp::kHeaderLength);
  std::byte* const header = ip + ipv6::kHeaderSize;
  std::memmove(header + kFragmentHeader, header, udp::kHeaderSize + ntp::kHeaderLength);
  store_u8(header, protocol::kUdp);
  store_u8(header + 1, 0);
  store_be16(header + 2, 1);  // offset 0, more to come
  store_be32(header + 4, 0x7769'7265U);
  store_u8(ip + ipv6::kNextHeader, protocol::kFragment);
  store_be16(ip + ipv6::kPayloadLength,
             static_cast<std::uint16_t>(load_be16(ip + ipv6::kPayloadLength) + kFragmentHeader));
  return static_cast<std::uint16_t>(length + kFragmentHeader);
}

}  // namespace

std::string_view name(BadPacket kind) noexcept {
  return kTexts[static_cast<std::size_t>(kind)].name;
}
std::string_view describe(BadPacket kind) noexcept {
  return kTexts[static_cast<std::size_t>(kind)].text;
}

Result<Mix> Mix::parse(std::string_view text) {
  constexpr std::string_view kExpected = "shares such as malformed=5%,short=1%";
  std::array<double, kBadPackets> shares{};
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    std::size_t kind = 0;
    while (kind < kBadPackets && kTexts[kind].name != item.substr(0, equals)) ++kind;
    if (kind == kBadPackets) {
      std::string names;
      for (const Text& t : kTexts) names += fmt::format("{}{}", names.empty() ? "" : ", ", t.name);
      return fail(
          fmt::format("expected a kind of bad packet ({}), found \"{}\"", names, item.substr(0, equals)));
    }
    const auto share = equals == std::string_view::npos ? std::nullopt : parse_share(item.substr(equals + 1));
    if (!share) return fail(fmt::format("expected {}, found \"{}\"", kExpected, item));
    shares[kind] = *share;
  }
  Mix mix;
  double sum = 0;
  for (std::size_t k = 0; k < kBadPackets; ++k) {
    sum += shares[k];
    if (sum >= 1) return fail(fmt::format("expected shares below 100 % together, found \"{}\"", text));
    mix.limits_[k] = static_cast<std::uint32_t>(std::lround(sum * 4294967295.0));
  }
  if (mix.empty()) return fail(fmt::format("expected {}, found \"{}\"", kExpected, text));
  return mix;
}

std::uint16_t write_bad(std::byte* to, BadPacket kind, const RequestWriter& writer, const Path& path,
                        Endpoint from, std::uint64_t cookie) noexcept {
  from.port = byte_swap(static_cast<std::uint16_t>(kFirstBadPort + static_cast<unsigned>(kind)));
  if (kind == BadPacket::source_) {  // ::1 or 127.0.0.1, in memory order
    from.high = 0;
    from.low = path.ipv6() ? std::uint64_t{1} << 56 : 0x0100'007FU;
  }
  const RequestStamps stamps{0, 0, cookie};
  if (path.ipv6())
    writer.write<true>(to, from, stamps);
  else
    writer.write<false>(to, from, stamps);
  std::byte* const checksum = to + path.udp() + udp::kChecksum;
  switch (kind) {
    case BadPacket::malformed_:
      return with_extension_too_long(to, path);
    case BadPacket::short_:
      return seal(to, path, 40);
    case BadPacket::version_:
      return with_flags(to, path, ntp::flags(0, 7, ntp::Mode::client));
    case BadPacket::mode6_:
      return query(to, path, false);
    case BadPacket::mode7_:
      return query(to, path, true);
    case BadPacket::response_:
      return with_flags(to, path, ntp::flags(0, RequestWriter::kVersion, ntp::Mode::server));
    case BadPacket::checksum_:
      store_be16(checksum, static_cast<std::uint16_t>(load_be16(checksum) ^ 0x5555U));
      break;
    case BadPacket::fragment_:
      return as_fragment(to, path);
    case BadPacket::source_:
    case BadPacket::kCount:
      break;
  }
  return writer.length();
}

}  // namespace wiretime::load
