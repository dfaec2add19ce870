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
  [[nodiscard]] bool allows_v4(std::uint32_t address) const noexcept {
    const std::uint8_t short_answer = top16_[address >> 16];
    return short_answer == kLookFurther ? search_v4(address) : short_answer != 0;
  }
  [[nodiscard]] bool allows_v6(const IpAddress& address) const noexcept;

 private:
  static constexpr std::uint8_t kLookFurther = 255;
  using Key6 = std::array<std::uint64_t, 2>;
  template <typename Key>
  struct Range {  // from `first` up to the next range's first
    Key first;
    bool allow;
  };

  [[nodiscard]] bool search_v4(std::uint32_t address) const noexcept;
  void fill_top16();

  std::vector<std::uint8_t> top16_;       // by the address's upper half: 0, 1 or kLookFurther
  std::vector<Range<std::uint32_t>> v4_;  // sorted, the first starts at 0
  std::vector<Range<Key6>> v6_;           // sorted, the first starts at ::
};

}  // namespace wiretime::ntp
