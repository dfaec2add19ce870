// SPDX-License-Identifier: BSD-3-Clause
// steering_set.hpp in a build without libbpf: enough for every data plane but af_xdp.
#include "steering_set.hpp"

namespace wiretime {

namespace {

class NoSteering final : public SteeringSet {
 public:
  [[nodiscard]] std::vector<std::string> generic_interfaces() const override { return {}; }
  [[nodiscard]] std::string no_hardware_time(const std::string&) const override { return "no XDP"; }
  [[nodiscard]] std::vector<status::SteeringCount> counts(const std::string&) const override { return {}; }
  void set_local_addresses(std::span<const IpAddress>) override {}
  void set_peers(std::span<const IpAddress>) override {}
  void detach() override {}
};

}  // namespace

Result<std::unique_ptr<SteeringSet>> attach_steering(std::span<const server::DataplaneConfig> ports,
                                                     std::uint16_t, std::span<const IpAddress>, os::Log&) {
  for (const auto& port : ports)
    if (port.kind == server::DataplaneConfig::Kind::af_xdp)
      return fail("dataplane af_xdp " + port.device +
                  ": this wiretimed was built without XDP steering; use 'dataplane af_packet', or build with "
                  "-Dbpf=enabled");
  return std::make_unique<NoSteering>();
}

}  // namespace wiretime
