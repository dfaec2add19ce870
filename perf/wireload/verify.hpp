// SPDX-License-Identifier: BSD-3-Clause
// Judges what comes back: one Finding for each frame. In basic mode nothing is remembered of a request but a
// bit: its due time and number come back in the origin timestamp, and from the number follow the address and
// port that the reply must have. RFC 5905 section 8, RFC 9769 section 2. Generator's core.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "perf/wireload/answered.hpp"
#include "perf/wireload/mix.hpp"
#include "perf/wireload/request.hpp"

namespace wiretime::load {

// name, what an operator reads. The faults stand together, first to last.
#define WIRELOAD_FINDINGS(X)                                                               \
  X(valid, "a right answer")                                                               \
  X(kiss, "kiss-o'-death: stratum 0")                                                      \
  X(length, "IP, UDP and NTP lengths do not fit, or the message is shorter than 48 bytes") \
  X(longer, "longer than the request")                                                     \
  X(ip_checksum, "wrong IPv4 header checksum")                                             \
  X(udp_checksum, "wrong UDP checksum")                                                    \
  X(origin, "origin timestamp is of no request of the last seconds")                       \
  X(address, "sent to another address or port than the request came from")                 \
  X(duplicate, "second reply to one request")                                              \
  X(mode, "mode is not 4, server")                                                         \
  X(version, "another version than the request's")                                         \
  X(leap, "leap 3: the server says that it is not synchronised")                           \
  X(stratum, "stratum above 15")                                                           \
  X(transmit_before_receive, "transmit timestamp zero or before the receive timestamp")    \
  X(backwards, "received, as it says, before an earlier reply was sent")                   \
  X(clock, "its time and ours differ by more than --clock-bound")                          \
  X(interleaved, "interleaved reply whose transmit timestamp is not of the reply before")  \
  X(unexpected, "reply to a packet that must not be answered")                             \
  X(late, "reply to a request of an earlier step")                                         \
  X(other, "not a reply: ARP, ND, other traffic")

enum class Finding : std::uint8_t {
#define X(name, text) name,
  WIRELOAD_FINDINGS(X)
#undef X
      kCount
};
inline constexpr std::size_t kFindings = static_cast<std::size_t>(Finding::kCount);
inline constexpr Finding kFirstFault = Finding::length;
inline constexpr Finding kLastFault = Finding::unexpected;

[[nodiscard]] std::string_view name(Finding f) noexcept;
[[nodiscard]] std::string_view describe(Finding f) noexcept;

// Our own clock by the core's ticks.
struct OwnClock {
  std::uint64_t anchor_ticks = 0;
  NtpTimestamp anchor_time{};
  std::uint64_t units_per_tick = 0;  // 2^-64 s

  [[nodiscard]] static OwnClock at(std::uint64_t ticks, NtpTimestamp time, double ticks_per_second) noexcept;
  [[nodiscard]] NtpTimestamp time(std::uint64_t ticks) const noexcept {
    const auto elapsed = static_cast<unsigned __int128>(ticks - anchor_ticks) * units_per_tick;
    return {anchor_time.value + static_cast<std::uint64_t>(elapsed >> 32)};
  }
};

// What interleaved mode keeps of each client: stamps of the server's last reply to it, 0: none yet.
struct LastReply {
  std::uint64_t receive = 0;  // as it stood in the packet
  std::uint64_t transmit = 0;
};

struct VerifyOptions {
  std::optional<NtpDuration> clock_bound;  // nullopt: the server's time may be any
  double ticks_per_second = 0;
  bool reflected = false;  // replies are the requests themselves, with addresses and ports swapped
};

// What a reply said; the times where the finding is valid or kiss.
struct Reading {
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  std::uint64_t sequence = kNone;    // of the request, once it is known and had no reply before
  std::uint64_t response_ticks = 0;  // since the request was due
  NtpDuration receive_to_transmit{};
  bool interleaved = false;
};

class Verifier {
 public:
  // Replies older than this are of nobody.
  static constexpr double kOldest = 10.0;  // s

  // `replies`: one for each client in interleaved mode, else null. All references outlive the verifier.
  Verifier(const Path& path, const Clients& clients, const ClientOrder& order, const Cookie& cookie,
           Answered& answered, std::vector<LastReply>* replies, const VerifyOptions& options) noexcept;

  void set_clock(const OwnClock& clock) noexcept { clock_ = clock; }
  // Requests numbered below belong to steps that are closed.
  void begin_step(std::uint64_t first_sequence) noexcept { first_sequence_ = first_sequence; }

  // From the server's NTP port: a reply. Nothing behind its ports is looked at.
  template <bool kIpv6>
  [[nodiscard]] bool is_reply(const std::byte* frame, std::size_t length) const noexcept;

  // Of a frame that is_reply(). `now`: when it came; `next_sequence`: of the request to be sent next.
  template <bool kIpv6>
  [[nodiscard]] Finding check(const std::byte* frame, std::size_t length, std::uint64_t now,
                              std::uint64_t next_sequence, Reading& reading) noexcept;

