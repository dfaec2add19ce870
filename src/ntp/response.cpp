// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/response.hpp"

#include "ntp/extension.hpp"
#include "ntp/packet.hpp"

namespace wiretime::ntp {

namespace {

using clock::Leap;

// Mode and version only; the length has been checked.
Verdict judge_mode(const std::byte* m, std::uint16_t source_port) noexcept {
  const std::uint8_t v = version(m);
  if (mode(m) == Mode::control) return Verdict::ntp_mode_control;
  if (mode(m) == Mode::private_use) return Verdict::ntp_mode_private;
  if (v < 1 || v > 4) return Verdict::ntp_version_unsupported;
  switch (mode(m)) {
    case Mode::client:
      return Verdict::answered;
    case Mode::symmetric_active:
      return Verdict::answered_symmetric;
    case Mode::unspecified:
      if (v != 1) return Verdict::ntp_mode_reserved;
      // RFC 1059 had no mode field, the ports told: from port 123 this is a server's or peer's packet, and an
      // answer to it could be answered in turn.
      return source_port == kPort ? Verdict::source_port_reflects : Verdict::answered_version1;
    default:
      return Verdict::ntp_mode_response;
  }
}

Mode reply_mode(Verdict kind) noexcept {
  // A version 1 client gets mode 4 as well: a reply with mode 0 would be a request to the next server.
  return kind == Verdict::answered_symmetric ? Mode::symmetric_passive : Mode::server;
}

// The bits of a 2^-32 s fraction that our clock cannot resolve, at precision log2 seconds.
std::uint64_t noise_mask(std::int8_t precision) noexcept {
  const int bits = 32 + precision;
  if (bits <= 1) return 1;  // the lowest bit is ours for parity
  return (std::uint64_t{1} << (bits < 32 ? bits : 32)) - 1;
}

// Random below the precision, `parity` in the lowest bit, different from `other`.
NtpTimestamp blur(NtpTimestamp t, std::int8_t precision, std::uint64_t random, std::uint64_t parity,
                  NtpTimestamp other) noexcept {
  const std::uint64_t mask = noise_mask(precision);
  std::uint64_t value = (t.value & ~mask) | (random & mask & ~std::uint64_t{1}) | parity;
  if (value == other.value) value ^= 2;
  return {value};
}

}  // namespace

Request judge_request(std::span<const std::byte> message, std::uint16_t source_port) noexcept {
  if (message.size() < kHeaderLength) {
    // ntpq and ntpdc ask with as little as 8 and 12 bytes: name them for what they are.
    if (!message.empty() && mode(message.data()) == Mode::control) return {Verdict::ntp_mode_control};
    if (!message.empty() && mode(message.data()) == Mode::private_use) return {Verdict::ntp_mode_private};
    return {Verdict::ntp_too_short};
  }
  const Verdict kind = judge_mode(message.data(), source_port);
  if (disposition(kind) != Disposition::reply) return {kind};
  if (message.size() > kMaxRequestLength) return {Verdict::ntp_too_long};
  if (message.size() % 4 != 0) return {Verdict::ntp_length_unaligned};
  if (message.size() == kHeaderLength) return {kind};
  const FoundTrailer trailer = classify_trailer(message);
  switch (trailer.kind) {
    case Trailer::none:
    case Trailer::extension_fields:
      return {kind};
    case Trailer::invalid:
      return {Verdict::ntp_extension_invalid};
    case Trailer::mac:
      return {kind, static_cast<std::uint16_t>(trailer.mac_start)};
    case Trailer::crypto_nak:
      return {Verdict::ntp_mac_invalid};
    case Trailer::nts:
      break;
  }
  return {Verdict::ntp_authentication_unsupported};
}

void write_response(std::byte* m, Verdict kind, const clock::TimeSnapshot& snapshot, NtpTimestamp receive,
                    std::uint64_t random) noexcept {
  const clock::Reference& reference = snapshot.reference;
  const std::uint8_t request_version = version(m);
  const NtpTimestamp request_transmit = timestamp(m, offset::kTransmit);
  store_u8(m, flags(static_cast<std::uint8_t>(reference.leap), request_version, reply_mode(kind)));
  store_u8(m + offset::kStratum, reference.stratum);
  // The poll field keeps the client's value: we ask for no other interval.
  store_u8(m + offset::kPrecision, static_cast<std::uint8_t>(snapshot.precision));
  store_be32(m + offset::kRootDelay, reference.root_delay.value);
  store_be32(m + offset::kRootDispersion, snapshot.root_dispersion_at(receive).value);
  store_be32(m + offset::kReferenceId, reference.refid);
  set_timestamp(m, offset::kReferenceTime, reference.reference_time);
  set_timestamp(m, offset::kOrigin, request_transmit);
  set_timestamp(m, offset::kReceive, blur(receive, snapshot.precision, random, 1, request_transmit));
}

void write_transmit(std::byte* m, NtpTimestamp transmit, std::int8_t precision,
                    std::uint64_t random) noexcept {
  set_timestamp(m, offset::kTransmit, blur(transmit, precision, random, 0, timestamp(m, offset::kOrigin)));
}

}  // namespace wiretime::ntp
