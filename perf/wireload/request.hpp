// SPDX-License-Identifier: BSD-3-Clause
// Writes request frames: a finished frame is copied and the few words that differ are set, with checksums
// carried along from the sums of what does not. A request says nothing of its sender but a random-looking
// transmit timestamp, as draft-ietf-ntp-data-minimization has it; interleaved ones as RFC 9769 section 2.
// Generator's core; constant once made.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/ip_address.hpp"
#include "net/checksum.hpp"
#include "net/headers.hpp"
#include "ntp/packet.hpp"
#include "perf/wireload/clients.hpp"

namespace wiretime::load {

// The wire between us and the server, as both directions need it.
struct Path {
  net::MacAddress source{};
  net::MacAddress destination{};  // the server's, or its router's
  IpAddress server;
  std::uint16_t server_port = ntp::kPort;
  std::optional<std::uint16_t> vlan;

  [[nodiscard]] std::size_t l3() const noexcept {
    return net::ethernet::kHeaderSize + (vlan ? net::ethernet::kTagSize : 0);
  }
  [[nodiscard]] bool ipv6() const noexcept { return server.family == Family::ipv6; }
  [[nodiscard]] std::size_t udp() const noexcept {
    return l3() + (ipv6() ? net::ipv6::kHeaderSize : net::ipv4::kHeaderSize);
  }
  [[nodiscard]] std::size_t payload() const noexcept { return udp() + net::udp::kHeaderSize; }
};

// The three stamps of a request as they stand in the packet.
struct RequestStamps {
  std::uint64_t origin = 0;
  std::uint64_t receive = 0;
  std::uint64_t transmit = 0;
};

class RequestWriter {
 public:
  static constexpr std::size_t kRoom = 128;  // what write() may touch
  static constexpr std::uint8_t kVersion = 4;

  explicit RequestWriter(const Path& path) noexcept;

  [[nodiscard]] std::uint16_t length() const noexcept { return length_; }

  // `to`: kRoom bytes, of which length() become the request.
  template <bool kIpv6, bool kInterleaved = false>
  void write(std::byte* to, const Endpoint& from, const RequestStamps& stamps) const noexcept {
    std::memcpy(to, frame_.data(), kRoom);
    net::WordSum sum{udp_sum_};
    sum.add(from.low);
    sum.add(from.port);
    sum.add(stamps.transmit);
    if constexpr (kIpv6) {
      sum.add(from.high);
      store_raw(to + source_, from.high);
      store_raw(to + source_ + 8, from.low);
    } else {
      store_raw(to + source_, static_cast<std::uint32_t>(from.low));
      net::WordSum header{ip_sum_};
      header.add(from.low);
      store_raw(to + source_ - 2, static_cast<std::uint16_t>(~header.folded()));
    }
    std::byte* const udp = to + udp_;
    std::byte* const ntp = udp + net::udp::kHeaderSize;
    if constexpr (kInterleaved) {
      sum.add(stamps.origin);
      sum.add(stamps.receive);
      store_raw(ntp + ntp::offset::kOrigin, stamps.origin);
      store_raw(ntp + ntp::offset::kReceive, stamps.receive);
    }
    store_raw(ntp + ntp::offset::kTransmit, stamps.transmit);
    store_raw(udp + net::udp::kSourcePort, from.port);
    store_raw(udp + net::udp::kChecksum, net::udp_checksum(static_cast<std::uint16_t>(~sum.folded())));
  }

 private:
  alignas(64) std::array<std::byte, kRoom> frame_{};
  std::uint64_t udp_sum_ = 0;  // of everything under the UDP checksum that is the same in all requests
  std::uint64_t ip_sum_ = 0;
  std::uint16_t length_ = 0;
  std::uint16_t source_ = 0;  // offset of the IP source address
  std::uint16_t udp_ = 0;
};

}  // namespace wiretime::load
