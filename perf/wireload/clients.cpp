// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/clients.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>

namespace wiretime::load {

namespace {

std::uint64_t half(const IpAddress& a, std::size_t at) {
  return load_be64(std::as_bytes(std::span{a.bytes}).data() + at);
}

}  // namespace

Result<Clients> Clients::make(const IpPrefix& from, std::uint32_t count, std::vector<IpAddress> others,
                              std::uint64_t key) {
  Clients c;
  c.ipv6_ = from.address.family == Family::ipv6;
  c.count_ = count;
  c.multiplier_ = static_cast<std::uint32_t>(mix64(key)) | 1U;
  const unsigned host_bits = from.address.bit_length() - from.length;
  unsigned id_bits = host_bits;
  if (c.ipv6_) {
    c.high_ = half(from.address, 0);
    c.low_ = half(from.address, 8);
    c.id_in_high_ =
        host_bits > 64 && (std::uint64_t{1} << std::min(host_bits - 64, 63U)) >= count + kMostSkipped;
    if (c.id_in_high_) c.low_ = 1;
    id_bits = c.id_in_high_ ? host_bits - 64 : std::min(host_bits, 64U);
  } else {
    c.low_ = from.address.v4_host_order();
  }
  const bool has_ends = !c.ipv6_ && host_bits > 1;
  // Id 0 of an IPv6 subnet is the routers' anycast address (RFC 4291 section 2.6.1).
  c.first_ = has_ends || (c.ipv6_ && host_bits > 0 && !c.id_in_high_) ? 1 : 0;
  std::uint64_t free = (std::uint64_t{1} << std::min(id_bits, 32U)) - c.first_ - (has_ends ? 1 : 0);

  for (const IpAddress& other : others) {
    if (!from.contains(other)) continue;
    const std::uint64_t id = !c.ipv6_        ? other.v4_host_order() - c.low_
                             : c.id_in_high_ ? half(other, 0) - c.high_
                                             : half(other, 8) - c.low_;
    const auto end = c.skipped_.begin() + static_cast<std::ptrdiff_t>(c.skipped_count_);
    if (id < c.first_ || std::find(c.skipped_.begin(), end, id) != end) continue;
    if (c.skipped_count_ == kMostSkipped)
      return fail(fmt::format("--from: more than {} addresses of ours and the server's lie in {}",
                              kMostSkipped, from.to_string()));
    c.skipped_[c.skipped_count_++] = id;
    --free;
  }
  std::sort(c.skipped_.begin(), c.skipped_.begin() + static_cast<std::ptrdiff_t>(c.skipped_count_));

  if (free == 0) return fail(fmt::format("--from: {} leaves no address for a client", from.to_string()));
  c.addresses_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(free, count));
  c.reciprocal_ = (std::uint64_t{1} << kReciprocalBits) / c.addresses_ + 1;
  const std::uint64_t sharing = (std::uint64_t{count} + c.addresses_ - 1) / c.addresses_;
  if (sharing > kFirstClientPort)
    return fail(fmt::format("--clients: expected at most {} for the {} addresses of {}, found {}",
                            std::uint64_t{c.addresses_} * kFirstClientPort, c.addresses_, from.to_string(),
                            count));
  return c;
}

IpAddress Clients::address(std::uint32_t client) const noexcept {
  if (!ipv6_) return IpAddress::v4(byte_swap(static_cast<std::uint32_t>(endpoint<false>(client).low)));
  const Endpoint e = endpoint<true>(client);
  std::array<std::byte, 16> bytes;
  store_raw(bytes.data(), e.high);
  store_raw(bytes.data() + 8, e.low);
  return IpAddress::v6(bytes.data());
}

}  // namespace wiretime::load
