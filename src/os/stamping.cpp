// SPDX-License-Identifier: BSD-3-Clause
#include "os/stamping.hpp"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <sys/socket.h>

#include <cstring>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

Result<void> ask(const std::string& interface, unsigned long request, void* argument, const Ioctl& ioctl) {
  const FileDescriptor fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq r{};
  if (interface.size() >= sizeof r.ifr_name) return fail("no such network interface");
  std::memcpy(r.ifr_name, interface.data(), interface.size());
  r.ifr_data = static_cast<char*>(argument);
  if (ioctl(fd.get(), request, &r) < 0) return fail(errno_text());
  return {};
}

int system_filter(StampFilter filter) {
  switch (filter) {
    case StampFilter::all:
      return HWTSTAMP_FILTER_ALL;
    case StampFilter::ntp:
      return HWTSTAMP_FILTER_NTP_ALL;
    case StampFilter::ptp:
      return HWTSTAMP_FILTER_PTP_V2_EVENT;
    case StampFilter::none:
      break;
  }
  return HWTSTAMP_FILTER_NONE;
}

}  // namespace

Result<StampAbility> stamp_ability(const std::string& interface, const Ioctl& ioctl) {
  ethtool_ts_info info{};
  info.cmd = ETHTOOL_GET_TS_INFO;
  info.phc_index = -1;
  if (auto asked = ask(interface, SIOCETHTOOL, &info, ioctl); !asked)
    return tl::make_unexpected(asked.error());
  const auto has = [](std::uint32_t set, int bit) { return (set >> bit & 1U) != 0; };
  StampAbility able;
  able.clock = info.phc_index >= 0 && (info.so_timestamping & SOF_TIMESTAMPING_RAW_HARDWARE) != 0;
  able.transmit =
      (info.so_timestamping & SOF_TIMESTAMPING_TX_HARDWARE) != 0 && has(info.tx_types, HWTSTAMP_TX_ON);
  if ((info.so_timestamping & SOF_TIMESTAMPING_RX_HARDWARE) != 0) {
    able.receive_all = has(info.rx_filters, HWTSTAMP_FILTER_ALL);
    able.receive_ntp = has(info.rx_filters, HWTSTAMP_FILTER_NTP_ALL);
    able.receive_ptp = has(info.rx_filters, HWTSTAMP_FILTER_PTP_V2_EVENT);
  }
  return able;
}

Result<void> switch_on_stamps(const std::string& interface, StampFilter filter, const Ioctl& ioctl) {
  hwtstamp_config config{};
  config.tx_type = HWTSTAMP_TX_ON;
  config.rx_filter = system_filter(filter);
  return ask(interface, SIOCSHWTSTAMP, &config, ioctl);
}

Result<bool> keep_stamps_on(const std::string& interface, StampFilter filter, const Ioctl& ioctl) {
  hwtstamp_config config{};
  if (!ask(interface, SIOCGHWTSTAMP, &config, ioctl)) return false;
  const bool receives = filter == StampFilter::none || config.rx_filter == system_filter(filter) ||
                        config.rx_filter == HWTSTAMP_FILTER_ALL;
  if (receives && config.tx_type != HWTSTAMP_TX_OFF) return false;
  if (auto on = switch_on_stamps(interface, filter, ioctl); !on) return tl::make_unexpected(on.error());
  return true;
}

Result<bool> have_requests_stamped(const std::string& interface, const Ioctl& ioctl) {
  const auto able = stamp_ability(interface, ioctl);
  if (!able || !able->clock) return fail("the interface has no hardware clock");
  if (able->best_filter() == StampFilter::none) return fail("the hardware stamps no received NTP packets");
  hwtstamp_config config{};
  if (!ask(interface, SIOCGHWTSTAMP, &config, ioctl)) config = {};  // a driver that does not tell
  if (config.rx_filter == HWTSTAMP_FILTER_ALL || config.rx_filter == HWTSTAMP_FILTER_NTP_ALL) return false;
  const bool others = config.rx_filter != HWTSTAMP_FILTER_NONE;
  if (others && !able->receive_all) return fail("the hardware stamps what another program asked it to");
  config.rx_filter = system_filter(others ? StampFilter::all : able->best_filter());
  if (auto set = ask(interface, SIOCSHWTSTAMP, &config, ioctl); !set)
    return fail("the hardware's receive stamps cannot be switched on: " + set.error().message);
  return true;
}

}  // namespace wiretime::os
