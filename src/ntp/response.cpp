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

ReplyTemplate::ReplyTemplate(const clock::TimeSnapshot& snapshot, NtpTimestamp now,
                             std::int8_t least_poll) noexcept {
  const clock::Reference& r = snapshot.reference;
  std::array<std::byte, offset::kOrigin> header{};
  store_u8(header.data(), flags(static_cast<std::uint8_t>(r.leap), 0, Mode::unspecified));
  store_u8(header.data() + offset::kStratum, r.stratum);
  store_u8(header.data() + offset::kPrecision, static_cast<std::uint8_t>(snapshot.precision));
  store_be32(header.data() + offset::kRootDelay, r.root_delay.value);
  store_be32(header.data() + offset::kRootDispersion, snapshot.root_dispersion_at(now).value);
  store_be32(header.data() + offset::kReferenceId, r.refid);
  set_timestamp(header.data(), offset::kReferenceTime, r.reference_time);
  const Head head{load_raw<std::uint64_t>(header.data()),
                  load_raw<std::uint64_t>(header.data() + offset::kRootDispersion),
                  load_raw<std::uint64_t>(header.data() + offset::kReferenceTime)};
  constexpr std::uint64_t kServer = static_cast<std::uint8_t>(Mode::server);
  constexpr std::uint64_t kUnsynchronised = 0xC0;
  heads_.fill(head);
  for (Head& h : heads_) h[0] |= kServer;
  // A version 1 client gets mode 4 as well: a reply with mode 0 would be a request to the next server.
  auto& symmetric = heads_[static_cast<std::size_t>(Verdict::answered_symmetric)];
  symmetric[0] = head[0] | static_cast<std::uint8_t>(Mode::symmetric_passive);
  // RFC 5905 section 7.4.
  constexpr std::uint32_t kRate = 0x5241'5445;
  heads_[static_cast<std::size_t>(Verdict::answered_kiss)] = {kUnsynchronised | kServer,
                                                              std::uint64_t{byte_swap(kRate)} << 32, 0};
  noise_mask_ = noise_mask(snapshot.precision);
  least_poll_ = least_poll;
}

}  // namespace wiretime::ntp
