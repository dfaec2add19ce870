// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/access_list.hpp"

#include <algorithm>
#include <bit>

#include "base/bytes.hpp"

namespace wiretime::ntp {

namespace {

const IpPrefix kEverywhereV4{IpAddress::v4(0U), 0};
const IpPrefix kEverywhereV6{IpAddress{{}, Family::ipv6}, 0};

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

// Last address of the prefix of that length that starts at `first`.
template <typename Key>
Key last_of(Key first, unsigned length) noexcept {
  return length == 0 ? ~Key{0} : first | ((Key{1} << (sizeof(Key) * 8 - length)) - 1);
}

template <typename Key>
struct Change {
  Key first;
  std::uint8_t length;
  bool allow;
  bool all;
  std::size_t time;  // 1, 2, ...: its place in the order of changes
};

constexpr auto by_prefix = [](const auto& a, const auto& b) noexcept {
  return a.first != b.first ? a.first < b.first : a.length < b.length;
};

template <typename Key>
std::vector<Change<Key>> in_prefix_order(std::span<const AccessChange> changes, Family family) {
  std::vector<Change<Key>> out;
  for (std::size_t i = 0; i < changes.size(); ++i)
    if (const auto& c = changes[i]; c.prefix.address.family == family)
      out.push_back(
          {key_of<Key>(c.prefix.address), static_cast<std::uint8_t>(c.prefix.length), c.allow, c.all, i + 1});
  std::stable_sort(out.begin(), out.end(), by_prefix);
  return out;
}

}  // namespace

std::array<AccessChange, 2> AccessRules::everywhere(bool allow, bool all) {
  return {AccessChange{kEverywhereV4, allow, all}, AccessChange{kEverywhereV6, allow, all}};
}

void AccessRules::apply(std::span<const AccessChange> changes) {
  apply(v4_, changes, Family::ipv4);
  apply(v6_, changes, Family::ipv6);
}

void AccessRules::set(const IpPrefix& prefix, bool allow, bool all) {
  const AccessChange change{prefix, allow, all};
  apply(std::span{&change, 1});
}

void AccessRules::set_everywhere(bool allow, bool all) {
  apply(everywhere(allow, all));
}

// Merges rules and changes in prefix order. What stands at the end is what was set after every `all` around
// it; the rules were there before all changes.
template <typename Key>
void AccessRules::apply(Rules<Key>& rules, std::span<const AccessChange> changes, Family family) {
  const auto sorted = in_prefix_order<Key>(changes, family);
  if (sorted.empty()) return;
  struct Eraser {
    Key last;
    std::size_t time;  // the latest `all` of this prefix and those around it
  };
  std::vector<Eraser> erasers;  // the prefixes with `all` around the merge's position, outermost first
  Rules<Key> merged;
  merged.reserve(rules.size() + sorted.size());
  auto rule = rules.begin();
  for (auto change = sorted.begin(); change != sorted.end() || rule != rules.end();) {
    const bool rule_first = change == sorted.end() || (rule != rules.end() && !by_prefix(*change, *rule));
    Rule<Key> next = rule_first ? *rule : Rule<Key>{change->first, change->length, change->allow};
    std::size_t time = 0;
    std::size_t all_time = 0;
    if (rule_first) ++rule;
    for (; change != sorted.end() && change->first == next.first && change->length == next.length; ++change) {
      next.allow = change->allow;
      time = change->time;
      if (change->all) all_time = time;
    }
    while (!erasers.empty() && erasers.back().last < next.first) erasers.pop_back();
    const std::size_t erased = erasers.empty() ? 0 : erasers.back().time;
    if (time >= erased) merged.push_back(next);
    if (all_time > erased) erasers.push_back({last_of(next.first, next.length), all_time});
  }
  rules = std::move(merged);
}

template <typename Key>
bool AccessRules::allows(const Rules<Key>& rules, Key address) {
  constexpr unsigned kBits = sizeof(Key) * 8;
  for (unsigned length = kBits + 1; length-- > 0;) {
    const Key first = length == 0 ? Key{0} : address >> (kBits - length) << (kBits - length);
    const Rule<Key> wanted{first, static_cast<std::uint8_t>(length), false};
    const auto at = std::lower_bound(rules.begin(), rules.end(), wanted, by_prefix);
    if (at != rules.end() && at->first == first && at->length == length) return at->allow;
  }
  return false;
}

bool AccessRules::allows(const IpAddress& address) const {
  if (address.family == Family::ipv4) return allows(v4_, address.v4_host_order());
  return address.family == Family::ipv6 && allows(v6_, key_of<unsigned __int128>(address));
}

bool AccessRules::allows_anything(Family family) const {
  const auto any = [](const auto& rules) {
    return std::any_of(rules.begin(), rules.end(), [](const auto& rule) { return rule.allow; });
  };
  return family == Family::ipv4 ? any(v4_) : any(v6_);
}

// Sweeps nested prefixes in order (outer before inner) and flattens them to adjoining ranges.
template <typename Key>
AccessList::Ranges<Key> AccessList::flatten(const AccessRules::Rules<Key>& rules) {
  std::vector<Key> firsts{0};  // of ranges denied and allowed in turn
  firsts.reserve(2 * rules.size() + 1);
  bool first_allowed = false;
  const auto start = [&](Key at, bool allow) {
    const bool same = allow == (first_allowed != (firsts.size() % 2 == 0));
    if (same) return;
    if (firsts.back() != at)
      firsts.push_back(at);
    else if (firsts.size() > 1)
      firsts.pop_back();  // it goes on as the range before
    else
      first_allowed = allow;
  };
  struct Open {
    Key last;
    bool allow;
  };
  std::vector<Open> open;  // the prefixes around the sweep's position, outermost first
  const auto close_innermost = [&] {
    const Key last = open.back().last;
    open.pop_back();
    if (last != ~Key{0}) start(last + 1, !open.empty() && open.back().allow);
  };
  for (const auto& rule : rules) {
    while (!open.empty() && open.back().last < rule.first) close_innermost();
    start(rule.first, rule.allow);
    open.push_back({last_of(rule.first, rule.length), rule.allow});
  }
  while (!open.empty()) close_innermost();
  return {std::move(firsts), first_allowed};
}

AccessList::AccessList(const AccessRules& rules) : v4_{flatten(rules.v4_)}, v6_{flatten(rules.v6_)} {}

template <typename Key>
AccessList::Ranges<Key>::Ranges(std::vector<Key> firsts, bool first_allowed)
    : firsts_{std::move(firsts)}, odd_if_denied_{first_allowed ? 1U : 0U} {
  constexpr std::size_t kBlocks = 1 << 16;
  short_answers_.resize(kBlocks);
  numbers_.resize(kBlocks);
  std::uint32_t range = 0;  // the one of the block's first address
  for (std::size_t block = 0; block < kBlocks; ++block) {
    const Key first = static_cast<Key>(block) << kBlockShift;
    const Key last = first | ((Key{1} << kBlockShift) - 1);
    while (range + 1 < firsts_.size() && firsts_[range + 1] <= first) ++range;
    std::size_t after = range + 1;
    while (after < firsts_.size() && firsts_[after] <= last) ++after;
    const std::size_t starts = after - range - 1;
    short_answers_[block] = starts != 0 ? kLookFurther : allowed(range);
    if (starts != 0) divide(block, first, range, starts);
    range = static_cast<std::uint32_t>(after - 1);
  }
}

// `starts` ranges begin behind the block's first address, which is in `range`.
template <typename Key>
void AccessList::Ranges<Key>::divide(std::size_t block, Key first, std::uint32_t range, std::size_t starts) {
  constexpr unsigned kMostBits = kBlockShift < 20 ? kBlockShift : 20;
  const unsigned bits = std::min(static_cast<unsigned>(std::bit_width(starts)), kMostBits);
  const unsigned shift = kBlockShift - bits;
  numbers_[block] = static_cast<std::uint32_t>(blocks_.size());
  blocks_.push_back({static_cast<std::uint32_t>(index_.size()), shift});
  if constexpr (kHasLines) lines_.push_back(line_of(first, range));
  const std::size_t end = range + starts + 1;
  for (std::size_t part = 0; part < std::size_t{1} << bits; ++part) {
    const Key part_first = first | static_cast<Key>(part) << shift;
    while (range + 1 < end && firsts_[range + 1] <= part_first) ++range;
    index_.push_back(range);
  }
  index_.push_back(static_cast<std::uint32_t>(end - 1));
}

template <typename Key>
typename AccessList::Ranges<Key>::Line AccessList::Ranges<Key>::line_of(Key first,
                                                                        std::uint32_t range) const {
  Line line;
  for (unsigned network = 0; network < 256; ++network) {
    const Key network_first = first | static_cast<Key>(network) << 8;
    while (range + 1 < firsts_.size() && firsts_[range + 1] <= network_first) ++range;
    const bool mixed = range + 1 < firsts_.size() && firsts_[range + 1] <= (network_first | 0xFFU);
    const std::uint64_t answer = mixed ? kMixed : static_cast<unsigned>(allowed(range));
    line.words[network / 32] |= answer << 2 * (network % 32);
  }
  return line;
}

// Without branches on the address where it counts: nobody's traffic can be made slow to look up.
template <typename Key>
bool AccessList::Ranges<Key>::search(const Block& b, Key address) const noexcept {
  const auto part = static_cast<std::size_t>((address & ((Key{1} << kBlockShift) - 1)) >> b.shift);
  const std::uint32_t* const entry = index_.data() + b.index + part;
  std::size_t at = entry[0];  // its range starts at or before the address
  for (std::size_t left = entry[1] + 1 - at; left > 1;) {
    const std::size_t half = left / 2;
    at += firsts_[at + half] <= address ? half : 0;
    left -= half;
  }
  return allowed(at);
}

bool AccessList::allows_v6(const IpAddress& address) const noexcept {
  const auto words = halves(address);
  return allows_v6(words[0], words[1]);
}

template class AccessList::Ranges<std::uint32_t>;
template class AccessList::Ranges<unsigned __int128>;

}  // namespace wiretime::ntp
