// SPDX-License-Identifier: BSD-3-Clause
#include "control/request_stamps.hpp"

namespace wiretime::control {

namespace {

// Which packets the NIC is to stamp, where a hwtimestamp line says so. One of the interface's own comes
// first.
HwTimestamp::RxFilter filter_wanted(std::span<const HwTimestamp> lines, const std::string& interface) {
  auto wanted = HwTimestamp::RxFilter::automatic;
  for (const HwTimestamp& line : lines) {
    if (line.interface == interface) return line.rx_filter;
    if (line.interface == "*") wanted = line.rx_filter;
  }
  return wanted;
}

}  // namespace

// Nothing, or why not.
std::string RequestStamps::try_to_switch_on(const std::string& interface,
                                            std::span<const HwTimestamp> lines) const {
  using Filter = HwTimestamp::RxFilter;
  const Filter filter = filter_wanted(lines, interface);
  if (filter == Filter::none || filter == Filter::ptp) return "hwtimestamp says so with rxfilter";
  const auto stamped = os::have_requests_stamped(interface, ioctl_);
  return stamped ? std::string{} : stamped.error().message;
}

std::vector<std::string> RequestStamps::switch_on(
    std::span<const server::DataplaneConfig> ports, std::span<const HwTimestamp> lines,
    const std::function<std::string(const std::string&)>& obstacle) {
  std::vector<std::string> stamping;
  for (const auto& port : ports) {
    if (port.kind != server::DataplaneConfig::Kind::af_xdp) continue;
    std::string why = obstacle(port.device);
    if (why.empty()) why = try_to_switch_on(port.device, lines);
    log_.info(
        "{}: receive time of requests: {}{}", port.device,
        why.empty() ? "the hardware's (XDP metadata), or else the XDP program's" : "the XDP program's; ",
        why);
    if (why.empty()) stamping.push_back(port.device);
  }
  return stamping;
}

void RequestStamps::ask_again(const std::string& interface) {
  const auto again = os::have_requests_stamped(interface, ioctl_);
  if (again && !*again) return;
  log_.limited(os::LogLevel::warning, "stamping " + interface, std::chrono::hours{24 * 365},
               "{}: the hardware did not stamp requests any more, as another program had it: {}", interface,
               again ? "it does again" : again.error().message);
}

}  // namespace wiretime::control
