// SPDX-License-Identifier: BSD-3-Clause
#include "control/nic_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace wiretime::control {

namespace {

using Filter = HwTimestamp::RxFilter;
using Kind = server::DataplaneConfig::Kind;

constexpr int kShortestPoll = -3;  // the clock is read ten times a second at most
constexpr int kLongestOwnPoll = 0;
constexpr double kMostCompensation = 1e-3;  // s

const HwTimestamp* line_for(std::span<const HwTimestamp> lines, const std::string& device) {
  const HwTimestamp* any = nullptr;
  for (const HwTimestamp& line : lines) {
    if (line.interface == device) return &line;
    if (line.interface == "*" && any == nullptr) any = &line;
  }
  return any;
}

class Reader {
 public:
  Reader(const HwTimestamp& line, const server::DataplaneConfig& port) : line_{line}, port_{port} {
    out_.options.no_cross_stamps = line.nocrossts;
  }

  PortNicOptions read() {
    if (!has_stamps()) warn("this port's packets get no timestamps of a NIC");
    out_.options.receive_compensation = compensation("rxcomp", line_.rx_compensation);
    out_.options.transmit_compensation = compensation("txcomp", line_.tx_compensation);
    if (line_.polls_given) read_polls();
    if (line_.samples_given) read_samples();
    if (line_.precision_given) out_.options.precision = line_.precision.count();
    read_filter();
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool has_stamps() const { return port_.kind == Kind::af_xdp || port_.kind == Kind::pci; }
  void warn(const std::string& what) {
    if (line_.interface == port_.device)
      out_.warnings.push_back(
          fmt::format("hwtimestamp {}: dataplane {}: {}", line_.interface, name(port_.kind), what));
  }
  [[nodiscard]] double compensation(std::string_view option, Seconds wanted) {
    if (std::fabs(wanted.count()) <= kMostCompensation) return wanted.count();
    warn(fmt::format("{} {}: more than a millisecond is no NIC's, and left out", option, wanted.count()));
    return 0;
  }
  void read_polls() {
    int least = line_.min_poll, most = line_.max_poll;
    if (least < kShortestPoll)
      warn(fmt::format("minpoll {}: the clock is read ten times a second at most", least));
    if (port_.phc != clock::NicRole::free && most > kLongestOwnPoll) {
      warn(fmt::format("maxpoll {}: a clock that we keep on our time is read every second at least", most));
      least = std::min(least, kLongestOwnPoll);
      most = kLongestOwnPoll;
    }
    out_.options.least_interval = least < kShortestPoll ? 0 : std::ldexp(1.0, least);
    out_.options.most_interval = most < kShortestPoll ? 0 : std::ldexp(1.0, most);
  }
  void read_samples() {
    out_.options.least_readings = std::max(line_.min_samples, clock::NicOptions::kLeastReadings);
    if (line_.max_samples < clock::NicOptions::kLeastReadings)
      warn(fmt::format("maxsamples {}: the clock is known from {} readings on, which are kept",
                       line_.max_samples, clock::NicOptions::kLeastReadings));
    out_.options.most_readings = std::max(line_.max_samples, out_.options.least_readings);
  }
  void read_filter() {
    if (line_.rx_filter != Filter::none && line_.rx_filter != Filter::ptp) return;
    out_.options.no_receive_stamps = true;
    if (line_.rx_filter == Filter::ptp) warn("rxfilter ptp: no requests are stamped, as with none");
  }

  const HwTimestamp& line_;
  const server::DataplaneConfig& port_;
  PortNicOptions out_;
};

}  // namespace

PortNicOptions nic_options(std::span<const HwTimestamp> lines, const server::DataplaneConfig& port) {
  const HwTimestamp* line = line_for(lines, port.device);
  return line != nullptr ? Reader{*line, port}.read() : PortNicOptions{};
}

}  // namespace wiretime::control
