// SPDX-License-Identifier: BSD-3-Clause
// Our own directives: data planes, CPUs, hugepages.
#include <fmt/format.h>

#include <algorithm>

#include "control/config_directives.hpp"
#include "control/config_options.hpp"

namespace wiretime::control {

namespace {

using server::DataplaneConfig;
using server::Hugepages;
using server::InterfaceAddress;
using server::WorkerIdle;
using Kind = DataplaneConfig::Kind;

constexpr unsigned kMaxQueues = 128;
constexpr unsigned kMaxWorkers = 128;
constexpr unsigned kMaxCpu = 1023;

// ADDRESS/BITS; the host bits stay: they are who we are on that wire.
void read_address(Arguments& args, DataplaneConfig& plane) {
  constexpr std::string_view kExpected = "our address on that wire with its subnet, such as 192.0.2.1/24";
  const std::string text = args.word(kExpected);
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(std::string_view{text}.substr(0, slash));
  const auto bits = slash == std::string::npos ? std::nullopt : parse_natural(text.substr(slash + 1));
  if (!address || !bits || *bits < 1 || *bits > address->bit_length() || address->is_unspecified() ||
      address->is_multicast() || address->is_loopback()) {
    args.reject(kExpected);
    return;
  }
  const auto same = [&](const InterfaceAddress& known) { return known.address == *address; };
  if (std::any_of(plane.addresses.begin(), plane.addresses.end(), same)) args.reject("each address once");
  plane.addresses.push_back({*address, static_cast<unsigned>(*bits)});
}

void read_gateway(Arguments& args, DataplaneConfig& plane) {
  const IpAddress gateway = args.address();
  if (args.error()) return;
  const auto same = [&](const IpAddress& known) { return known.family == gateway.family; };
  if (gateway.is_unspecified() || gateway.is_multicast() || gateway.is_loopback())
    args.reject("the address of a router");
  if (std::any_of(plane.gateways.begin(), plane.gateways.end(), same))
    args.reject("one gateway for each address family");
  plane.gateways.push_back(gateway);
}

constexpr Option<DataplaneConfig> kQueues{
    "queues", [](Arguments& a, DataplaneConfig& d) { d.queues = a.integer<unsigned>(1, kMaxQueues); }};
constexpr Option<DataplaneConfig> kAddress{"address", read_address, true};
constexpr Option<DataplaneConfig> kGateway{"gateway", read_gateway, true};
constexpr Option<DataplaneConfig> kVlan{
    "vlan", [](Arguments& a, DataplaneConfig& d) { d.vlan = a.integer<std::uint16_t>(1, 4094); }};
constexpr Option<DataplaneConfig> kRole{
    "role", [](Arguments& a, DataplaneConfig& d) {
      using Role = DataplaneConfig::MemifRole;
      d.memif_role = a.one_of<Role>({{"server", Role::server}, {"client", Role::client}});
    }};

// The kernel takes a name with % for a pattern.
void read_kernel_interface(Arguments& args, DataplaneConfig& plane) {
  constexpr std::string_view kExpected = "off, or a name for the kernel's interface such as wt0";
  const std::string text = args.word(kExpected);
  if (!is_interface_name(text) || text.find('%') != std::string::npos) args.reject(kExpected);
  plane.kernel_interface = equal_ignoring_case(text, "off") ? "" : text;
}
constexpr Option<DataplaneConfig> kKernel{"kernel", read_kernel_interface};

constexpr Option<DataplaneConfig> kPhc{
    "phc", [](Arguments& a, DataplaneConfig& d) {
      using clock::NicRole;
      d.phc = a.one_of<NicRole>({{"free", NicRole::free}, {"utc", NicRole::utc}, {"tai", NicRole::tai}});
    }};

constexpr Option<DataplaneConfig> kXdpOptions[] = {kQueues, kPhc};
constexpr Option<DataplaneConfig> kPacketOptions[] = {kPhc};
constexpr Option<DataplaneConfig> kPciOptions[] = {kAddress, kGateway, kVlan, kQueues, kPhc, kKernel};
constexpr Option<DataplaneConfig> kMemifOptions[] = {kRole, kAddress, kGateway, kVlan, kQueues, kKernel};
constexpr Option<DataplaneConfig> kVdevOptions[] = {kAddress, kGateway, kVlan, kQueues, kKernel};

std::span<const Option<DataplaneConfig>> options_of(Kind kind) {
  switch (kind) {
    case Kind::af_xdp:
      return kXdpOptions;
    case Kind::af_packet:
      return kPacketOptions;
    case Kind::pci:
      return kPciOptions;
    case Kind::memif:
      return kMemifOptions;
    case Kind::vdev:
      return kVdevOptions;
  }
  return {};
}

std::string read_device(Arguments& args, Kind kind) {
  switch (kind) {
    case Kind::af_xdp:
    case Kind::af_packet:
      return args.interface();
    case Kind::pci: {
      constexpr std::string_view kExpected = "a PCI address such as 0000:3b:00.0";
      const auto address = parse_pci_address(args.word(kExpected));
      if (!address) args.reject(kExpected);
      return address.value_or("");
    }
    case Kind::memif: {
      constexpr std::string_view kExpected = "the absolute path of a socket, at most 107 characters";
      const std::string path = args.word(kExpected);
      if (path.empty() || path.front() != '/' || path.size() > 107) args.reject(kExpected);
      return path;
    }
    case Kind::vdev: {
      constexpr std::string_view kExpected = "a DPDK device such as net_tap0,iface=tap0";
      const std::string device = args.word(kExpected);
      if (device.substr(0, 4) != "net_" || device.size() == 4) args.reject(kExpected);
      return device;
    }
  }
  return {};
}

// A gateway has to be a neighbour; an IPv6 one may be link-local whatever our addresses are.
bool is_reachable(const IpAddress& gateway, const std::vector<InterfaceAddress>& addresses) {
  const auto link_local = IpPrefix::of(*IpAddress::parse("fe80::"), 10);
  if (link_local->contains(gateway)) return true;
  return std::any_of(addresses.begin(), addresses.end(), [&](const InterfaceAddress& own) {
    const auto subnet = IpPrefix::of(own.address, own.prefix_length);
    return subnet && subnet->contains(gateway);
  });
}

// The words of a line but for what depends on other lines.
DataplaneConfig read_plane(Arguments& args, bool needs_address) {
  DataplaneConfig plane;
  plane.kind = args.one_of<Kind>({{"af_xdp", Kind::af_xdp},
                                  {"af_packet", Kind::af_packet},
                                  {"pci", Kind::pci},
                                  {"memif", Kind::memif},
                                  {"vdev", Kind::vdev}});
  plane.device = read_device(args, plane.kind);
  read_options<DataplaneConfig>(args, plane, options_of(plane.kind));
  if (needs_address && !plane.kernel_owns_port() && plane.addresses.empty())
    args.word("\"address\" and our address on that wire, such as address 192.0.2.1/24");
  for (const auto& gateway : plane.gateways)
    if (!is_reachable(gateway, plane.addresses))
      args.reject_value("a gateway inside the subnet of one of the addresses", gateway.to_string());
  return plane;
}

void read_dataplane(Arguments& args, Settings& settings) {
  DataplaneConfig plane = read_plane(args, true);
  for (const auto& other : settings.dataplanes)
    if (other.device == plane.device)
      args.reject_value("each device in one dataplane line", plane.device);
    else if (!plane.kernel_interface.value_or("").empty() && other.kernel_interface == plane.kernel_interface)
      args.reject_value("each kernel interface in one dataplane line", *plane.kernel_interface);
  settings.dataplanes.push_back(std::move(plane));
}

// 2-5,8
std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text) {
  std::vector<unsigned> cpus;
  while (true) {
    const std::size_t comma = text.find(',');
    const auto range = text.substr(0, comma);
    const std::size_t dash = range.find('-');
    const auto first = parse_natural(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_natural(range.substr(dash + 1));
    if (!first || !last || *last < *first || *last > kMaxCpu) return std::nullopt;
    for (auto cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<unsigned>(cpu));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::sort(cpus.begin(), cpus.end());
  return cpus;
}

void read_worker_cpus(Arguments& args, Settings& settings) {
  constexpr std::string_view kExpected = "CPU numbers such as 2-5,8";
  const auto cpus = parse_cpu_list(args.word(kExpected));
  if (!cpus) {
    args.reject(kExpected);
    return;
  }
  if (std::adjacent_find(cpus->begin(), cpus->end()) != cpus->end()) args.reject("each CPU once");
  if (cpus->size() > kMaxWorkers) args.reject(fmt::format("at most {} CPUs", kMaxWorkers));
  settings.worker_cpus = *cpus;
}

}  // namespace

std::optional<std::string> parse_pci_address(std::string_view text) {
  std::string address = lower_case(text);
  constexpr std::string_view kShort = "xx:xx.x";
  constexpr std::string_view kShape = "xxxx:xx:xx.x";
  if (address.size() == kShort.size()) address.insert(0, "0000:");
  if (address.size() != kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const char c = address[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (kShape[i] == 'x' ? !hex : c != kShape[i]) return std::nullopt;
  }
  return address;
}

Result<server::DataplaneConfig> parse_port(std::string_view text, std::string_view option) {
  std::vector<std::string> words = split_words(text);
  words.insert(words.begin(), std::string{option});
  Arguments args{option, std::move(words)};
  DataplaneConfig port = read_plane(args, false);
  if (args.error()) return fail(*args.error());
  return port;
}

std::span<const Directive> dataplane_directives() {
  static constexpr Directive kRows[] = {
      {"dataplane", read_dataplane, Effect::now, Repeat::accumulate},
      {"workercpus", read_worker_cpus},
      {"controlcpu", [](Arguments& a, Settings& s) { s.control_cpu = a.integer<unsigned>(0, kMaxCpu); }},
      {"workeridle",
       [](Arguments& a, Settings& s) {
         s.worker_idle = a.one_of<WorkerIdle>({{"spin", WorkerIdle::spin}, {"nap", WorkerIdle::nap}});
       }},
      {"hugepages",
       [](Arguments& a, Settings& s) {
         s.hugepages = a.one_of<Hugepages>(
             {{"on", Hugepages::on}, {"off", Hugepages::off}, {"auto", Hugepages::automatic}});
       }},
  };
  return kRows;
}

}  // namespace wiretime::control
