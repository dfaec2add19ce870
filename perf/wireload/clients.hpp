// SPDX-License-Identifier: BSD-3-Clause
// The simulated clients: number to address and source port. Clients beyond the number of addresses share
// them, each with a port of its own. Made on the control thread, used on the generator's core; constant.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "perf/wireload/keyed.hpp"

namespace wiretime::load {

// As it stands in a packet: nothing here is a number to calculate with.
struct Endpoint {
  std::uint64_t high = 0;  // IPv6: the first 8 bytes of the address
  std::uint64_t low = 0;   // IPv6: the last 8; IPv4: the address, in the lower half
  std::uint16_t port = 0;
};

// Source ports of requests are in the upper half; those below tell what kind of bad packet a server answered.
inline constexpr std::uint16_t kFirstClientPort = 0x8000;
inline constexpr std::uint16_t kFirstBadPort = 1024;

class Clients {
 public:
  static constexpr std::uint32_t kMost = 1U << 24;

  // Addresses out of `from`, without `others` (the server, routers, ourselves) and without IPv4's network and
  // broadcast address of it. An error begins with the option to blame.
  [[nodiscard]] static Result<Clients> make(const IpPrefix& from, std::uint32_t count,
                                            std::vector<IpAddress> others, std::uint64_t key);

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] bool ipv6() const noexcept { return ipv6_; }

  template <bool kIpv6>
  [[nodiscard]] Endpoint endpoint(std::uint32_t client) const noexcept {
    // The exact quotient: clients and addresses are both below 2^25.
    const auto round =
        static_cast<std::uint32_t>(static_cast<unsigned __int128>(client) * reciprocal_ >> kReciprocalBits);
    const std::uint32_t place = client - round * addresses_;
    std::uint64_t id = first_ + place;
    for (std::size_t i = 0; i < skipped_count_; ++i) id += id >= skipped_[i] ? 1U : 0U;
    const std::uint32_t offset = ((place * multiplier_ >> 16) + round) & (kFirstClientPort - 1U);
    const auto port = byte_swap(static_cast<std::uint16_t>(kFirstClientPort | offset));
    if constexpr (!kIpv6)
      return {0, byte_swap(static_cast<std::uint32_t>(low_ + id)), port};
    else if (id_in_high_)
      return {byte_swap(high_ | id), byte_swap(low_), port};
    else
      return {byte_swap(high_), byte_swap(low_ | id), port};
  }

  [[nodiscard]] IpAddress address(std::uint32_t client) const noexcept;

 private:
  static constexpr std::size_t kMostSkipped = 8;
  static constexpr unsigned kReciprocalBits = 60;

  std::uint32_t count_ = 0;
  std::uint32_t addresses_ = 0;
  std::uint64_t reciprocal_ = 0;
  std::uint32_t multiplier_ = 0;
  bool ipv6_ = false;
  bool id_in_high_ = false;  // IPv6: each client in a /64 of its own
  std::uint64_t first_ = 0;  // id of client 0
  std::uint64_t high_ = 0;   // host order
  std::uint64_t low_ = 0;    // IPv4: the prefix in the lower half
  std::size_t skipped_count_ = 0;
  std::array<std::uint64_t, kMostSkipped> skipped_{};  // ids, ascending
};

}  // namespace wiretime::load
