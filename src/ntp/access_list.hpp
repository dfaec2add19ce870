// SPDX-License-Identifier: BSD-3-Clause
// allow/deny rules with chrony's meaning: the longest matching prefix decides, a rule with `all` erases the
// rules inside its prefix, nothing is allowed by default.
// AccessRules is the control thread's editable form; AccessList its immutable compiled form, which workers
// read.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ip_address.hpp"

namespace wiretime::ntp {

struct AccessChange {
  IpPrefix prefix;
  bool allow = false;
  bool all = false;  // forget every rule inside `prefix` first
};

// 8 bytes a rule for IPv4, 32 for IPv6.
class AccessRules {
 public:
  // Each change in turn, in one pass over the rules however many there are of either.
  void apply(std::span<const AccessChange> changes);
  void set(const IpPrefix& prefix, bool allow, bool all);
  // The same for 0.0.0.0/0 and ::/0.
  void set_everywhere(bool allow, bool all);
  [[nodiscard]] bool allows(const IpAddress& address) const;
  [[nodiscard]] bool allows_anything(Family family) const;
  [[nodiscard]] std::size_t size() const noexcept { return v4_.size() + v6_.size(); }

  // The changes that set_everywhere makes.
  [[nodiscard]] static std::array<AccessChange, 2> everywhere(bool allow, bool all);

 private:
  friend class AccessList;
  template <typename Key>
  struct Rule {
    Key first;
    std::uint8_t length;
    bool allow;
  };
  template <typename Key>
  using Rules = std::vector<Rule<Key>>;  // by first address, then length: outer prefixes before inner ones
  template <typename Key>
  static void apply(Rules<Key>& rules, std::span<const AccessChange> changes, Family family);
  template <typename Key>
  [[nodiscard]] static bool allows(const Rules<Key>& rules, Key address);

  Rules<std::uint32_t> v4_;
  Rules<unsigned __int128> v6_;
};

class AccessList {
 public:
  AccessList() : AccessList(AccessRules{}) {}
  explicit AccessList(const AccessRules& rules);

  [[nodiscard]] bool allows(const IpAddress& address) const noexcept {
    return address.family == Family::ipv4 ? allows_v4(address.v4_host_order()) : allows_v6(address);
  }
  [[nodiscard]] bool allows_v4(std::uint32_t address) const noexcept { return v4_.allows(address); }
  [[nodiscard]] bool allows_v6(const IpAddress& address) const noexcept;
  // The address in two halves, host order.
  [[nodiscard]] bool allows_v6(std::uint64_t high, std::uint64_t low) const noexcept {
    return v6_.allows(static_cast<unsigned __int128>(high) << 64 | low);
  }

 private:
  // Ranges of addresses, each from its first to the next one's, allowed and denied in turn; all of the
  // family's are in one. The upper 16 bits alone decide for most clients, from a table that stays in cache
  // whatever the number of rules. For a block of them that is divided, an IPv4 family has a cache line that
  // decides by the upper 24 bits, but where even they are divided; then, as for IPv6, an index as fine as the
  // block has ranges says between which of them to search: two or three, unless they crowd.
  template <typename Key>
  class Ranges {
   public:
    // `firsts` starts with 0; `first_allowed`: what the range from there is.
    Ranges(std::vector<Key> firsts, bool first_allowed);
    [[nodiscard]] bool allows(Key address) const noexcept {
      const auto block = static_cast<std::size_t>(address >> kBlockShift);
      const std::uint8_t short_answer = short_answers_[block];
      if (short_answer != kLookFurther) return short_answer != 0;
      const std::uint32_t number = numbers_[block];
      if constexpr (kHasLines) {
        const unsigned answer = line_answer(lines_[number], static_cast<unsigned>(address >> 8 & 0xFFU));
        if (__builtin_expect(answer != kMixed, true)) return answer != 0;
      }
      return search(blocks_[number], address);
    }

   private:
    static constexpr std::uint8_t kLookFurther = 255;
    static constexpr unsigned kBlockShift = sizeof(Key) * 8 - 16;
    static constexpr bool kHasLines = sizeof(Key) == 4;
    struct Block {
      std::uint32_t index = 0;  // where its part of index_ starts
      std::uint32_t shift = 0;  // of an address, to its place there
    };
    // Two bits for each of the 256 networks of a block: denied, allowed, or both.
    static constexpr unsigned kMixed = 2;
    struct alignas(64) Line {
      std::array<std::uint64_t, 8> words{};
    };
    [[nodiscard]] static unsigned line_answer(const Line& line, unsigned network) noexcept {
      return static_cast<unsigned>(line.words[network / 32] >> 2 * (network % 32) & 3U);
    }
    [[nodiscard]] bool allowed(std::size_t range) const noexcept { return (range & 1U) != odd_if_denied_; }
    [[nodiscard]] bool search(const Block& block, Key address) const noexcept;
    [[nodiscard]] Line line_of(Key first, std::uint32_t range) const;
    void divide(std::size_t block, Key first, std::uint32_t range, std::size_t starts);

    std::vector<std::uint8_t> short_answers_;  // by the upper 16 bits: 0, 1 or kLookFurther
    std::vector<std::uint32_t> numbers_;       // by the upper 16 bits: which of the divided blocks it is
    std::vector<Line> lines_;                  // by that number
    std::vector<Block> blocks_;                // by that number
    std::vector<std::uint32_t> index_;         // the range of a part's first address, and of the one after
    std::vector<Key> firsts_;                  // sorted, the first is 0
    unsigned odd_if_denied_;                   // 0: the odd ranges are allowed
  };
  template <typename Key>
  [[nodiscard]] static Ranges<Key> flatten(const AccessRules::Rules<Key>& rules);

  Ranges<std::uint32_t> v4_;
  Ranges<unsigned __int128> v6_;
};

}  // namespace wiretime::ntp
