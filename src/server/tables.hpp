// SPDX-License-Identifier: BSD-3-Clause
// What the control thread decides and workers read: immutable tables behind an RCU pointer, and the time
// snapshot behind a seqlock. These two, counters up, and (later) one ring per worker are the only channels.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "base/ip_address.hpp"
#include "base/rcu.hpp"
#include "base/seqlock.hpp"
#include "clock/snapshot.hpp"
#include "ntp/access_list.hpp"
#include "ntp/key.hpp"

namespace wiretime::server {

// The unicast addresses we answer on, and the broadcast addresses of their IPv4 subnets, which nobody may
// claim to come from. A handful: searched where they lie.
class LocalAddresses {
 public:
  LocalAddresses() = default;
  explicit LocalAddresses(std::vector<IpAddress> unicast, std::vector<IpAddress> broadcast = {})
      : unicast_{sorted(std::move(unicast))}, broadcast_{sorted(std::move(broadcast))} {}

  [[nodiscard]] bool contains(const IpAddress& a) const noexcept {
    return std::binary_search(unicast_.begin(), unicast_.end(), a);
  }
  [[nodiscard]] bool is_broadcast(const IpAddress& a) const noexcept {
    return std::binary_search(broadcast_.begin(), broadcast_.end(), a);
  }
  [[nodiscard]] std::span<const IpAddress> addresses() const noexcept { return unicast_; }

 private:
  static std::vector<IpAddress> sorted(std::vector<IpAddress> addresses) {
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return addresses;
  }

  std::vector<IpAddress> unicast_;
  std::vector<IpAddress> broadcast_;
};

struct Tables {
  ntp::AccessList access;
  ntp::KeyTable keys;
  LocalAddresses host_addresses;  // the kernel's, without loopback: ours on ports that the kernel owns too
  std::uint16_t ntp_port = 123;
  std::uint8_t dscp = 0;  // of replies, 0..63
};

// Owned by the controller; outlives every worker.
struct Channels {
  explicit Channels(std::unique_ptr<const Tables> first) : tables(std::move(first)) {}

  Seqlock<clock::TimeSnapshot> time;  // writer: control thread; readers: workers
  RcuPointer<Tables> tables;          // writer: control thread; readers: workers, one RCU reader number each
};

}  // namespace wiretime::server
