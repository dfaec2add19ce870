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

namespace wiretime::server {

// A set of unicast addresses; small enough to be searched where it lies.
class AddressSet {
 public:
  AddressSet() = default;
  explicit AddressSet(std::vector<IpAddress> addresses) : sorted_(std::move(addresses)) {
    std::sort(sorted_.begin(), sorted_.end());
    sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
  }
  [[nodiscard]] bool contains(const IpAddress& a) const noexcept {
    return std::binary_search(sorted_.begin(), sorted_.end(), a);
  }
  [[nodiscard]] std::span<const IpAddress> addresses() const noexcept { return sorted_; }

 private:
  std::vector<IpAddress> sorted_;
};

struct Tables {
  ntp::AccessList access;
  AddressSet host_addresses;  // the kernel's, without loopback: ours on ports that the kernel owns too
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
