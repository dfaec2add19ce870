// SPDX-License-Identifier: BSD-3-Clause
// Who asked, how often, when last, and whether they ask too often: one thread's client log. 16 bytes a
// client, four to a cache line, two lines to a bucket; a full bucket gives up its longest silent client. A
// keyed permutation of the IPv4 address chooses bucket and tag, so both give the address back; an IPv6 client
// has a keyed hash there and its address in an array that only insertion and listing touch. One writer (the
// owning thread); the control thread reads live for `chronyc clients`.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/ip_address.hpp"
#include "ntp/exchanges.hpp"
#include "ntp/rate_limit.hpp"

namespace wiretime::ntp {

// A copy of one record. Times in 1/16 s of uptime; intervals in 1/4 log2 seconds.
struct ClientRecord {
  static constexpr std::int8_t kNoInterval = 127;
  IpAddress address;
  std::uint32_t hits = 0;
  std::uint32_t drops = 0;  // stays at 2^14 - 1
  std::uint32_t last_hit = 0;
  std::int8_t interval = kNoInterval;          // moving average of the log2 interval while answered
  std::int8_t timeout_interval = kNoInterval;  // the same of requests that follow a drop
  friend bool operator==(const ClientRecord&, const ClientRecord&) = default;
};

// Clients of each family that a table has room for.
struct ClientCapacity {
  std::size_t ipv4 = 0;
  std::size_t ipv6 = 0;
};

// Zeroed, aligned to 64 bytes, and how to give it back. Large tables want huge pages, on the reader's node.
struct ClientMemory {
  std::byte* data = nullptr;
  std::size_t size = 0;
  void (*release)(std::byte* data, std::size_t size) = nullptr;
  // Has the kernel put real memory behind all of it; null: that costs nothing, or comes as it is used.
  void (*populate)(std::byte* data, std::size_t size) = nullptr;
};

class ClientTable {
 private:
  struct Line;

 public:
  static constexpr std::size_t kBytesPerIpv4Client = 24;
  static constexpr std::size_t kBytesPerIpv6Client = 48;
  // Bytes for a capacity: 24 for each IPv4 client (two thirds of the slots are used then, so that few buckets
  // overflow), 48 for each IPv6 client; at least 1,024 buckets a family.
  [[nodiscard]] static std::size_t memory_needed(const ClientCapacity& capacity) noexcept;
  // From the heap: throws std::bad_alloc. Costs nothing until it is used.
  [[nodiscard]] static ClientMemory heap_memory(std::size_t size);

  // `secret` keys the hash, so that nobody can aim at one bucket. Takes two pieces of memory: the second, as
  // large again for IPv4, is only touched for clients in interleaved mode.
  ClientTable(const ClientCapacity& capacity, std::array<std::uint64_t, 2> secret,
              ClientMemory (*allocate)(std::size_t) = heap_memory);
  ClientTable(const ClientTable&) = delete;
  ClientTable& operator=(const ClientTable&) = delete;
  ~ClientTable();

  // --- owner

  // Before the first request, on the CPU that will serve them: clearing a huge page takes from 0.1 ms to 5 ms
  // (a virtual machine whose host has to find the memory first), longer than a receive ring lasts. Not for
  // the piece of interleaved mode, which few servers fill.
  void populate() const noexcept {
    if (memory_.populate != nullptr) memory_.populate(memory_.data, memory_.size);
  }

  // Where a client's record is, or would be.
  struct Place {
    Line* line;         // of its bucket's two, the one it is looked for first
    std::uint32_t tag;  // the part of a record's key that tells clients apart
    bool ipv6;
  };
  [[nodiscard]] Place place_v4(std::uint32_t address) const noexcept {
    return place(v4_, permute(address), false);
  }
  [[nodiscard]] Place place_v6(const std::byte* address) const noexcept {
    return place(v6_, hash(address), true);
  }
  // What place_v4 computes with, for those that place many at a time.
  struct Placement {
    const void* lines;
    std::uint32_t buckets;
    std::uint32_t whitener;
    std::array<std::uint32_t, 2> multipliers;
    std::uint32_t tag_mask;
    std::uint32_t in_use;
  };
  [[nodiscard]] Placement placement_v4() const noexcept {
    return {v4_.lines, v4_.buckets, whitener_, multipliers_, kTagMask, kInUse};
  }
  // Always inline: GCC takes a function that does nothing else for one without effect, and its calls away.
  [[gnu::always_inline]] static void prefetch(const Place& p) noexcept { __builtin_prefetch(p.line, 1, 2); }

