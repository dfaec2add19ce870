// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/client_request.hpp"

#include <algorithm>

namespace wiretime::ntp {

namespace {

constexpr std::int8_t kHiddenPrecision = 32;  // of no clock; what chronyd's clients say as well

void write_common(Header& m, std::uint8_t first_byte, int poll, std::int8_t precision,
                  const RequestStamps& stamps) noexcept {
  store_u8(m.data(), first_byte);
  store_u8(m.data() + offset::kPoll, static_cast<std::uint8_t>(static_cast<std::int8_t>(poll)));
  store_u8(m.data() + offset::kPrecision, static_cast<std::uint8_t>(precision));
  set_timestamp(m.data(), offset::kOrigin, stamps.origin);
  set_timestamp(m.data(), offset::kReceive, stamps.receive);
  set_timestamp(m.data(), offset::kTransmit, stamps.transmit);
}

// Random below `precision` log2 seconds; the lowest bit is left to the caller.
std::uint64_t with_noise(WallTime t, std::int8_t precision, std::uint64_t random) noexcept {
  const int bits = std::clamp(32 + precision, 1, 32);
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  return (NtpTimestamp::from(t).value & ~mask) | (random & mask & ~std::uint64_t{1});
}

}  // namespace

Header client_request(std::uint8_t version, int poll, const RequestStamps& stamps) noexcept {
  Header m{};
  write_common(m, flags(0, version, Mode::client), poll, kHiddenPrecision, stamps);
  return m;
}

Header symmetric_packet(std::uint8_t version, int poll, std::int8_t precision,
                        const clock::Reference& reference, const RequestStamps& stamps) noexcept {
  Header m{};
  write_common(m, flags(static_cast<std::uint8_t>(reference.leap), version, Mode::symmetric_active), poll,
               precision, stamps);
  store_u8(m.data() + offset::kStratum, reference.stratum);
  store_be32(m.data() + offset::kRootDelay, reference.root_delay.value);
  store_be32(m.data() + offset::kRootDispersion, reference.root_dispersion.value);
  store_be32(m.data() + offset::kReferenceId, reference.refid);
  set_timestamp(m.data(), offset::kReferenceTime, reference.reference_time);
  return m;
}

NtpTimestamp receive_on_wire(WallTime t, std::int8_t precision, std::uint64_t random) noexcept {
  return {with_noise(t, precision, random) | 1};
}

NtpTimestamp transmit_on_wire(WallTime t, std::int8_t precision, std::uint64_t random) noexcept {
  const std::uint64_t value = with_noise(t, precision, random) & ~std::uint64_t{1};
  return {value != 0 ? value : 2};
}

Reply read_reply(std::span<const std::byte> message) noexcept {
  const std::byte* m = message.data();
  Reply r;
  r.leap = leap(m);
  r.version = version(m);
  r.mode = mode(m);
  r.stratum = load_u8(m + offset::kStratum);
  r.poll = static_cast<std::int8_t>(load_u8(m + offset::kPoll));
  r.precision = static_cast<std::int8_t>(load_u8(m + offset::kPrecision));
  r.root_delay = NtpShort{load_be32(m + offset::kRootDelay)}.seconds();
  r.root_dispersion = NtpShort{load_be32(m + offset::kRootDispersion)}.seconds();
  r.refid = load_be32(m + offset::kReferenceId);
  r.reference_time = timestamp(m, offset::kReferenceTime);
  r.origin = timestamp(m, offset::kOrigin);
  r.receive = timestamp(m, offset::kReceive);
  r.transmit = timestamp(m, offset::kTransmit);
  return r;
}

}  // namespace wiretime::ntp
