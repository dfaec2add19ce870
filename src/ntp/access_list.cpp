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

std::array<std::uint64_t, 2> halves(const IpAddress& a) noexcept {
  std::array<std::uint64_t, 2> words;
  std::memcpy(words.data(), a.bytes.data(), sizeof words);
  return {byte_swap(words[0]), byte_swap(words[1])};
}

template <typename Key>
Key key_of(const IpAddress& a) noexcept {
  if constexpr (sizeof(Key) == 4) {
    return a.v4_host_order();
  } else {
    const auto words = halves(a);
    return static_cast<Key>(words[0]) << 64 | words[1];
  }
}

// First address after the prefix; 0: the prefix reaches the end of the address space.
template <typename Key>
Key end_of(const IpPrefix& p) noexcept {
  return p.length == 0 ? Key{0} : key_of<Key>(p.address) + (Key{1} << (sizeof(Key) * 8 - p.length));
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

// Sweeps nested prefixes in order (outer before inner) and flattens them to adjoining ranges.
template <typename Key>
AccessList::Ranges<Key> AccessList::flatten(const std::map<IpPrefix, bool>& rules, Family family) {
  std::vector<Key> firsts{0};
  std::vector<std::uint8_t> allows{0};
  const auto start = [&](Key at, bool allow) {
    if (firsts.back() == at) {
      allows.back() = allow;
      if (allows.size() > 1 && (allows[allows.size() - 2] != 0) == allow) {
        firsts.pop_back();
        allows.pop_back();
      }
    } else if ((allows.back() != 0) != allow) {
      firsts.push_back(at);
      allows.push_back(allow);
    }
  };
  struct Open {
    IpPrefix prefix;
    bool allow;
  };
  std::vector<Open> open;  // the prefixes around the sweep's position, outermost first
  const auto close_innermost = [&] {
    const Key end = end_of<Key>(open.back().prefix);
    open.pop_back();
    if (end != 0) start(end, !open.empty() && open.back().allow);
  };
  for (const auto& [prefix, allow] : rules) {
    if (prefix.address.family != family) continue;
    while (!open.empty() && !contains(open.back().prefix, prefix)) close_innermost();
    start(key_of<Key>(prefix.address), allow);
    open.push_back({prefix, allow});
  }
  while (!open.empty()) close_innermost();
  return {std::move(firsts), std::move(allows)};
}

AccessList::AccessList(const AccessRules& rules)
    : v4_{flatten<std::uint32_t>(rules.rules_, Family::ipv4)},
      v6_{flatten<unsigned __int128>(rules.rules_, Family::ipv6)} {}

template <typename Key>
AccessList::Ranges<Key>::Ranges(std::vector<Key> firsts, std::vector<std::uint8_t> allows)
    : firsts_{std::move(firsts)}, allows_{std::move(allows)} {
  constexpr std::size_t kBlocks = 1 << 16;
  blocks_.resize(kBlocks);
  containing_.resize(kBlocks + 1);
  std::uint32_t range = 0;
  for (std::size_t block = 0; block < kBlocks; ++block) {
    const Key first = static_cast<Key>(block) << kBlockShift;
    const Key last = first | ((Key{1} << kBlockShift) - 1);
    while (range + 1 < firsts_.size() && firsts_[range + 1] <= first) ++range;
    const bool divided = range + 1 < firsts_.size() && firsts_[range + 1] <= last;
    containing_[block] = range;
    blocks_[block] = divided ? kLookFurther : allows_[range];
  }
  containing_[kBlocks] = static_cast<std::uint32_t>(firsts_.size() - 1);
}

// Without branches on the address: nobody's traffic can be made slow to look up.
template <typename Key>
bool AccessList::Ranges<Key>::search(std::size_t block, Key address) const noexcept {
  std::size_t at = containing_[block];  // its range starts at or before the address
  for (std::size_t left = containing_[block + 1] + 1 - at; left > 1;) {
    const std::size_t half = left / 2;
    at += firsts_[at + half] <= address ? half : 0;
    left -= half;
  }
  return allows_[at] != 0;
}

bool AccessList::allows_v6(const IpAddress& address) const noexcept {
  const auto words = halves(address);
  return allows_v6(words[0], words[1]);
}

template class AccessList::Ranges<std::uint32_t>;
template class AccessList::Ranges<unsigned __int128>;

}  // namespace wiretime::ntp
