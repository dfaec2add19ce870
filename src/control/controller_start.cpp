// SPDX-License-Identifier: BSD-3-Clause
// The controller's start: which sockets are opened, which failures matter, and what the log says is served.
#include "control/controller.hpp"

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string join(const std::vector<os::Endpoint>& endpoints) {
  std::vector<std::string> texts;
  for (const os::Endpoint& e : endpoints) texts.push_back(e.to_string());
  return join(texts);
}

}  // namespace

bool Controller::family_wanted(Family family) const {
  return environment_.only == Family::unspecified || environment_.only == family;
}

Result<void> Controller::note_or_fail(const os::SocketResult<void>& opened, const IpAddress& address) {
  using Kind = os::SocketError::Kind;
  if (opened) return {};
  const bool v6 = address.family == Family::ipv6;
  // With IPv6 switched off by sysctl the family exists, but not even ::1 does.
  const bool missing = opened.error().kind == Kind::not_available ||
                       (v6 && address.is_loopback() && opened.error().kind == Kind::no_such_address);
  if (!missing) return fail(opened.error().message);
  if (!v6 || !noted_missing_v6_) environment_.log.info("{}; going on without it", opened.error().message);
  if (v6) noted_missing_v6_ = true;
  return {};
}

bool Controller::has_peers() const {
  for (const auto* list : {&config_.sources, &config_.directory_sources})
    for (const NtpSource& s : *list)
      if (s.kind == NtpSource::Kind::peer) return true;
  return false;
}

Result<void> Controller::open_ntp_socket(Family family) {
  if (!family_wanted(family)) return {};
  return note_or_fail(ntp_.open(family), IpAddress{{}, family});
}

Result<void> Controller::open_command_udp(const IpAddress& address) {
  if (!family_wanted(address.family)) return {};
  return note_or_fail(command_.open_udp(address, config_.command_port, config_.command_device), address);
}

Result<void> Controller::open_privileged_sockets() {
  if (auto ok = upstream_->open_refclocks(); !ok) return ok;
  stamps_.switch_on(config_.hw_timestamps);
  refresh_reference();  // requests may come in as soon as sockets are open
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    // As chronyd: no open port when every request to it would be refused.
    if (config_.dataplanes.empty() && !state_.ntp_access.allows_anything(family) && !has_peers()) continue;
    if (auto ok = open_ntp_socket(family); !ok) return ok;
  }
  if (config_.command_port != 0) {
    for (const IpAddress& address : {config_.command_address_v4, config_.command_address_v6})
      if (auto ok = open_command_udp(address); !ok) return ok;
  }
  if (config_.metrics_port != 0) {
    for (const IpAddress& address : config_.metrics_addresses) {
      if (!family_wanted(address.family)) continue;
      if (auto ok = note_or_fail(metrics_.open(address, config_.metrics_port), address); !ok) return ok;
    }
  }
  return {};
}

Result<void> Controller::open_command_socket() {
  if (config_.command_socket.empty()) return {};
  if (auto opened = command_.open_unix(config_.command_socket); !opened) return fail(opened.error().message);
  return {};
}

void Controller::begin() {
  environment_.loop.every(1s, [this] { every_second(); });
  upstream_->start();
  if (environment_.clock_use != ClockUse::follow) return;
  log_what_is_served();
  serving_ = true;
  tell_synchronisation();
}

void Controller::log_what_is_served() {
  os::Log& log = environment_.log;
  if (const auto ntp = ntp_.listening(); !ntp.empty())
    log.info("Serving NTP on {} through kernel sockets", join(ntp));
  else if (config_.port == 0)
    log.info("Not serving NTP: 'port 0' is configured");
  else
    log.info(
        "Not serving NTP: no client is allowed; add e.g. 'allow 192.0.2.0/24', or 'allow' for everybody");
  if (const auto command = command_.listening(); !command.empty())
    log.info("Accepting commands on {}", join(command));
  if (const auto metrics = metrics_.listening(); !metrics.empty())
    log.info("Metrics on http://{}/metrics", join(metrics));
}

}  // namespace wiretime::control