  // Bits of what should be the request's own stamp; 0 if the reply is too short for it. is_reply() only.
  template <bool kIpv6>
  [[nodiscard]] std::uint32_t echo(const std::byte* frame, std::size_t length) const noexcept {
    const std::size_t at = l3_ + (kIpv6 ? net::ipv6::kHeaderSize : net::ipv4::kHeaderSize) +
                           net::udp::kHeaderSize + echo_offset();
    return length < at + 8 ? 0 : load_raw<std::uint32_t>(frame + at);
  }

  // The same without checks: valid, kiss or unexpected by what the bytes say.
  template <bool kIpv6>
  [[nodiscard]] Finding glance(const std::byte* frame, std::size_t length) const noexcept;

 private:
  [[nodiscard]] std::size_t echo_offset() const noexcept {
    return options_.reflected ? ntp::offset::kTransmit : ntp::offset::kOrigin;
  }
  template <bool kIpv6>
  [[nodiscard]] Finding check_packet(const std::byte* frame, std::size_t length) const noexcept;
  template <bool kIpv6>
  [[nodiscard]] Finding trace(const std::byte* frame, std::uint64_t now, std::uint64_t next_sequence,
                              Exchange& exchange, std::uint32_t& client) noexcept;
  [[nodiscard]] Finding check_message(const std::byte* message, std::uint64_t now, const Exchange& exchange,
                                      std::uint32_t client, Reading& reading) noexcept;
  [[nodiscard]] bool runs_backwards(NtpTimestamp receive, NtpTimestamp transmit, const Exchange& exchange,
                                    std::uint64_t now) noexcept;

  Path path_;
  const Clients& clients_;
  const ClientOrder& order_;
  const Cookie& cookie_;
  Answered& answered_;
  std::vector<LastReply>* replies_;
  VerifyOptions options_;
  OwnClock clock_;
  std::uint16_t l3_;
  std::uint16_t server_port_;  // as in the packet
  std::uint64_t server_high_ = 0;
  std::uint64_t server_low_ = 0;
  std::uint64_t oldest_ticks_;
  std::uint64_t first_sequence_ = 0;

