// SPDX-License-Identifier: BSD-3-Clause
// What the control thread decides and workers read: immutable tables behind an RCU pointer, and the time
// snapshot behind a seqlock. These two, counters up, and (later) one ring per worker are the only channels.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/rcu.hpp"
#include "base/seqlock.hpp"
#include "clock/snapshot.hpp"
#include "ntp/access_list.hpp"
#include "ntp/key.hpp"
#include "ntp/rate_limit.hpp"

namespace wiretime::server {

// The unicast addresses we answer on, and the broadcast addresses of their IPv4 subnets, which nobody may
// claim to come from. A handful: searched where they lie.
class LocalAddresses {
 public:
  LocalAddresses() = default;
  explicit LocalAddresses(std::vector<IpAddress> unicast, std::vector<IpAddress> broadcast = {})
      : unicast_{sorted(std::move(unicast))}, broadcast_{sorted(std::move(broadcast))} {
    for (const auto* list : {&unicast_, &broadcast_})
      for (const IpAddress& a : *list) {
        filter_ |= std::uint64_t{1} << bit_of(low_bits(a));
        if (a.family == Family::ipv4) known_v4_.push_back(low_bits(a));
      }
    for (const IpAddress& a : unicast_) {
      const auto* bytes = reinterpret_cast<const std::byte*>(a.bytes.data());
      if (a.family == Family::ipv4) v4_.push_back(load_raw<std::uint32_t>(bytes));
      if (a.family == Family::ipv6)
        v6_.push_back({load_raw<std::uint64_t>(bytes), load_raw<std::uint64_t>(bytes + 8)});
    }
  }

  [[nodiscard]] bool contains(const IpAddress& a) const noexcept {
    return std::binary_search(unicast_.begin(), unicast_.end(), a);
  }
  [[nodiscard]] bool is_broadcast(const IpAddress& a) const noexcept {
    return std::binary_search(broadcast_.begin(), broadcast_.end(), a);
  }
  // Of unicast(), by the address as it stands in a packet.
  [[nodiscard]] bool has_v4(std::uint32_t raw) const noexcept {
    for (const std::uint32_t a : v4_)
      if (a == raw) return true;
    return false;
  }
  [[nodiscard]] bool has_v6(const std::byte* address) const noexcept {
    const Raw6 raw{load_raw<std::uint64_t>(address), load_raw<std::uint64_t>(address + 8)};
    for (const Raw6& a : v6_)
      if (a[0] == raw[0] && a[1] == raw[1]) return true;
    return false;
  }
  // Ours or a broadcast address? By the address as it stands in a packet.
  [[nodiscard]] bool knows_v4(std::uint32_t raw) const noexcept {
    return may_know(raw) && knows(IpAddress::v4(byte_swap(raw)));
  }
  [[nodiscard]] bool knows_v6(const std::byte* address) const noexcept {
    return may_know(load_raw<std::uint32_t>(address + 12)) && knows(IpAddress::v6(address));
  }
  [[nodiscard]] std::span<const IpAddress> addresses() const noexcept { return unicast_; }

  // As they stand in packets: unicast, and IPv4 ones with broadcast.
  using Raw6 = std::array<std::uint64_t, 2>;
  [[nodiscard]] std::span<const std::uint32_t> raw_v4() const noexcept { return v4_; }
  [[nodiscard]] std::span<const Raw6> raw_v6() const noexcept { return v6_; }
  [[nodiscard]] std::span<const std::uint32_t> raw_known_v4() const noexcept { return known_v4_; }

 private:
  static std::vector<IpAddress> sorted(std::vector<IpAddress> addresses) {
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return addresses;
  }

  // The low 32 bits of an address, as in a packet.
  static std::uint32_t low_bits(const IpAddress& a) noexcept {
    const std::size_t at = a.family == Family::ipv6 ? 12 : 0;
    return load_raw<std::uint32_t>(reinterpret_cast<const std::byte*>(a.bytes.data()) + at);
  }
  [[nodiscard]] bool may_know(std::uint32_t low_bits) const noexcept {  // nearly never for others' addresses
    return (filter_ >> bit_of(low_bits) & 1U) != 0;
  }
  [[nodiscard]] bool knows(const IpAddress& a) const noexcept { return contains(a) || is_broadcast(a); }
  static unsigned bit_of(std::uint32_t low_bits) noexcept { return (low_bits * 0x9E37'79B1U) >> 26; }

  std::vector<IpAddress> unicast_;
  std::vector<IpAddress> broadcast_;
  std::vector<std::uint32_t> v4_;  // unicast, as in a packet
  std::vector<Raw6> v6_;
  std::vector<std::uint32_t> known_v4_;  // with broadcast, as in a packet
  std::uint64_t filter_ = 0;
};

struct Tables {
  ntp::AccessList access;
  ntp::KeyTable keys;
  std::vector<IpAddress>
      peers;  // configured ones, ascending: their symmetric packets are the control thread's
  LocalAddresses host_addresses;  // the kernel's, without loopback: ours on ports that the kernel owns too
  std::uint16_t ntp_port = 123;
  std::uint8_t dscp = 0;  // of replies, 0..63
  ntp::RateLimit rate_limit;
};

// Owned by the controller; outlives every worker.
struct Channels {
  explicit Channels(std::unique_ptr<const Tables> first) : tables(std::move(first)) {}

  Seqlock<clock::TimeSnapshot> time;  // writer: control thread; readers: workers
  RcuPointer<Tables> tables;          // writer: control thread; readers: workers, one RCU reader number each
};

}  // namespace wiretime::server
