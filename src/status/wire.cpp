// SPDX-License-Identifier: BSD-3-Clause
#include "status/wire.hpp"

#include <algorithm>
#include <cstring>

namespace wiretime::status {

namespace {
constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::size_t kAddressBytes = 16;

std::uint32_t saturate(std::uint64_t v) noexcept {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(v, std::numeric_limits<std::uint32_t>::max()));
}
}  // namespace

std::span<const std::byte> RequestReader::bytes(std::size_t n) noexcept {
  const std::size_t have = std::min(n, body_.size());
  const auto taken = body_.first(have);
  body_ = body_.subspan(have);
  return taken;
}

SourceAddress RequestReader::address() noexcept {
  const auto raw = bytes(kAddressBytes);
  const auto family = static_cast<WireFamily>(u16());
  u16();  // padding
  if (raw.size() < kAddressBytes) return {};
  switch (family) {
    case WireFamily::ipv4:
      return {IpAddress::v4(raw.data()), {}};
    case WireFamily::ipv6:
      return {IpAddress::v6(raw.data()), {}};
    case WireFamily::id:
      return {{}, load_be32(raw.data())};
    case WireFamily::unspecified:
      break;
  }
  return {};
}

WallTime RequestReader::time() noexcept {
  const std::uint32_t high = u32();
  const std::uint32_t low = u32();
  const auto nanoseconds = std::min<std::int64_t>(u32(), kNanosecondsPerSecond - 1);
  const std::uint64_t joined = (std::uint64_t{high == kNoHighSeconds ? 0 : high} << 32) | low;
  constexpr std::int64_t kLimit =
      std::numeric_limits<std::int64_t>::max() / kNanosecondsPerSecond - 1;  // seconds
  const std::int64_t whole = std::clamp(static_cast<std::int64_t>(joined), -kLimit, kLimit);
  return WallTime{Nanoseconds{whole * kNanosecondsPerSecond + nanoseconds}};
}

std::byte* ReplyWriter::take(std::size_t n) noexcept {
  if (body_.size() - at_ < n) return nullptr;
  std::byte* p = body_.data() + at_;
  at_ += n;
  return p;
}

void ReplyWriter::u8(std::uint8_t v) noexcept {
  if (auto* p = take(sizeof v)) store_u8(p, v);
}
void ReplyWriter::u16(std::uint16_t v) noexcept {
  if (auto* p = take(sizeof v)) store_be16(p, v);
}
void ReplyWriter::u32(std::uint32_t v) noexcept {
  if (auto* p = take(sizeof v)) store_be32(p, v);
}
void ReplyWriter::u64(std::uint64_t v) noexcept {
  if (auto* p = take(sizeof v)) store_be64(p, v);
}
void ReplyWriter::saturated(std::uint64_t v) noexcept {
  u32(saturate(v));
}

void ReplyWriter::seconds(std::chrono::seconds s) noexcept {
  u32(saturate(static_cast<std::uint64_t>(std::max<std::int64_t>(s.count(), 0))));
}

void ReplyWriter::age(const Age& age) noexcept {
  if (age) {
    seconds(*age);
  } else {
    u32(std::numeric_limits<std::uint32_t>::max());
  }
}

void ReplyWriter::address(const SourceAddress& a) noexcept {
  auto* p = take(kAddressBytes);
  if (p == nullptr) return;
  auto family = WireFamily::unspecified;
  if (a.ip.family != Family::unspecified) {
    std::memcpy(p, a.ip.bytes.data(), kAddressBytes);
    family = a.ip.family == Family::ipv4 ? WireFamily::ipv4 : WireFamily::ipv6;
  } else if (a.unresolved) {
    store_be32(p, *a.unresolved);
    family = WireFamily::id;
  }
  u16(static_cast<std::uint16_t>(family));
  u16(0);
}

void ReplyWriter::time(WallTime t) noexcept {
  const auto whole = std::chrono::floor<std::chrono::seconds>(t);
  u64(static_cast<std::uint64_t>(whole.time_since_epoch().count()));  // high and low word
  u32(static_cast<std::uint32_t>((t - whole).count()));
}

void ReplyWriter::text(std::string_view s, std::size_t width) noexcept {
  auto* p = take(width);
  if (p == nullptr || width == 0) return;
  const std::size_t n = std::min(s.size(), width - 1);
  std::memcpy(p, s.data(), n);
  std::fill(p + n, p + width, std::byte{0});
}

void ReplyWriter::fill(std::uint8_t v, std::size_t n) noexcept {
  if (auto* p = take(n)) std::fill(p, p + n, std::byte{v});
}

}  // namespace wiretime::status