  // Where replies to the clients of a place are remembered.
  [[nodiscard]] ExchangeLine& exchanges(const Place& p) noexcept { return exchanges_[p.line - v4_.lines]; }
  // The same, as bytes from the address of a place's line.
  [[nodiscard]] std::uintptr_t to_exchanges() const noexcept {
    static_assert(sizeof(ExchangeLine) == sizeof(*v4_.lines));
    return reinterpret_cast<std::uintptr_t>(&exchanges_[0]) - reinterpret_cast<std::uintptr_t>(v4_.lines);
  }
  [[nodiscard]] ExchangeLine& exchanges(const IpAddress& client) noexcept { return exchanges(place(client)); }

  // Requests that came at `uptime`, and what their rate limits say.
  static constexpr std::size_t kBatch = 32;
  struct Batch {
    std::array<Place, kBatch> places;
    std::array<const std::byte*, kBatch> ipv6;  // IPv6 addresses
    std::array<Admission, kBatch> admissions;
    // Which of them, in the order in which they were admitted.
    std::array<std::uint8_t, kBatch> order;
  };
  // Counts the first `size` of the batch, in two steps, because some clients are in a second cache line,
  // which has to come first. The first step returns how many it admitted; it is time for other work until the
  // second, which admits the rest. One client's requests are counted in the order in which they came.
  // `random`: drawn on for leaks and kisses.
  std::size_t admit_known(Batch& batch, std::size_t size, std::uint32_t uptime, const RateLimit& limit,
                          std::uint64_t& random) noexcept;
  void admit_rest(Batch& batch, std::size_t size, std::size_t known, std::uint32_t uptime,
                  const RateLimit& limit, std::uint64_t& random) noexcept;
  Admission admit(const IpAddress& client, std::uint32_t uptime, const RateLimit& limit,
                  std::uint64_t random) noexcept;

  // --- control thread

