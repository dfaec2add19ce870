// SPDX-License-Identifier: BSD-3-Clause
// Who asked, how often, when last: one worker's client log. Fixed memory: buckets of eight records of one
// cache line each; a full bucket gives up its longest silent record. One writer (the worker that owns the
// table), the control thread reads it live for `chronyc clients`.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ip_address.hpp"

namespace wiretime::ntp {

enum class ClientService : std::uint8_t { ntp, command };

// A consistent copy of one record. Times in 1/16 s of uptime; intervals log2 seconds in 1/4 steps.
struct ClientRecord {
  static constexpr std::int8_t kNoInterval = 127;
  struct Use {
    std::uint32_t hits = 0;
    std::uint32_t drops = 0;
    std::uint32_t last_hit = 0;
    std::int8_t interval = kNoInterval;  // moving average of the log2 interval, in 1/4 log2 seconds
    friend bool operator==(const Use&, const Use&) = default;
  };
  IpAddress address;
  Use ntp;
  Use command;
};

class ClientTable {
 public:
  // At least one bucket; capacity is rounded down to a power of two of buckets. `secret` keys the hash, so
  // that nobody can aim at one bucket.
  ClientTable(std::size_t max_records, std::array<std::uint64_t, 2> secret);

  // Worker: counts one request at `uptime` (1/16 s).
  void record_hit(const IpAddress& address, ClientService service, std::uint32_t uptime) noexcept;
  void record_drop(const IpAddress& address, ClientService service, std::uint32_t uptime) noexcept;

  // Control thread. Slots 0..capacity()-1; nullopt for an empty one or one that is being replaced right now.
  [[nodiscard]] std::size_t capacity() const noexcept { return records_.size(); }
  [[nodiscard]] std::optional<ClientRecord> at(std::size_t slot) const noexcept;
  [[nodiscard]] std::optional<ClientRecord> find(const IpAddress& address) const noexcept;
  // The record counts from zero again as from its owner's next hit; reads as zero until then.
  void request_reset(std::size_t slot) noexcept;
  [[nodiscard]] std::uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t evicted() const noexcept { return evicted_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kWays = 8;
  struct Use {  // writer: owner
    std::atomic<std::uint32_t> hits{0};
    std::atomic<std::uint32_t> drops{0};
    std::atomic<std::uint32_t> last_hit{0};
    std::atomic<std::int8_t> interval{ClientRecord::kNoInterval};
  };
  struct alignas(64) Record {
    std::atomic<std::uint32_t> version{0};  // writer: owner; odd while the address changes
    std::atomic<std::uint8_t> family{0};    // writer: owner; Family, unspecified when empty
    std::atomic<bool> reset{false};         // writers: control sets, owner clears
    std::array<std::atomic<std::uint64_t>, 2> address{};
    Use ntp;
    Use command;
  };

  [[nodiscard]] std::size_t bucket_of(const IpAddress& address) const noexcept;
  [[nodiscard]] static bool matches(const Record& r, const IpAddress& address) noexcept;
  Record& find_or_replace(const IpAddress& address, std::uint32_t uptime) noexcept;

  std::vector<Record> records_;
  std::array<std::uint64_t, 2> secret_;
  std::atomic<std::uint64_t> used_{0};     // writer: owner
  std::atomic<std::uint64_t> evicted_{0};  // writer: owner
};

}  // namespace wiretime::ntp
