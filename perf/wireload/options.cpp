// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/options.hpp"

#include <fmt/format.h>
#include <getopt.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "control/config_directives.hpp"
#include "control/config_tokens.hpp"
#include "perf/wireload/values.hpp"

namespace wiretime::load {

namespace {

using control::quoted;

// What one option does with its argument; what it expected when it does not like it.
struct Row {
  const char* name;
  const char* expected;  // null: takes no argument
  bool (*read)(std::string_view text, Options& options);
  Result<void> (*tell)(std::string_view text, Options& options) = nullptr;  // instead: has errors of its own
};

template <typename T, typename U>
bool assign(T& target, std::optional<U> value) {
  if (value) target = static_cast<T>(*std::move(value));
  return value.has_value();
}

// The last one counts.
bool set_mode(Options& o, Mode mode) {
  o.mode = mode;
  o.rate = 0;
  o.overload = 0;
  o.window = 0;
  return true;
}

std::optional<net::MacAddress> parse_mac(std::string_view text) {
  net::MacAddress mac{};
  if (text.size() != 17) return std::nullopt;
  for (std::size_t i = 0; i < mac.size(); ++i) {
    unsigned value = 0;
    const char* const at = text.data() + 3 * i;
    if (std::from_chars(at, at + 2, value, 16).ptr != at + 2) return std::nullopt;
    if (i + 1 < mac.size() && at[2] != ':') return std::nullopt;
    mac[i] = static_cast<std::byte>(value);
  }
  return (std::to_integer<unsigned>(mac[0]) & 1U) != 0 ? std::nullopt : std::optional{mac};
}

std::optional<IpPrefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address || address->is_multicast() || address->is_loopback()) return std::nullopt;
  if (slash == std::string_view::npos) return IpPrefix::of(*address, address->bit_length());
  const auto bits = control::parse_natural(text.substr(slash + 1));
  if (!bits || *bits < 1 || *bits > 128) return std::nullopt;
  return IpPrefix::of(*address, static_cast<unsigned>(*bits));
}

std::optional<IpAddress> parse_host(std::string_view text) {
  const auto address = IpAddress::parse(text);
  const bool is_host =
      address && !address->is_unspecified() && !address->is_multicast() && !address->is_loopback();
  return is_host ? address : std::nullopt;
}

template <typename T>
std::optional<T> parse_between(std::string_view text, std::uint64_t low, std::uint64_t high) {
  const auto value = parse_count(text);
  if (!value || *value < low || *value > high) return std::nullopt;
  return static_cast<T>(*value);
}

bool read_hugepages(std::string_view text, Options& o) {
  using server::Hugepages;
  for (const auto& [word, value] : {std::pair{"on", Hugepages::on}, std::pair{"off", Hugepages::off},
                                    std::pair{"auto", Hugepages::automatic}}) {
    if (text != word) continue;
    o.hugepages = value;
    return true;
  }
  return false;
}

bool read_check(std::string_view text, Options& o) {
  if (text == "auto") return true;
  if (text == "all") return assign(o.check, std::optional{1.0});
  const auto share = parse_share(text);
  return share && *share > 0 && assign(o.check, share);
}

bool read_clock_bound(std::string_view text, Options& o) {
  if (text == "off") return o.clock_bound.reset(), true;
  return assign(o.clock_bound, parse_time(text));
}

Result<void> read_port(std::string_view text, Options& o) {
  auto port = control::parse_port(text, "--port");
  if (!port) return tl::make_unexpected(port.error());
  if (o.port.vlan && !port->vlan) port->vlan = o.port.vlan;
  o.port = std::move(*port);
  o.port_text = text;
  return {};
}

Result<void> read_mix(std::string_view text, Options& o) {
  auto mix = Mix::parse(text);
  if (!mix) return fail("--mix: " + mix.error().message);
  o.mix = *mix;
  return {};
}

constexpr unsigned kMostWindow = 1U << 16;
constexpr std::chrono::seconds kLongestWait{8};  // less than Verifier::kOldest

constexpr const char* kPortWords = "the words of a dataplane line, such as 'af_xdp eth1'";