  // The latest transmit stamp seen, and what it was at the fence: a request due after the fence was certainly
  // received later than that.
  NtpTimestamp latest_transmit_{};
  NtpTimestamp fence_transmit_{};
  std::uint64_t fence_ticks_ = ~std::uint64_t{0};
  std::uint64_t fence_age_ticks_;
};

template <bool kIpv6>
inline bool Verifier::is_reply(const std::byte* frame, std::size_t length) const noexcept {
  using namespace net;
  constexpr std::uint16_t kType = byte_swap(kIpv6 ? ethernet::kTypeIpv6 : ethernet::kTypeIpv4);
  constexpr std::size_t kHeader = kIpv6 ? ipv6::kHeaderSize : ipv4::kHeaderSize;
  if (length < l3_ + kHeader + udp::kHeaderSize) return false;
  const std::byte* const ip = frame + l3_;
  if (load_raw<std::uint16_t>(ip - 2) != kType) return false;
  if (path_.vlan && (load_be16(frame + ethernet::kEtherType) != ethernet::kTypeVlan ||
                     (load_be16(frame + ethernet::kHeaderSize) & ethernet::kVlanIdMask) != *path_.vlan))
    return false;
  if constexpr (kIpv6) {
    if (load_u8(ip + ipv6::kNextHeader) != protocol::kUdp ||
        load_raw<std::uint64_t>(ip + ipv6::kSource) != server_high_ ||
        load_raw<std::uint64_t>(ip + ipv6::kSource + 8) != server_low_)
      return false;
  } else {
    if (load_u8(ip) != 0x45 || load_u8(ip + ipv4::kProtocol) != protocol::kUdp ||
        load_raw<std::uint32_t>(ip + ipv4::kSource) != server_low_ ||
        (load_be16(ip + ipv4::kFragment) & ipv4::kFragmentMask) != 0)
      return false;
  }
  return load_raw<std::uint16_t>(ip + kHeader) == server_port_;
}

template <bool kIpv6>
inline Finding Verifier::glance(const std::byte* frame, std::size_t length) const noexcept {
  constexpr std::size_t kHeader = kIpv6 ? net::ipv6::kHeaderSize : net::ipv4::kHeaderSize;
  const std::byte* const udp = frame + l3_ + kHeader;
  if ((load_u8(udp + net::udp::kDestinationPort) & 0x80U) == 0) return Finding::unexpected;
  if (options_.reflected) return Finding::valid;
  const std::size_t stratum = l3_ + kHeader + net::udp::kHeaderSize + ntp::offset::kStratum;
  return length > stratum && load_u8(frame + stratum) == 0 ? Finding::kiss : Finding::valid;
}

template <bool kIpv6>
inline Finding Verifier::check_packet(const std::byte* frame, std::size_t length) const noexcept {
  using namespace net;
  const std::byte* const ip = frame + l3_;
  constexpr std::size_t kHeader = kIpv6 ? ipv6::kHeaderSize : ipv4::kHeaderSize;
  constexpr std::uint16_t kUdpLength = udp::kHeaderSize + ntp::kHeaderLength;
  const std::byte* const udp = ip + kHeader;
  const std::uint16_t udp_length = load_be16(udp + udp::kLength);
  const std::size_t ip_payload = kIpv6 ? load_be16(ip + ipv6::kPayloadLength)
                                       : load_be16(ip + ipv4::kTotalLength) - std::size_t{ipv4::kHeaderSize};
  if (ip_payload != udp_length || l3_ + kHeader + ip_payload > length || udp_length < kUdpLength)
    return Finding::length;
  if (udp_length > kUdpLength) return Finding::longer;

  WordSum sum;
  if constexpr (kIpv6) {
    for (std::size_t at = ipv6::kSource; at < ipv6::kHeaderSize; at += 8)
      sum.add(load_raw<std::uint64_t>(ip + at));
  } else {
    const auto addresses = load_raw<std::uint64_t>(ip + ipv4::kSource);
    WordSum header{load_raw<std::uint64_t>(ip)};
    header.add(load_raw<std::uint32_t>(ip + ipv4::kTtl));
    header.add(addresses);
    if (header.folded() != 0xFFFF) return Finding::ip_checksum;
    sum.add(addresses);
  }
  sum.add(byte_swap(kUdpLength));
  sum.add(byte_swap(std::uint16_t{protocol::kUdp}));
  const std::uint16_t pseudo = sum.folded();
  for (std::size_t at = 0; at < kUdpLength; at += 8) sum.add(load_raw<std::uint64_t>(udp + at));
  if (sum.folded() == 0xFFFF) return Finding::valid;
  // None at all over IPv4; just the pseudo-header's: a virtual link's (net/frame.hpp).
  const auto checksum = load_raw<std::uint16_t>(udp + udp::kChecksum);
  return (!kIpv6 && checksum == 0) || checksum == pseudo ? Finding::valid : Finding::udp_checksum;
}

template <bool kIpv6>
inline Finding Verifier::trace(const std::byte* frame, std::uint64_t now, std::uint64_t next_sequence,
                               Exchange& exchange, std::uint32_t& client) noexcept {
  using namespace net;
  constexpr std::size_t kHeader = kIpv6 ? ipv6::kHeaderSize : ipv4::kHeaderSize;
  const std::byte* const udp = frame + l3_ + kHeader;
  exchange = cookie_.read(load_raw<std::uint64_t>(udp + udp::kHeaderSize + echo_offset()), now);
  const std::uint64_t age = (next_sequence - exchange.sequence) & Cookie::kSequenceMask;
  if (age == 0 || age > next_sequence || now - exchange.due > oldest_ticks_ ||
      !order_.client(exchange.sequence, client) || (exchange.interleaved && replies_ == nullptr))
    return Finding::origin;
  const Endpoint owner = clients_.endpoint<kIpv6>(client);
  bool same = owner.port == load_raw<std::uint16_t>(udp + udp::kDestinationPort);
  if constexpr (kIpv6)
    same = same && owner.high == load_raw<std::uint64_t>(udp - 16) &&
           owner.low == load_raw<std::uint64_t>(udp - 8);
  else
    same = same && owner.low == load_raw<std::uint32_t>(udp - 4);
  if (!same) return Finding::address;
  if (age > Answered::kWindow || next_sequence - age < first_sequence_) return Finding::late;
  return answered_.take(next_sequence - age) ? Finding::valid : Finding::duplicate;
}

template <bool kIpv6>
inline Finding Verifier::check(const std::byte* frame, std::size_t length, std::uint64_t now,
                               std::uint64_t next_sequence, Reading& reading) noexcept {
  constexpr std::size_t kHeader = kIpv6 ? net::ipv6::kHeaderSize : net::ipv4::kHeaderSize;
  const std::byte* const udp = frame + l3_ + kHeader;
  if ((load_u8(udp + net::udp::kDestinationPort) & 0x80U) == 0) return Finding::unexpected;
  if (const Finding f = check_packet<kIpv6>(frame, length); f != Finding::valid) return f;
  Exchange exchange;
  std::uint32_t client = 0;
  if (const Finding f = trace<kIpv6>(frame, now, next_sequence, exchange, client); f != Finding::valid)
    return f;
  reading.sequence = next_sequence - ((next_sequence - exchange.sequence) & Cookie::kSequenceMask);
  reading.response_ticks = now - exchange.due;
  if (options_.reflected) return Finding::valid;
  return check_message(udp + net::udp::kHeaderSize, now, exchange, client, reading);
}

}  // namespace wiretime::load
