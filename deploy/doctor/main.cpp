// SPDX-License-Identifier: BSD-3-Clause
// wiretime-doctor: tells an operator what this host and its network cards can do, and what is in the way.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "control/config_parse.hpp"
#include "control/version.hpp"
#include "deploy/doctor/host_facts.hpp"
#include "deploy/doctor/judge_host.hpp"
#include "deploy/doctor/judge_nic.hpp"
#include "deploy/doctor/nic_look.hpp"
#include "deploy/doctor/options.hpp"
#include "deploy/doctor/print.hpp"
#include "deploy/doctor/small_files.hpp"
#include "os/terminal.hpp"

namespace {

using namespace wiretime;
using namespace wiretime::doctor;

using Kind = server::DataplaneConfig::Kind;

Build this_build() {
  Build build;
#ifdef WIRETIME_DPDK_VERSION
  build.dpdk = true;
  build.dpdk_version = WIRETIME_DPDK_VERSION;
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

const server::DataplaneConfig* port_of(const control::Settings& settings, const NicFacts& nic) {
  for (const auto& port : settings.dataplanes)
    if (port.device == nic.name || (port.kind == Kind::pci && port.device == nic.pci)) return &port;
  return nullptr;
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

void look_at_cards(const Options& options, const HostFacts& host, const Purpose& purpose, const Build& build,
                   Findings& out) {
  std::vector<NicFacts> ports;
  for (const auto& port : purpose.settings.dataplanes) ports.push_back(facts_of(port, host.kernel));
  append(out, judge_ports(ports, host, purpose));
  std::vector<NicFacts> cards = ports;
  if (!options.cards.empty() || ports.empty()) {
    cards.clear();
    for (const std::string& name : options.cards.empty() ? all_cards() : options.cards)
      cards.push_back(look_at_card(name, host.kernel));
  }
  if (cards.empty())
    out.push_back(
        {Level::note, "host", "cards", "no network card here, and no veth", "see `ip -brief link`"});
  for (const NicFacts& nic : cards)
    append(out, judge_nic(nic, port_of(purpose.settings, nic), host, purpose, build));
}

Findings look(const Options& options) {
  Findings out;
  const Configuration configuration = read_configuration(options, out);
  const Purpose purpose{configuration.config, configuration.read};
  const Build build = this_build();
  const HostFacts host = read_host_facts();
  append(out, judge_host(host, purpose, build));
  append(out, judge_neighbours(host, udp_port_holders(configuration.config.port), purpose));
  look_at_cards(options, host, purpose, build, out);
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
  const Findings findings = look(*options);
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