constexpr Row kRows[] = {
    {"port", kPortWords, nullptr, read_port},
    {"to", "the server's numeric address", [](auto t, Options& o) { return assign(o.to, parse_host(t)); }},
    {"from", "a prefix such as 10.20.0.0/16 or 2001:db8:1::/48",
     [](auto t, Options& o) { return assign(o.from, parse_prefix(t)); }},
    {"clients", "a number from 1 to 16777216, such as 1M",
     [](auto t, Options& o) {
       return assign(o.clients, parse_between<std::uint32_t>(t, 1, Clients::kMost));
     }},
    {"server-port", "a UDP port",
     [](auto t, Options& o) { return assign(o.server_port, parse_between<std::uint16_t>(t, 1, 65535)); }},
    {"server-mac", "a unicast MAC address such as 02:00:00:00:00:01",
     [](auto t, Options& o) { return assign(o.server_mac, parse_mac(t)); }},
    {"gateway", "the numeric address of a router",
     [](auto t, Options& o) { return assign(o.gateway, parse_host(t)); }},
    {"address", "a numeric address of our own",
     [](auto t, Options& o) {
       const auto address = parse_host(t);
       if (address) o.addresses.push_back(*address);
       return address.has_value();
     }},
    {"vlan", "a VLAN number from 1 to 4094",
     [](auto t, Options& o) { return assign(o.port.vlan, parse_between<std::uint16_t>(t, 1, 4094)); }},
    {"cpu", "a CPU number",
     [](auto t, Options& o) {
       const auto cpu = control::parse_natural(t);
       return cpu && *cpu <= 4096 && assign(o.cpu, cpu);
     }},
    {"hugepages", "on, off or auto", read_hugepages},
    {"sweep", "FROM:TO:xFACTOR or FROM:TO:+STEP, such as 10k:5M:x1.5",
     [](auto t, Options& o) { return set_mode(o, Mode::sweep) && assign(o.sweep, Sweep::parse(t)); }},
    {"rate", "requests a second, such as 1.5M",
     [](auto t, Options& o) { return set_mode(o, Mode::rate) && assign(o.rate, parse_quantity(t)); }},
    {"flood", nullptr, [](auto, Options& o) { return set_mode(o, Mode::flood); }},
    {"overload", "how many times what a flood is answered, such as 2",
     [](auto t, Options& o) { return set_mode(o, Mode::overload) && assign(o.overload, parse_quantity(t)); }},
    {"window", "a number of requests under way, 1 to 65536",
     [](auto t, Options& o) {
       return set_mode(o, Mode::window) && assign(o.window, parse_between<unsigned>(t, 1, kMostWindow));
     }},
    {"step", "a time such as 2s", [](auto t, Options& o) { return assign(o.step, parse_time(t)); }},
    {"repeat", "a number of times, 1 to 10000",
     [](auto t, Options& o) { return assign(o.repeat, parse_between<unsigned>(t, 1, 10000)); }},
    {"probe", nullptr, [](auto, Options& o) { return o.probe = true; }},
    {"wait", "a time such as 1s, at most 8s",
     [](auto t, Options& o) {
       const auto time = parse_time(t);
       return time && *time <= kLongestWait && assign(o.wait, time);
     }},
    {"time", "a time such as 30s", [](auto t, Options& o) { return assign(o.time, parse_time(t)); }},
    {"interleaved", nullptr, [](auto, Options& o) { return o.interleaved = true; }},
    {"mix", "shares such as malformed=5%,short=1%", nullptr, read_mix},
    {"reflector", nullptr, [](auto, Options& o) { return o.reflector = true; }},
    {"check", "a share such as 1/8, all or auto", read_check},
    {"clock-bound", "a time such as 100ms, or off", read_clock_bound},
    {"seed", "a whole number", [](auto t, Options& o) { return assign(o.seed, control::parse_natural(t)); }},
    {"require-loss-below", "a share such as 0.1%",
     [](auto t, Options& o) { return assign(o.require_loss_below, parse_share(t)); }},
    {"label", "a name", [](auto t, Options& o) { return o.label = t, true; }},
    {"json", "a file name", [](auto t, Options& o) { return o.json_file = t, !t.empty(); }},
    {"plot", "a file name", [](auto t, Options& o) { return o.plot_file = t, !t.empty(); }},
    {"help", nullptr, [](auto, Options& o) { return o.action = Options::Action::print_help, true; }},
    {"version", nullptr, [](auto, Options& o) { return o.action = Options::Action::print_version, true; }},
};

Result<void> read_row(const Row& row, std::string_view text, Options& o) {
  if (row.tell != nullptr) return row.tell(text, o);
  if (row.read(text, o)) return {};
  return fail(fmt::format("--{}: expected {}, found {}", row.name, row.expected, quoted(text)));
}

