// SPDX-License-Identifier: BSD-3-Clause
#include "control/policy.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wiretime::control {

Result<ntp::AccessRules> access_rules(const std::vector<AccessRule>& rules, const Resolve& resolve) {
  std::vector<ntp::AccessChange> changes;
  changes.reserve(rules.size());
  for (const AccessRule& rule : rules) {
    if (rule.prefix) {
      changes.push_back({*rule.prefix, rule.allow, rule.all});
    } else if (rule.name.empty()) {
      const auto everywhere = ntp::AccessRules::everywhere(rule.allow, rule.all);
      changes.insert(changes.end(), everywhere.begin(), everywhere.end());
    } else {
      const auto addresses = resolve(rule.name);
      if (!addresses)
        return fail(fmt::format("cannot apply '{} {}': {}", rule.allow ? "allow" : "deny", rule.name,
                                addresses.error().message));
      for (const IpAddress& a : *addresses)
        changes.push_back({*IpPrefix::of(a, a.bit_length()), rule.allow, rule.all});
    }
  }
  ntp::AccessRules out;
  out.apply(changes);
  return out;
}

bool has_sources(const Settings& s) {
  return !s.sources.empty() || !s.directory_sources.empty() || !s.refclocks.empty() ||
         !s.init_step_slew.hosts.empty();
}

bool controls_clock(const Settings& s) {
  return has_sources(s) || s.manual;
}

std::chrono::seconds default_orphan_wait(const Settings& settings) {
  return std::chrono::seconds{has_sources(settings) ? 300 : 0};
}

clock::LocalConfig local_config(const Settings& settings) {
  const LocalReference& from = settings.local;
  clock::LocalConfig local;
  local.enabled = from.enabled;
  local.stratum = static_cast<std::uint8_t>(from.stratum);
  local.orphan = from.orphan;
  local.distance = from.distance;
  local.activate = from.activate;
  local.wait_synced = from.waitsynced;
  if (from.waitunsynced_given)
    local.wait_unsynced = from.waitunsynced;
  else if (from.orphan)
    local.wait_unsynced = default_orphan_wait(settings);
  return local;
}

ClientCapacities client_capacities(const Settings& settings) {
  using ntp::ClientTable;
  constexpr std::size_t kKernelShare = 16;
  if (settings.no_client_log) return {};
  const std::size_t workers = std::max<std::size_t>(settings.worker_cpus.size(), 1);
  std::size_t tables = 0;
  for (const auto& port : settings.dataplanes) tables += std::min<std::size_t>(port.queues, workers);

  ntp::ClientCapacity kernel{std::size_t{1} << 16, std::size_t{1} << 14};
  ntp::ClientCapacity all_workers{std::size_t{1} << 20, std::size_t{1} << 18};
  if (settings.client_log_limit) {
    // Half of the bytes for each family.
    const auto half = static_cast<std::size_t>(*settings.client_log_limit) / 2;
    const ntp::ClientCapacity all{half / ClientTable::kBytesPerIpv4Client,
                                  half / ClientTable::kBytesPerIpv6Client};
    kernel = tables == 0 ? all : ntp::ClientCapacity{all.ipv4 / kKernelShare, all.ipv6 / kKernelShare};
    all_workers = {all.ipv4 - kernel.ipv4, all.ipv6 - kernel.ipv6};
  }
  if (tables == 0) return {kernel, {}};
  return {kernel, {all_workers.ipv4 / tables, all_workers.ipv6 / tables}};
}

ntp::RateLimit ntp_rate_limit(const RateLimit& configured) {
  if (!configured.enabled) return {};
  return ntp::RateLimit::of({configured.interval, configured.burst, configured.leak, configured.kod});
}

Config config_for_once(const Config& config, Options::Once once) {
  Config c = config;
  c.port = 0;
  c.access_rules.clear();
  c.command_port = 0;
  c.command_socket.clear();
  c.metrics_port = 0;
  c.dataplanes.clear();
  c.warnings.clear();  // they are about the service
  if (once == Options::Once::report_offset) c.pid_file.clear();
  return c;
}

status::OpenCommands open_commands(const Settings& settings) {
  if (!settings.open_commands) return status::OpenCommands::stable();
  status::OpenCommands open;
  for (const std::string& command : *settings.open_commands)
    open.add(command);  // names were checked when parsed
  return open;
}

}  // namespace wiretime::control
