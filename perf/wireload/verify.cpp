// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/verify.hpp"

#include <algorithm>

namespace wiretime::load {

namespace {

struct Text {
  std::string_view name;
  std::string_view text;
};
constexpr std::array<Text, kFindings> kTexts{{
#define X(name, text) {#name, text},
    WIRELOAD_FINDINGS(X)
#undef X
}};

// How far a server's stamps may disagree among themselves: reading its clock on several cores, and random
// bits below its precision.
constexpr NtpDuration kStampTolerance = NtpDuration::from(std::chrono::microseconds{10});
constexpr NtpDuration kInterleavedTolerance = NtpDuration::from(std::chrono::seconds{1});
constexpr double kFenceAge = 1e-3;  // s

NtpDuration magnitude(NtpDuration d) noexcept {
  return d.units < 0 ? NtpDuration{-d.units} : d;
}

}  // namespace

std::string_view name(Finding f) noexcept {
  return kTexts[static_cast<std::size_t>(f)].name;
}
std::string_view describe(Finding f) noexcept {
  return kTexts[static_cast<std::size_t>(f)].text;
}

OwnClock OwnClock::at(std::uint64_t ticks, NtpTimestamp time, double ticks_per_second) noexcept {
  constexpr double kTwo64 = 18446744073709551616.0;
  return {ticks, time, static_cast<std::uint64_t>(kTwo64 / ticks_per_second)};
}

Verifier::Verifier(const Path& path, const Clients& clients, const ClientOrder& order, const Cookie& cookie,
                   Answered& answered, std::vector<LastReply>* replies, const VerifyOptions& options) noexcept
    : path_{path},
      clients_{clients},
      order_{order},
      cookie_{cookie},
      answered_{answered},
      replies_{replies},
      options_{options},
      l3_{static_cast<std::uint16_t>(path.l3())},
      server_port_{byte_swap(path.server_port)},
      oldest_ticks_{static_cast<std::uint64_t>(kOldest * options.ticks_per_second)},
      fence_age_ticks_{static_cast<std::uint64_t>(kFenceAge * options.ticks_per_second)} {
  const auto bytes = std::as_bytes(std::span{path.server.bytes});
  if (path.ipv6()) {
    server_high_ = load_raw<std::uint64_t>(bytes.data());
    server_low_ = load_raw<std::uint64_t>(bytes.data() + 8);
  } else {
    server_low_ = load_raw<std::uint32_t>(bytes.data());
  }
}

bool Verifier::runs_backwards(NtpTimestamp receive, NtpTimestamp transmit, const Exchange& exchange,
                              std::uint64_t now) noexcept {
  const bool comparable = exchange.due > fence_ticks_ && fence_transmit_ != NtpTimestamp{};
  const bool backwards = comparable && (receive - fence_transmit_).units < -kStampTolerance.units;
  if (latest_transmit_ == NtpTimestamp{} || (transmit - latest_transmit_).units > 0)
    latest_transmit_ = transmit;
  if (fence_ticks_ == ~std::uint64_t{0} || now - fence_ticks_ > fence_age_ticks_) {
    fence_ticks_ = now;
    fence_transmit_ = latest_transmit_;
  }
  return backwards;
}

Finding Verifier::check_message(const std::byte* message, std::uint64_t now, const Exchange& exchange,
                                std::uint32_t client, Reading& reading) noexcept {
  const std::uint8_t stratum = load_u8(message + ntp::offset::kStratum);
  if (ntp::mode(message) != ntp::Mode::server) return Finding::mode;
  if (ntp::version(message) != RequestWriter::kVersion) return Finding::version;
  // A kiss has its code in the reference ID; a server without time has none there, and stratum 0 or 16.
  const bool has_no_time = ntp::leap(message) == 3;
  if (stratum == 0 && (!has_no_time || load_be32(message + ntp::offset::kReferenceId) != 0))
    return Finding::kiss;
  if (has_no_time) return Finding::leap;
  if (stratum > 15) return Finding::stratum;

  const NtpTimestamp receive = ntp::timestamp(message, ntp::offset::kReceive);
  const NtpTimestamp transmit = ntp::timestamp(message, ntp::offset::kTransmit);
  reading.interleaved = exchange.interleaved;
  reading.receive_to_transmit = transmit - receive;
  // In interleaved mode the transmit timestamp is the one of the reply before.
  const NtpTimestamp newest = exchange.interleaved ? receive : transmit;
  if (replies_ != nullptr) {
    LastReply& last = (*replies_)[client];
    const LastReply before = last;
    last = {load_raw<std::uint64_t>(message + ntp::offset::kReceive),
            load_raw<std::uint64_t>(message + ntp::offset::kTransmit)};
    if (exchange.interleaved) {
      if (magnitude(transmit - NtpTimestamp{byte_swap(before.transmit)}) > kInterleavedTolerance)
        return Finding::interleaved;
      reading.receive_to_transmit = transmit - NtpTimestamp{byte_swap(before.receive)};
      last.transmit = last.receive;  // when this reply left is for the next to say
    }
  }
  if (transmit == NtpTimestamp{} || receive == NtpTimestamp{} || (newest - receive).units < 0)
    return Finding::transmit_before_receive;
  if (options_.clock_bound && magnitude(newest - clock_.time(now)) > *options_.clock_bound)
    return Finding::clock;
  if (runs_backwards(receive, newest, exchange, now)) return Finding::backwards;
  return Finding::valid;
}

}  // namespace wiretime::load
