// SPDX-License-Identifier: BSD-3-Clause
#include "steering_set.hpp"

#include "ebpf/steering.hpp"

namespace wiretime {

namespace {

class LibbpfSteering final : public SteeringSet {
 public:
  explicit LibbpfSteering(os::Log& log) : log_{log} {}

  [[nodiscard]] Result<void> attach(const SteeringConfig& config) {
    auto steering = Steering::attach(config);
    if (!steering) return tl::make_unexpected(steering.error());
    log_.info("{}", os::fields("XDP steering attached", "interface", config.interface, "mode",
                               name(steering->mode()), "receive_clock", name(steering->receive_clock())));
    if (!steering->limitation().empty()) log_.info("{}: {}", config.interface, steering->limitation());
    attached_.push_back({config.interface, std::move(*steering)});
    return {};
  }

  [[nodiscard]] std::vector<std::string> generic_interfaces() const override {
    std::vector<std::string> names;
    for (const Attached& a : attached_)
      if (a.steering.mode() == SteeringMode::generic) names.push_back(a.interface);
    return names;
  }

  [[nodiscard]] std::string no_hardware_time(const std::string& interface) const override {
    for (const Attached& a : attached_)
      if (a.interface == interface) return a.steering.no_hardware_time();
    return "it has no XDP program";
  }

  [[nodiscard]] std::vector<status::SteeringCount> counts(const std::string& interface) const override {
    std::vector<status::SteeringCount> counts;
    for (const Attached& a : attached_) {
      if (a.interface != interface) continue;
      const auto counters = a.steering.counters();
      for (std::size_t i = 0; counters && i < counters->size(); ++i)
        counts.push_back({std::string{name(static_cast<steer_reason>(i))}, (*counters)[i]});
    }
    return counts;
  }

  void set_local_addresses(std::span<const IpAddress> addresses) override {
    for (Attached& a : attached_) report(a, a.steering.set_local_addresses(addresses));
  }

  void set_peers(std::span<const IpAddress> addresses) override {
    for (Attached& a : attached_) report(a, a.steering.set_peers(addresses));
  }

  void detach() override {
    for (Attached& a : attached_) a.steering.detach();
  }

 private:
  struct Attached {
    std::string interface;
    Steering steering;
  };
  void report(const Attached& a, const Result<void>& set) {
    if (!set)
      log_.limited(os::LogLevel::error, "steering " + a.interface, std::chrono::minutes{1}, "{}: {}",
                   a.interface, set.error().message);
  }

  os::Log& log_;
  std::vector<Attached> attached_;
};

}  // namespace

Result<std::unique_ptr<SteeringSet>> attach_steering(std::span<const server::DataplaneConfig> ports,
                                                     std::uint16_t ntp_port,
                                                     std::span<const IpAddress> addresses, os::Log& log) {
  auto set = std::make_unique<LibbpfSteering>(log);
  for (const auto& port : ports) {
    if (port.kind != server::DataplaneConfig::Kind::af_xdp) continue;
    SteeringConfig config;
    config.interface = port.device;
    config.port = ntp_port;
    config.local_addresses.assign(addresses.begin(), addresses.end());
    if (auto attached = set->attach(config); !attached)
      return fail(port.origin.where + ": " + attached.error().message);
  }
  return set;
}

}  // namespace wiretime
