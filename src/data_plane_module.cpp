// SPDX-License-Identifier: BSD-3-Clause
#include "data_plane_module.hpp"

#include <fmt/format.h>

#include "control/policy.hpp"
#include "control/version.hpp"
#include "dpdk/data_plane.hpp"
#include "os/random.hpp"
#include "steering_set.hpp"

namespace wiretime {

namespace {

using Kind = server::DataplaneConfig::Kind;

class WiredDataPlane final : public control::DataPlaneView {
 public:
  WiredDataPlane(std::vector<server::DataplaneConfig> configured, std::unique_ptr<SteeringSet> steering,
                 std::unique_ptr<dpdk::DataPlane> plane)
      : configured_{std::move(configured)}, steering_{std::move(steering)}, plane_{std::move(plane)} {}

  // Programs first: no request is steered to a socket that is about to close.
  ~WiredDataPlane() override {
    steering_->detach();
    plane_.reset();
  }

  [[nodiscard]] std::span<server::WorkerState* const> states() const override { return plane_->workers(); }

  [[nodiscard]] std::vector<status::PortReport> ports() const override {
    std::vector<status::PortReport> reports;
    for (const dpdk::PortInfo& info : plane_->ports())
      reports.push_back(
          {info.name, std::string{server::name(info.kind)},
           fmt::format("receive: {}, transmit: {}", dpdk::name(info.receive), dpdk::name(info.transmit)),
           info.kind == Kind::af_xdp ? steering_->counts(info.name) : std::vector<status::SteeringCount>{}});
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
  void tick() override { plane_->tick(); }

 private:
  std::vector<server::DataplaneConfig> configured_;
  std::unique_ptr<SteeringSet> steering_;
  std::unique_ptr<dpdk::DataPlane> plane_;
};

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
  options.worker_cpus = config.worker_cpus;
  options.control_cpu = config.control_cpu;
  options.idle = config.worker_idle;
  options.hugepages = config.hugepages;
  options.client_log = !config.no_client_log;
  options.clients = control::client_capacity_per_table(config);
  options.secret = *secret;
  auto plane = dpdk::DataPlane::start(options, channels, log);
  if (!plane) return tl::make_unexpected(plane.error());
  return std::make_unique<WiredDataPlane>(config.dataplanes, std::move(*steering), std::move(*plane));
}

}  // namespace

}  // namespace wiretime

extern "C" {
[[gnu::visibility("default")]] extern const wiretime::DataPlaneEntry wiretime_data_plane;
const wiretime::DataPlaneEntry wiretime_data_plane{wiretime::control::version(), wiretime::start};
}