Result<void> complete(Options& o) {
  constexpr std::string_view kNothing = "found nothing";
  if (o.port_text.empty()) return fail(fmt::format("--port: expected {}, {}", kPortWords, kNothing));
  if (o.to.family == Family::unspecified)
    return fail(fmt::format("--to: expected the server's numeric address, {}", kNothing));
  if (o.from.address.family == Family::unspecified)
    return fail(fmt::format("--from: expected a prefix for the clients, such as 10.20.0.0/16, {}", kNothing));
  const auto expect_family = [&](std::string_view option, const IpAddress& a) -> Result<void> {
    if (a.family == o.to.family) return {};
    return fail(fmt::format("--{}: expected an {} address like --to's, found {}", option,
                            o.to.family == Family::ipv6 ? "IPv6" : "IPv4", a.to_string()));
  };
  if (auto same = expect_family("from", o.from.address); !same) return same;
  if (o.gateway)
    if (auto same = expect_family("gateway", *o.gateway); !same) return same;
  if (o.port.queues != 1) return fail("--port: expected one queue, which is what one core serves");
  if (o.mode == Mode::window && o.check.value_or(1) < 1)
    return fail("--check: expected all with --window, which counts every reply");
  if (o.mode == Mode::window && !o.mix.empty())
    return fail("--mix: expected a mode other than --window, where every packet waits for its answer");
  if (o.probe && !o.mix.empty())
    return fail("--mix: expected no --probe, whose packets wait for their answers");
  if (o.reflector && (o.interleaved || !o.mix.empty()))
    return fail("--reflector: expected neither --interleaved nor --mix, since all of it comes back unread");
  if (o.interleaved && o.check.value_or(1) < 1)
    return fail("--check: expected all with --interleaved, which needs every reply's timestamps");
  for (const auto& gateway : o.port.gateways)
    if (!o.gateway && gateway.family == o.to.family) o.gateway = gateway;
  for (const auto& own : o.port.addresses) o.addresses.push_back(own.address);
  if (o.clients == 0) {
    const unsigned host_bits = o.from.address.bit_length() - o.from.length;
    o.clients = std::min(1U << 20, std::max(1U, (1U << std::min(host_bits, 20U)) - 2U));
    if (host_bits < 2) o.clients = 1;
  }
  return {};
}

}  // namespace

std::string_view name(Mode mode) noexcept {
  constexpr std::array<std::string_view, 5> kNames{"sweep", "rate", "flood", "overload", "window"};
  return kNames[static_cast<std::size_t>(mode)];
}

std::optional<Sweep> Sweep::parse(std::string_view text) {
  const std::size_t first = text.find(':');
  const std::size_t second = text.find(':', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || second + 2 > text.size()) return std::nullopt;
  const auto from = parse_quantity(text.substr(0, first));
  const auto to = parse_quantity(text.substr(first + 1, second - first - 1));
  const auto by = parse_quantity(text.substr(second + 2));
  if (!from || !to || !by || *to < *from) return std::nullopt;
  if (text[second + 1] == 'x' && *by >= 1.01) return Sweep{*from, *to, *by, 0};
  if (text[second + 1] == '+' && *by >= (*to - *from) / 1000) return Sweep{*from, *to, 0, *by};
  return std::nullopt;
}

std::vector<double> Sweep::rates() const {
  constexpr double kSlack = 1.0000001;  // 10k:1M:x10 includes 1 M
  std::vector<double> rates;
  for (double rate = first; rate <= last * kSlack; rate = factor > 0 ? rate * factor : rate + add)
    rates.push_back(rate);
  return rates;
}

Result<Options> parse_options(std::span<const std::string> arguments) {
  std::vector<std::string> storage{"wireload"};
  storage.insert(storage.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& s : storage) argv.push_back(s.data());
  argv.push_back(nullptr);
  std::vector<option> long_options;
  for (const Row& row : kRows)
    long_options.push_back(
        {row.name, row.expected != nullptr ? 1 : 0, nullptr, static_cast<int>(&row - kRows)});
  long_options.push_back({});

  Options options;
  const auto argc = static_cast<int>(storage.size());
  opterr = 0;
  optind = 0;
  int index = 0;
  for (int code = 0; (code = getopt_long(argc, argv.data(), "+:h", long_options.data(), &index)) != -1;) {
    const std::string word =
        optind > 0 && optind <= argc ? storage[static_cast<std::size_t>(optind) - 1] : "";
    if (code == ':')
      return fail(
          fmt::format("{}: expected {}, found the end of the command line", word, kRows[optopt].expected));
    if (code == '?') return fail(fmt::format("expected an option that --help lists, found {}", quoted(word)));
    const std::string_view text = optarg != nullptr ? optarg : "";
    if (code == 'h')
      options.action = Options::Action::print_help;
    else if (auto read = read_row(kRows[code], text, options); !read)
      return tl::make_unexpected(read.error());
    if (options.action != Options::Action::run) return options;
  }
  if (optind < argc)
    return fail(fmt::format("expected an option that --help lists, found {}",
                            quoted(storage[static_cast<std::size_t>(optind)])));
  if (auto whole = complete(options); !whole) return tl::make_unexpected(whole.error());
  return options;
}

}  // namespace wiretime::load
