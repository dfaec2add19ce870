// SPDX-License-Identifier: BSD-3-Clause
// wiretime-doctor: tells an operator what this host and its network cards can do, and what is in the way.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "control/config_parse.hpp"
#include "control/nic_options.hpp"
#include "control/version.hpp"
#include "deploy/doctor/daemon.hpp"
#include "deploy/doctor/host_facts.hpp"
#include "deploy/doctor/judge_host.hpp"
#include "deploy/doctor/judge_nic.hpp"
#include "deploy/doctor/metrics_page.hpp"
#include "deploy/doctor/nic_look.hpp"
#include "deploy/doctor/options.hpp"
#include "deploy/doctor/print.hpp"
#include "deploy/doctor/small_files.hpp"
#include "os/tcp_client.hpp"
#include "os/terminal.hpp"
#ifdef WIRETIME_DPDK_VERSION
#include "data_plane_module.hpp"
#endif

namespace {

using namespace wiretime;
using namespace wiretime::doctor;

using Kind = server::DataplaneConfig::Kind;

Build this_build() {
  Build build;
#ifdef WIRETIME_DPDK_VERSION
  build.dpdk = true;
  build.dpdk_version = WIRETIME_DPDK_VERSION;
  if (const auto module = load_data_plane(); !module) build.module_error = module.error().message;
#ifdef WIRETIME_BPF
  build.xdp = true;
#endif
#endif
  return build;
}

struct Configuration {
  control::Config config{};
  bool read = false;
};

Configuration read_configuration(const Options& options, Findings& out) {
  const std::string file = options.config_file.value_or(std::string{control::kDefaultConfigFile});
  const auto say = [&](Level level, std::string what, std::string next) {
    out.push_back({level, "host", "configuration", std::move(what), std::move(next)});
  };
  if (!options.config_file && !is_there(file)) {
    say(Level::note, "there is no " + file + ": every card is looked at, as what it could be",
        "write one, or name yours with -f");
    return {};
  }
  auto parsed = control::parse_config_file(file, control::DiskReader{});
  if (!parsed) {
    say(Level::problem, parsed.error().message, "wiretimed does not start with it; mend it first");
    return {};
  }
  const std::size_t ports = parsed->dataplanes.size();
  say(Level::ok,
      ports == 0 ? file + ": no dataplane line, kernel sockets answer"
                 : fmt::format("{}: {} data plane port{}", file, ports, ports == 1 ? "" : "s"),
      "");
  for (const control::Warning& warning : parsed->warnings) say(Level::note, warning.to_string(), "");
  return {std::move(*parsed), true};
}

const server::DataplaneConfig* port_named(const control::Settings& settings, const std::string& name) {
  for (const auto& port : settings.dataplanes)
    if (port.device == name) return &port;
  return nullptr;
}

const server::DataplaneConfig* port_of(const control::Settings& settings, const NicFacts& nic) {
  const auto* const port = port_named(settings, nic.name);
  return port != nullptr || nic.pci.empty() ? port : port_named(settings, nic.pci);
}

void append(Findings& to, Findings from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

NicFacts facts_of(const server::DataplaneConfig& port, const std::string& release) {
  if (port.kernel_owns_port() || port.kind == Kind::pci) return look_at_card(port.device, release);
  NicFacts facts;
  facts.name = port.device;
  return facts;
}

struct Look {
  const Options& options;
  const HostFacts host;
  const Purpose purpose;
  const Build build;

  // Was it asked for?
  [[nodiscard]] bool concerns(const std::string& card) const {
    const auto& named = options.cards;
    return named.empty() || std::find(named.begin(), named.end(), card) != named.end();
  }
};

// The ports' cards, in the configuration's order.
std::vector<NicFacts> look_at_cards(const Look& look, Findings& out) {
  std::vector<NicFacts> ports;
  for (const auto& port : look.purpose.settings.dataplanes) ports.push_back(facts_of(port, look.host.kernel));
  append(out, judge_ports(ports, look.host, look.purpose));
  std::vector<NicFacts> cards = ports;
  if (!look.options.cards.empty() || ports.empty()) {
    cards.clear();
    for (const std::string& name : look.options.cards.empty() ? all_cards() : look.options.cards) {
      const auto* const port = port_named(look.purpose.settings, name);
      cards.push_back(port != nullptr ? facts_of(*port, look.host.kernel)
                                      : look_at_card(name, look.host.kernel));
    }
  }
  if (cards.empty())
    out.push_back(
        {Level::note, "host", "cards", "no network card here, and no veth", "see `ip -brief link`"});
  for (const NicFacts& nic : cards)
    append(out, judge_nic(nic, port_of(look.purpose.settings, nic), look.host, look.purpose, look.build));
  return ports;
}

Result<std::vector<Sample>> ask_for_metrics(const os::Endpoint& endpoint) {
  constexpr std::chrono::seconds kPatience{3};
  constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  const auto response =
      os::ask_tcp(endpoint, "GET /metrics HTTP/1.1\r\nHost: wiretimed\r\nConnection: close\r\n\r\n",
                  kPatience, kMostBytes);
  if (!response) return tl::make_unexpected(response.error());
  const auto page = body_of(*response);
  if (!page) return tl::make_unexpected(page.error());
  return read_metrics(*page);
}

os::Endpoint metrics_endpoint(const control::Settings& settings) {
  os::Endpoint endpoint{
      settings.metrics_addresses.empty() ? IpAddress::v4(0x7F000001) : settings.metrics_addresses.front(),
      settings.metrics_port};
  if (endpoint.address.is_unspecified())
    endpoint.address =
        endpoint.address.family == Family::ipv6 ? *IpAddress::parse("::1") : IpAddress::v4(0x7F000001);
  return endpoint;
}

// On which rungs the ports stand, beside those on which `nics` would.
void look_at_ports(const Look& look, const std::vector<NicFacts>& nics, const std::vector<Sample>& page,
                   Findings& out) {
  const auto& configured = look.purpose.settings.dataplanes;
  std::vector<PortNow> served = ports_now(page);
  for (std::size_t i = 0; i < configured.size(); ++i) {
    const auto& port = configured[i];
    const auto now =
        std::find_if(served.begin(), served.end(), [&](const PortNow& p) { return p.name == port.device; });
    if (!look.concerns(port.device)) continue;
    if (now == served.end()) {
      out.push_back(
          {Level::warning, port.device, "port", "wiretimed runs without this dataplane line", "restart it"});
      continue;
    }
    const bool refused =
        control::nic_options(look.purpose.settings.hw_timestamps, port).options.no_receive_stamps;
    append(out, judge_port_now(*now, outlook(port.kind, nics[i], look.host, look.build, refused)));
    served.erase(now);
  }
  // Of a configuration that has changed since.
  for (const PortNow& now : served)
    if (look.concerns(now.name) && port_named(look.purpose.settings, now.name) == nullptr)
      append(out, judge_port_now(now, {}));
}

void look_at_daemon(const Look& look, const std::vector<NicFacts>& nics, Findings& out) {
  const auto say = [&](Level level, std::string what, std::string next) {
    out.push_back({level, "wiretimed", "process", std::move(what), std::move(next)});
  };
  const auto pid = look.host.wiretimed_runs();
  if (!pid) return say(Level::note, "does not run here: the rungs above are what is to be expected", "");
  const control::Settings& settings = look.purpose.settings;
  if (settings.metrics_port == 0)
    return say(Level::note,
               fmt::format("runs (pid {}); on which rungs its ports stand now is only in its log", *pid),
               look.purpose.configured ? "add `metricsport 9123` to the configuration"
                                       : "name its configuration with -f");
  say(Level::ok, fmt::format("runs (pid {})", *pid), "");
  const os::Endpoint endpoint = metrics_endpoint(settings);
  const auto page = ask_for_metrics(endpoint);
  const std::vector<Sample> samples = page ? *page : std::vector<Sample>{};
  append(out, judge_daemon(samples, endpoint.to_string(), page ? "no metrics" : page.error().message));
  look_at_ports(look, nics, samples, out);
}

Findings look_around(const Options& options) {
  Findings out;
  const Configuration configuration = read_configuration(options, out);
  const Look look{options, read_host_facts(), {configuration.config, configuration.read}, this_build()};
  append(out, judge_host(look.host, look.purpose, look.build));
  append(out, judge_neighbours(look.host, udp_port_holders(configuration.config.port), look.purpose));
  const std::vector<NicFacts> ports = look_at_cards(look, out);
  look_at_daemon(look, ports, out);
  return out;
}

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int run(const std::vector<std::string>& arguments) {
  const auto options = parse_options(arguments);
  if (!options) {
    std::fprintf(stderr, "wiretime-doctor: %s\n", options.error().message.c_str());
    return 2;
  }
  if (options->action == Options::Action::print_help) return print(help_text());
  if (options->action == Options::Action::print_version)
    return print(fmt::format("wiretime-doctor (wiretime) version {}\n", control::version()));
  const Findings findings = look_around(*options);
  const int printed = print(options->json ? to_json(findings) : to_text(findings, os::colours_wanted()));
  return printed != 0 ? printed : exit_status(findings);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::vector<std::string>(argv + (argc > 0), argv + argc));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "wiretime-doctor: %s\n", e.what());
    return 1;
  }
}