  // Slots 0..slots()-1; nullopt for an empty one or one that is being replaced right now.
  [[nodiscard]] std::size_t slots() const noexcept { return (v4_.buckets + v6_.buckets) * kWays; }
  [[nodiscard]] std::optional<ClientRecord> at(std::size_t slot) const noexcept;
  // The first of the slots from `slot` up to `end` with that many hits, 1 or more; `end`: none. Reads little
  // more than memory has to give.
  [[nodiscard]] std::size_t next_with_hits(std::size_t slot, std::size_t end,
                                           std::uint32_t hits) const noexcept;
  [[nodiscard]] std::optional<std::size_t> slot_of(const IpAddress& address) const noexcept;
  [[nodiscard]] std::uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t evicted() const noexcept { return evicted_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kLanes = 4;             // records in a line
  static constexpr std::size_t kWays = 2 * kLanes;     // in a bucket
  static constexpr std::size_t kFewestBuckets = 1024;  // so that 22 bits are enough for a tag
  using Word = std::atomic<std::uint32_t>;

  // Writer: owner. Records are replaced, never removed. Word by word of the line's four records: key (tag 22
  // bits, timeout interval 7, last request was dropped 1, 0, in use 1), last (1/16 s of uptime), hits, state
  // (drops 14, tokens 11, interval 7: 0 while the record is being replaced).
  struct alignas(64) Line {
    std::array<Word, 4 * kLanes> words;

    [[nodiscard]] const Word& key(std::size_t lane) const noexcept { return words[lane]; }
    [[nodiscard]] const Word& last(std::size_t lane) const noexcept { return words[kLanes + lane]; }
    [[nodiscard]] const Word& hits(std::size_t lane) const noexcept { return words[2 * kLanes + lane]; }
    [[nodiscard]] const Word& state(std::size_t lane) const noexcept { return words[3 * kLanes + lane]; }
    [[nodiscard]] Word& key(std::size_t lane) noexcept { return words[lane]; }
    [[nodiscard]] Word& last(std::size_t lane) noexcept { return words[kLanes + lane]; }
    [[nodiscard]] Word& hits(std::size_t lane) noexcept { return words[2 * kLanes + lane]; }
    [[nodiscard]] Word& state(std::size_t lane) noexcept { return words[3 * kLanes + lane]; }
  };
  static_assert(sizeof(Line) == 64);
  using Address6 = std::array<std::atomic<std::uint64_t>, 2>;

  struct Region {
    Line* lines = nullptr;
    Address6* addresses = nullptr;  // one a slot; IPv6 only
    std::uint32_t buckets = 0;
  };

  static constexpr std::uint32_t kTagMask = 0xFFFF'FC00U;
  static constexpr std::uint32_t kInUse = 1;

  // A 32-bit number falls into bucket number * buckets / 2^32. What is behind the binary point then tells
  // the numbers of one bucket apart: they are 1,024 or more from each other, so the upper 22 bits do. The
  // highest of them says which line comes first.
  [[nodiscard]] static Place place(const Region& f, std::uint32_t number, bool ipv6) noexcept {
    const std::uint64_t product = std::uint64_t{number} * f.buckets;
    return {f.lines + (product >> 31), (static_cast<std::uint32_t>(product) & kTagMask) | kInUse, ipv6};
  }
  // The other line of the bucket; the first line of a bucket is the even one.
  [[nodiscard]] static Line* other_line(const Place& p) noexcept {
    const std::ptrdiff_t to = (p.tag >> 31) != 0 ? -1 : 1;
    return p.line + to;
  }
  // A bijection: two rounds of multiply and fold with secret odd multipliers.
  [[nodiscard]] std::uint32_t permute(std::uint32_t address) const noexcept {
    std::uint32_t x = (address ^ whitener_) * multipliers_[0];
    x = (x ^ x >> 16) * multipliers_[1];
    return x ^ x >> 15;
  }
  [[nodiscard]] std::uint32_t unpermute(std::uint32_t number) const noexcept;
  [[nodiscard]] std::uint32_t hash(const std::byte* address) const noexcept;
  [[nodiscard]] Place place(const IpAddress& address) const noexcept;

  struct Slot {
    Line* line;
    std::size_t lane;
  };
  // kLanes: not there.
  [[nodiscard]] static std::size_t lane_in(const Line& line, std::uint32_t tag) noexcept;
  [[nodiscard]] Slot replace(const Place& place, const std::byte* ipv6, std::uint32_t uptime,
                             std::uint32_t tokens) noexcept;
  template <bool kLimited>
  [[nodiscard]] static std::size_t admit_known(Batch& batch, std::size_t size, std::uint32_t uptime,
                                               const RateLimit& limit, std::uint64_t& random) noexcept;
  template <bool kLimited>
  [[nodiscard]] static Admission count(const Slot& slot, std::uint32_t tag, std::uint32_t uptime,
                                       const RateLimit& limit, std::uint64_t& random) noexcept;

  Region v4_;
  Region v6_;                          // its lines follow v4_'s
  ExchangeLine* exchanges_ = nullptr;  // one for each line
  std::uint32_t whitener_;
  std::array<std::uint32_t, 2> multipliers_;
  std::array<std::uint64_t, 2> secret_;
  ClientMemory memory_;
  ClientMemory exchange_memory_;
  std::atomic<std::uint64_t> used_{0};     // writer: owner
  std::atomic<std::uint64_t> evicted_{0};  // writer: owner
};

}  // namespace wiretime::ntp
