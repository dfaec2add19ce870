// SPDX-License-Identifier: BSD-3-Clause
#include "data_plane_module.hpp"

#include <fmt/format.h>

#include "control/nic_options.hpp"
#include "control/policy.hpp"
#include "control/version.hpp"
#include "dpdk/data_plane.hpp"
#include "os/ptp_clock.hpp"
#include "os/random.hpp"
#include "os/stamping.hpp"
#include "steering_set.hpp"

namespace wiretime {

namespace {

using Kind = server::DataplaneConfig::Kind;

class WiredDataPlane final : public control::DataPlaneView {
 public:
  WiredDataPlane(std::vector<server::DataplaneConfig> configured, std::unique_ptr<SteeringSet> steering,
                 std::unique_ptr<dpdk::DataPlane> plane, os::Log& log)
      : configured_{std::move(configured)},
        steering_{std::move(steering)},
        plane_{std::move(plane)},
        log_{log} {}

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
    if (++ticks_ % kAskAgain == 0) keep_stamping();
  }
  [[nodiscard]] std::vector<int> descriptors() const override { return plane_->descriptors(); }
  void carry_frames() override { plane_->carry_frames(); }
  void refresh_clocks() override { plane_->refresh_clocks(); }
  [[nodiscard]] bool samples_transmits() const override { return plane_->samples_transmits(); }
  void sample_transmits() override { plane_->sample_transmits(); }

 private:
  static constexpr unsigned kAskAgain = 64;  // ticks, of a second

  // Another program may have had the NIC stamp something else, or nothing: the port that offered its stamps
  // has stepped down since.
  void keep_stamping() {
    for (const dpdk::PortInfo& info : plane_->ports()) {
      const clock::ReceiveStatus& receive = info.receive;
      if (info.kind != Kind::af_xdp || !receive.offers_hardware ||
          receive.rung == clock::ReceiveRung::hardware)
        continue;
      const auto again = os::have_requests_stamped(info.name);
      if (again && !*again) continue;
      log_.limited(os::LogLevel::warning, "stamping " + info.name, std::chrono::hours{24 * 365},
                   "{}: the hardware did not stamp requests any more, as another program had it: {}",
                   info.name, again ? "it does again" : again.error().message);
    }
  }

  std::vector<server::DataplaneConfig> configured_;
  std::unique_ptr<SteeringSet> steering_;
  std::unique_ptr<dpdk::DataPlane> plane_;
  os::Log& log_;
  unsigned ticks_ = 0;
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

// Which packets the NIC is to stamp, where a hwtimestamp line says so. One of the interface's own comes
// first.
control::HwTimestamp::RxFilter filter_wanted(const control::Config& config, const std::string& interface) {
  auto wanted = control::HwTimestamp::RxFilter::automatic;
  for (const control::HwTimestamp& line : config.hw_timestamps) {
    if (line.interface == interface) return line.rx_filter;
    if (line.interface == "*") wanted = line.rx_filter;
  }
  return wanted;
}

// Has the NIC stamp requests, if the XDP program would hand that on. Nothing of it: why.
std::string no_hardware_receive_time(const control::Config& config, const SteeringSet& steering,
                                     const std::string& interface) {
  using Filter = control::HwTimestamp::RxFilter;
  if (std::string why = steering.no_hardware_time(interface); !why.empty()) return why;
  const Filter filter = filter_wanted(config, interface);
  if (filter == Filter::none || filter == Filter::ptp) return "hwtimestamp says so with rxfilter";
  if (auto stamped = os::have_requests_stamped(interface); !stamped) return stamped.error().message;
  return {};
}

// The af_xdp interfaces that stamp requests in hardware; the log says of each what its receive time is.
std::vector<std::string> stamping_interfaces(const control::Config& config, const SteeringSet& steering,
                                             os::Log& log) {
  std::vector<std::string> stamping;
  for (const auto& port : config.dataplanes) {
    if (port.kind != Kind::af_xdp) continue;
    const std::string why = no_hardware_receive_time(config, steering, port.device);
    log.info("{}: receive time of requests: {}{}", port.device,
             why.empty() ? "the hardware's (XDP metadata), or else the XDP program's" : "the XDP program's; ",
             why);
    if (why.empty()) stamping.push_back(port.device);
  }
  return stamping;
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
  options.nic_stamp_xdp = stamping_interfaces(config, **steering, log);
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
  return std::make_unique<WiredDataPlane>(config.dataplanes, std::move(*steering), std::move(*plane), log);
}

}  // namespace

}  // namespace wiretime

extern "C" {
[[gnu::visibility("default")]] extern const wiretime::DataPlaneEntry wiretime_data_plane;
const wiretime::DataPlaneEntry wiretime_data_plane{wiretime::control::version(), wiretime::start};
}
