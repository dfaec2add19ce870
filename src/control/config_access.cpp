// SPDX-License-Identifier: BSD-3-Clause
// allow, deny, cmdallow and cmddeny: [all] [ADDRESS[/BITS] | PARTIAL-IPV4[/BITS] | HOST].
#include "control/config_directives.hpp"

namespace wiretime::control {

namespace {

constexpr std::string_view kExpected = "an address, a subnet such as 192.0.2.0/24 or 10.20, or a host name";

struct Ipv4Part {
  std::uint32_t host_order = 0;
  unsigned bits = 0;  // 8 for each part written
};

// One to four decimal numbers with dots between: 10.20 stands for 10.20.0.0/16.
std::optional<Ipv4Part> parse_partial_ipv4(std::string_view text) {
  Ipv4Part result;
  for (unsigned part = 0; part < 4; ++part) {
    const std::size_t dot = text.find('.');
    const auto number = text.substr(0, dot);
    const auto value = parse_natural(number);
    if (!value || *value > 255 || number.size() > 3) return std::nullopt;
    result.host_order |= static_cast<std::uint32_t>(*value) << (24 - 8 * part);
    result.bits += 8;
    if (dot == std::string_view::npos) return result;
    text.remove_prefix(dot + 1);
  }
  return std::nullopt;
}

std::optional<IpPrefix> parse_subnet(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto base = text.substr(0, slash);
  IpAddress address;
  unsigned bits = 0;
  if (const auto part = parse_partial_ipv4(base)) {
    address = IpAddress::v4(part->host_order);
    bits = part->bits;
  } else if (const auto v6 = IpAddress::parse(base); v6 && v6->family == Family::ipv6) {
    address = *v6;
    bits = address.bit_length();
  } else {
    return std::nullopt;
  }
  if (slash != std::string_view::npos) {
    const auto given = parse_natural(text.substr(slash + 1));
    if (!given || *given > 128) return std::nullopt;
    bits = static_cast<unsigned>(*given);
  }
  return IpPrefix::of(address, bits);
}

void read_rule(Arguments& args, std::vector<AccessRule>& rules, bool allow) {
  AccessRule rule;
  rule.allow = allow;
  rule.all = args.take("all");
  if (!args.at_end()) {
    const std::string text = args.word(kExpected);
    rule.prefix = parse_subnet(text);
    if (!rule.prefix && is_host(text) && !equal_ignoring_case(text, "all")) rule.name = text;
    if (!rule.prefix && rule.name.empty()) args.reject(kExpected);
  }
  rules.push_back(std::move(rule));
}

}  // namespace

std::span<const Directive> access_directives() {
  static constexpr Directive kRows[] = {
      {"allow", [](Arguments& a, Settings& s) { read_rule(a, s.access_rules, true); }, Effect::now,
       Repeat::accumulate},
      {"deny", [](Arguments& a, Settings& s) { read_rule(a, s.access_rules, false); }, Effect::now,
       Repeat::accumulate},
      {"cmdallow", [](Arguments& a, Settings& s) { read_rule(a, s.command_access_rules, true); }, Effect::now,
       Repeat::accumulate},
      {"cmddeny", [](Arguments& a, Settings& s) { read_rule(a, s.command_access_rules, false); }, Effect::now,
       Repeat::accumulate},
  };
  return kRows;
}

}  // namespace wiretime::control
