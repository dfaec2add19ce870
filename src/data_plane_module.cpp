// SPDX-License-Identifier: BSD-3-Clause
#include "data_plane_module.hpp"

#include <fmt/format.h>

#include "control/nic_options.hpp"
#include "control/policy.hpp"
#include "control/request_stamps.hpp"
#include "control/version.hpp"
#include "dpdk/data_plane.hpp"
#include "os/ptp_clock.hpp"
#include "os/random.hpp"
#include "steering_set.hpp"

namespace wiretime {

namespace {

using Kind = server::DataplaneConfig::Kind;

class WiredDataPlane final : public control::DataPlaneView {
 public:
  WiredDataPlane(std::vector<server::DataplaneConfig> configured, std::unique_ptr<SteeringSet> steering,
                 std::unique_ptr<dpdk::DataPlane> plane, control::RequestStamps stamps)
      : configured_{std::move(configured)},
        steering_{std::move(steering)},
        plane_{std::move(plane)},
        stamps_{std::move(stamps)} {}

  // Programs first: no request is steered to a socket that is about to close.
  ~WiredDataPlane() override {
    steering_->detach();
    plane_.reset();
  }

  [[nodiscard]] std::span<server::WorkerState* const> states() const override { return plane_->workers(); }

  [[nodiscard]] std::vector<status::PortReport> ports() const override {
    std::vector<status::PortReport> reports;
    for (const dpdk::PortInfo& info : plane_->ports()) {
      reports.push_back(
          {info.name,
           std::string{server::name(info.kind)},
           fmt::format("receive: {}, transmit: {}", clock::name(info.receive.rung),
                       clock::name(info.transmit.rung)),
           info.kind == Kind::af_xdp ? steering_->counts(info.name) : std::vector<status::SteeringCount>{},
           info.clock,
           info.receive,
           info.transmit,
           {}});
      for (const auto& [reason, frames] : plane_->kernel_frames(reports.size() - 1))
        reports.back().kernel_frames.push_back({std::string{reason}, frames});
    }
    return reports;
  }

  [[nodiscard]] std::vector<std::string> copied_interfaces() const override {
    std::vector<std::string> names;
    for (const auto& config : configured_)
      if (config.kind == Kind::af_packet) names.push_back(config.device);
    return names;
  }

  void addresses_changed(std::span<const IpAddress> addresses) override {
    steering_->set_local_addresses(addresses);
  }
  void peers_changed(std::span<const IpAddress> peers) override { steering_->set_peers(peers); }
  void tick() override {
    plane_->tick();
    stamps_.tick(plane_->ports());
  }
  [[nodiscard]] std::vector<int> descriptors() const override { return plane_->descriptors(); }
  void carry_frames() override { plane_->carry_frames(); }
  void refresh_clocks() override { plane_->refresh_clocks(); }
  [[nodiscard]] bool samples_transmits() const override { return plane_->samples_transmits(); }
  void sample_transmits() override { plane_->sample_transmits(); }

 private:
  std::vector<server::DataplaneConfig> configured_;
  std::unique_ptr<SteeringSet> steering_;
  std::unique_ptr<dpdk::DataPlane> plane_;
  control::RequestStamps stamps_;
};

// A PTP clock that we keep on our time cannot be where this time comes from.
Result<void> check_loops(const control::Config& config, std::span<const dpdk::PortInfo> ports) {
  for (const control::Refclock& refclock : config.refclocks) {
    if (refclock.driver != control::Refclock::Driver::phc || refclock.extpps) continue;
    const auto source = os::PtpClock::find(refclock.parameter);
    for (const dpdk::PortInfo& port : ports)
      if (source && port.clock && port.clock->role != clock::NicRole::free && port.clock_device == *source)
        return fail(
            fmt::format("refclock PHC {} is the clock that dataplane {} keeps on our time: write "
                        "'phc free' there, or remove the refclock",
                        refclock.parameter, port.name));
  }
  return {};
}

Result<std::unique_ptr<control::DataPlaneView>> start(const control::Config& config,
                                                      std::span<const IpAddress> addresses,
                                                      server::Channels& channels, os::Log& log) {
  const std::uint16_t port = channels.tables.control_view().ntp_port;
  auto steering = attach_steering(config.dataplanes, port, addresses, log);
  if (!steering) return tl::make_unexpected(steering.error());
  const auto secret = os::random_value<std::array<std::uint64_t, 2>>();
  if (!secret) return tl::make_unexpected(secret.error());

  dpdk::DataPlaneOptions options;
  options.ports = config.dataplanes;
  options.generic_xdp = (*steering)->generic_interfaces();
  control::RequestStamps stamps{log};
  options.nic_stamp_xdp = stamps.switch_on(
      config.dataplanes, config.hw_timestamps,
      [&steering](const std::string& interface) { return (*steering)->no_hardware_time(interface); });
  options.worker_cpus = config.worker_cpus;
  options.control_cpu = config.control_cpu;
  options.idle = config.worker_idle;
  options.hugepages = config.hugepages;
  options.client_log = !config.no_client_log;
  options.clients = control::client_capacities(config).worker;
  options.secret = *secret;
  for (const auto& configured : config.dataplanes) {
    const auto nic = control::nic_options(config.hw_timestamps, configured);
    for (const std::string& warning : nic.warnings) log.warning("{}", warning);
    options.nics.push_back(nic.options);
  }
  auto plane = dpdk::DataPlane::start(options, channels, log);
  if (!plane) return tl::make_unexpected(plane.error());
  if (auto ok = check_loops(config, (*plane)->ports()); !ok) return tl::make_unexpected(ok.error());
  return std::make_unique<WiredDataPlane>(config.dataplanes, std::move(*steering), std::move(*plane),
                                          std::move(stamps));
}

}  // namespace

}  // namespace wiretime

extern "C" {
[[gnu::visibility("default")]] extern const wiretime::DataPlaneEntry wiretime_data_plane;
const wiretime::DataPlaneEntry wiretime_data_plane{wiretime::control::version(), wiretime::start};
}
