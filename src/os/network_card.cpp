// SPDX-License-Identifier: BSD-3-Clause
#include "os/network_card.hpp"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <sys/socket.h>

#include <cstring>

#include "os/file_descriptor.hpp"

namespace wiretime::os {

namespace {

bool ask(const std::string& interface, unsigned long request, void* argument, const Ioctl& ioctl) {
  const FileDescriptor fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq r{};
  if (interface.size() >= sizeof r.ifr_name) return false;
  std::memcpy(r.ifr_name, interface.data(), interface.size());
  r.ifr_data = static_cast<char*>(argument);
  return ioctl(fd.get(), request, &r) >= 0;
}

// linux/net_tstamp.h: the filters from PTP_V1_L4_EVENT to PTP_V2_DELAY_REQ are all of PTP.
StampFilter filter_of(int filter) {
  switch (filter) {
    case HWTSTAMP_FILTER_NONE:
      return StampFilter::none;
    case HWTSTAMP_FILTER_ALL:
    case HWTSTAMP_FILTER_SOME:
      return StampFilter::all;
    case HWTSTAMP_FILTER_NTP_ALL:
      return StampFilter::ntp;
    default:
      return StampFilter::ptp;
  }
}

}  // namespace

std::optional<Channels> channels(const std::string& interface, const Ioctl& ioctl) {
  ethtool_channels found{};
  found.cmd = ETHTOOL_GCHANNELS;
  if (!ask(interface, SIOCETHTOOL, &found, ioctl)) return std::nullopt;
  return Channels{found.rx_count, found.tx_count, found.combined_count, found.max_combined};
}

std::string driver_of(const std::string& interface, const Ioctl& ioctl) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  if (!ask(interface, SIOCETHTOOL, &info, ioctl)) return {};
  return {info.driver, strnlen(info.driver, sizeof info.driver)};
}

std::optional<StampsNow> stamps_now(const std::string& interface, const Ioctl& ioctl) {
  hwtstamp_config config{};
  if (!ask(interface, SIOCGHWTSTAMP, &config, ioctl)) return std::nullopt;
  return StampsNow{config.tx_type != HWTSTAMP_TX_OFF, filter_of(config.rx_filter)};
}

bool strips_vlan_tags(const std::string& interface, const Ioctl& ioctl) {
  ethtool_value flags{};
  flags.cmd = ETHTOOL_GFLAGS;
  return ask(interface, SIOCETHTOOL, &flags, ioctl) && (flags.data & ETH_FLAG_RXVLAN) != 0;
}

}  // namespace wiretime::os
