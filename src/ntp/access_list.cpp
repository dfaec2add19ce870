// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/access_list.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace wiretime::ntp {

namespace {

const IpPrefix kEverywhereV4{IpAddress::v4(0U), 0};
const IpPrefix kEverywhereV6{IpAddress{{}, Family::ipv6}, 0};

bool contains(const IpPrefix& outer, const IpPrefix& inner) {
  return outer.length <= inner.length && outer.contains(inner.address);
}

using Key6 = std::array<std::uint64_t, 2>;

Key6 key_v6(const IpAddress& a) noexcept {
  Key6 key;
  std::memcpy(key.data(), a.bytes.data(), sizeof key);
  return {byte_swap(key[0]), byte_swap(key[1])};
}

// First address after the prefix; false when the prefix reaches the end of the address space.
bool end_of(const IpPrefix& p, std::uint32_t& end) {
  const std::uint64_t e = std::uint64_t{p.address.v4_host_order()} + (std::uint64_t{1} << (32 - p.length));
  end = static_cast<std::uint32_t>(e);
  return e <= UINT32_MAX;
}

bool end_of(const IpPrefix& p, Key6& end) {
  if (p.length == 0) return false;
  end = key_v6(p.address);
  if (p.length <= 64) {
    end[0] += std::uint64_t{1} << (64 - p.length);
    return end[0] != 0;
  }
  end[1] += p.length == 128 ? 1 : std::uint64_t{1} << (128 - p.length);
  if (end[1] == 0) ++end[0];
  return end[1] != 0 || end[0] != 0;
}

std::uint32_t first_of(const IpPrefix& p, std::uint32_t) {
  return p.address.v4_host_order();
}
Key6 first_of(const IpPrefix& p, const Key6&) {
  return key_v6(p.address);
}

// Sweeps nested prefixes in order (outer before inner) and flattens them to adjoining ranges.
template <typename Key, typename Range>
std::vector<Range> flatten(const std::map<IpPrefix, bool>& rules, Family family) {
  std::vector<Range> ranges{{Key{}, false}};
  auto start = [&](const Key& at, bool allow) {
    if (ranges.back().first == at) {
      ranges.back().allow = allow;
      if (ranges.size() > 1 && ranges[ranges.size() - 2].allow == allow) ranges.pop_back();
    } else if (ranges.back().allow != allow) {
      ranges.push_back({at, allow});
    }
  };
  struct Open {
    IpPrefix prefix;
    bool allow;
  };
  std::vector<Open> open;  // the prefixes around the sweep's position, outermost first
  auto close_innermost = [&] {
    const IpPrefix done = open.back().prefix;
    open.pop_back();
    Key end{};
    if (end_of(done, end)) start(end, !open.empty() && open.back().allow);
  };
  for (const auto& [prefix, allow] : rules) {
    if (prefix.address.family != family) continue;
    while (!open.empty() && !contains(open.back().prefix, prefix)) close_innermost();
    start(first_of(prefix, Key{}), allow);
    open.push_back({prefix, allow});
  }
  while (!open.empty()) close_innermost();
  return ranges;
}

template <typename Ranges, typename Key>
bool search(const Ranges& ranges, const Key& key) noexcept {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), key,
                                      [](const Key& k, const auto& range) { return k < range.first; });
  return std::prev(after)->allow;
}

}  // namespace

void AccessRules::set(const IpPrefix& prefix, bool allow, bool all) {
  if (all) std::erase_if(rules_, [&](const auto& rule) { return contains(prefix, rule.first); });
  rules_[prefix] = allow;
}

void AccessRules::set_everywhere(bool allow, bool all) {
  set(kEverywhereV4, allow, all);
  set(kEverywhereV6, allow, all);
}

bool AccessRules::allows(const IpAddress& address) const {
  for (unsigned length = address.bit_length() + 1; length-- > 0;) {
    const auto prefix = IpPrefix::of(address, length);
    if (!prefix) return false;
    if (const auto rule = rules_.find(*prefix); rule != rules_.end()) return rule->second;
  }
  return false;
}

bool AccessRules::allows_anything(Family family) const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [&](const auto& rule) { return rule.first.address.family == family && rule.second; });
}

AccessList::AccessList(const AccessRules& rules)
    : v4_{flatten<std::uint32_t, Range<std::uint32_t>>(rules.rules_, Family::ipv4)},
      v6_{flatten<Key6, Range<Key6>>(rules.rules_, Family::ipv6)} {
  fill_top16();
}

void AccessList::fill_top16() {
  top16_.resize(65536);
  std::size_t range = 0;  // the range that holds the block's first address
  for (std::uint32_t block = 0; block < 65536; ++block) {
    const std::uint32_t first = block << 16;
    while (range + 1 < v4_.size() && v4_[range + 1].first <= first) ++range;
    const bool divided = range + 1 < v4_.size() && v4_[range + 1].first <= (first | 0xFFFFU);
    top16_[block] = divided ? kLookFurther : std::uint8_t{v4_[range].allow};
  }
}

bool AccessList::search_v4(std::uint32_t address) const noexcept {
  return search(v4_, address);
}
bool AccessList::allows_v6(const IpAddress& address) const noexcept {
  return search(v6_, key_v6(address));
}

}  // namespace wiretime::ntp
