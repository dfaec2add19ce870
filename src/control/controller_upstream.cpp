// SPDX-License-Identifier: BSD-3-Clause
// The controller's way to the sources: which clock they steer, and what of them reaches those we serve.
#include <cmath>

#include "clock/virtual_clock.hpp"
#include "control/config_parse.hpp"
#include "control/controller.hpp"
#include "control/dump_files.hpp"
#include "control/policy.hpp"
#include "os/kernel_clock.hpp"
#include "os/system_clock.hpp"

namespace wiretime::control {

bool Controller::follows_sources() const {
  return upstream_ && (controls_clock(config_) || upstream_->manager().has_sources());
}

WallTime Controller::served_time(WallTime kernel) const {
  return follows_sources() ? upstream_->manager().served_time(kernel) : kernel;
}

bool Controller::take_peer_packet(const os::Datagram& datagram) {
  return upstream_->manager().receive_symmetric(
      {datagram.payload, stamps_.received(datagram), datagram.peer, datagram.local});
}

Result<void> Controller::make_upstream() {
  std::unique_ptr<clock::ClockDevice> device;
  const bool steer =
      controls_clock(config_) && environment_.clock_control && environment_.clock_use != ClockUse::print_once;
  if (steer) {
    auto system = os::SystemClock::open({config_.rtc_sync});
    if (!system) return tl::make_unexpected(system.error());
    device = std::move(*system);
  } else {
    device = std::make_unique<clock::VirtualClock>();
    if (controls_clock(config_) && environment_.clock_use == ClockUse::follow)
      environment_.log.info("Disabled control of system clock");
  }
  SourceManager::Options options;
  options.use = environment_.clock_use;
  options.only = environment_.only;
  options.clock_precision = std::ldexp(1.0, state_.time.kernel_snapshot(state_.uptime()).precision);
  options.restarted = environment_.restarted;
  options.keys = &state_.keys;
  if (steer) options.drift = read_drift_file(config_, environment_.log);
  options.controls_clock = controls_clock(config_);
  if (environment_.clock_use == ClockUse::follow && !config_.dump_directory.empty()) {
    options.dumps = take_dump_files(config_.dump_directory, environment_.reload_dumps, environment_.log);
    options.boot = boot_id();
  }
  Upstream::Callbacks callbacks;
  callbacks.reference = [this] { return state_.time.served().reference; };
  callbacks.serves_others = [this] { return ntp_.is_open(Family::ipv4) || ntp_.is_open(Family::ipv6); };
  callbacks.clock_changed = [this](bool stepped) {
    if (stepped) state_.time.clock_was_set();
    refresh_reference();
    if (stepped && state_.data_plane != nullptr) take_reading();  // workers learn it now
  };
  callbacks.finish = environment_.finish;
  callbacks.send_from_server = [this](const os::Endpoint& to, std::span<const std::byte> message) {
    return ntp_.send(to, message);
  };
  std::optional<clock::TemperatureCurve> curve;
  if (config_.temperature_compensation) {
    auto read = temperature_curve(*config_.temperature_compensation);
    if (!read) return tl::make_unexpected(read.error());
    curve = std::move(*read);
  }
  upstream_ = std::make_unique<Upstream>(config_, options, std::move(device), std::move(curve), stamps_,
                                         environment_.loop, environment_.log, std::move(callbacks));
  state_.sources = &upstream_->manager();
  ntp_.follow_sources([this](WallTime kernel) { return served_time(kernel); },
                      [this](const os::Datagram& datagram) { return take_peer_packet(datagram); },
                      [this](std::span<const std::byte> frame, const KernelStamp& sent) {
                        upstream_->manager().transmit_stamp_symmetric(frame, sent);
                      });
  return {};
}

bool Controller::dump() {
  return upstream_->dump();
}

void Controller::reload_sources() {
  std::vector<Warning> warnings;
  const auto sources = read_source_directories(config_.source_directories, DiskReader{}, warnings);
  for (const Warning& warning : warnings) environment_.log.warning("{}", warning.to_string());
  upstream_->manager().set_directory_sources(sources);
}

void Controller::end() {
  if (upstream_) upstream_->stop();
}

}  // namespace wiretime::control
