// SPDX-License-Identifier: BSD-3-Clause
// allow/deny rules with chrony's meaning: the longest matching prefix decides, a rule with `all` erases the
// rules inside its prefix, nothing is allowed by default.
// AccessRules is the control thread's editable form; AccessList its immutable compiled form, which workers
// read.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "base/ip_address.hpp"

namespace wiretime::ntp {

class AccessRules {
 public:
  // `all`: forget every rule inside `prefix` first.
  void set(const IpPrefix& prefix, bool allow, bool all);
  // The same for 0.0.0.0/0 and ::/0.
  void set_everywhere(bool allow, bool all);
  [[nodiscard]] bool allows(const IpAddress& address) const;
  [[nodiscard]] bool allows_anything(Family family) const;

 private:
  friend class AccessList;
  std::map<IpPrefix, bool> rules_;
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
  // Ranges of addresses, each from its first to the next one's; all of the family's are in one. The upper 16
  // bits alone decide for most clients, from a table that stays in cache whatever the number of rules; where
  // a block of them is divided, they say between which ranges to search.
  template <typename Key>
  class Ranges {
   public:
    Ranges(std::vector<Key> firsts, std::vector<std::uint8_t> allows);
    [[nodiscard]] bool allows(Key address) const noexcept {
      const auto block = static_cast<std::size_t>(address >> kBlockShift);
      const std::uint8_t short_answer = blocks_[block];
      return short_answer == kLookFurther ? search(block, address) : short_answer != 0;
    }

   private:
    static constexpr std::uint8_t kLookFurther = 255;
    static constexpr unsigned kBlockShift = sizeof(Key) * 8 - 16;
    [[nodiscard]] bool search(std::size_t block, Key address) const noexcept;

    std::vector<std::uint8_t> blocks_;       // by the upper 16 bits: 0, 1 or kLookFurther
    std::vector<std::uint32_t> containing_;  // by the upper 16 bits: the range of the block's first address
    std::vector<Key> firsts_;                // sorted, the first is 0
    std::vector<std::uint8_t> allows_;       // of each range
  };
  template <typename Key>
  [[nodiscard]] static Ranges<Key> flatten(const std::map<IpPrefix, bool>& rules, Family family);

  Ranges<std::uint32_t> v4_;
  Ranges<unsigned __int128> v6_;
};

}  // namespace wiretime::ntp
