// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says of a card, by its ioctls alone.
#include "os/network_card.hpp"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include <cstring>

#include "catch.hpp"
#include "ioctl_device.hpp"

using namespace wiretime;
using namespace wiretime::os;

namespace {

struct Card {
  hwtstamp_config stamps{};
  Device device;

  Card() {
    device.on<ifreq>(SIOCGHWTSTAMP, [this](ifreq& r) {
      *reinterpret_cast<hwtstamp_config*>(r.ifr_data) = stamps;
      return 0;
    });
    device.on<ifreq>(SIOCETHTOOL, [](ifreq& r) {
      std::uint32_t command = 0;
      std::memcpy(&command, r.ifr_data, sizeof command);
      if (command == ETHTOOL_GCHANNELS) {
        auto& c = *reinterpret_cast<ethtool_channels*>(r.ifr_data);
        c.combined_count = 4;
        c.max_combined = 16;
      } else if (command == ETHTOOL_GDRVINFO) {
        // As long as it can be: without an end.
        auto& info = *reinterpret_cast<ethtool_drvinfo*>(r.ifr_data);
        std::memset(info.driver, 'x', sizeof info.driver);
      } else if (command == ETHTOOL_GFLAGS) {
        reinterpret_cast<ethtool_value*>(r.ifr_data)->data = ETH_FLAG_RXVLAN | ETH_FLAG_LRO;
      } else {
        return errno = EOPNOTSUPP, -1;
      }
      return 0;
    });
  }
};

}  // namespace

TEST_CASE("queues, driver and offloads are as ethtool shows them") {
  Card card;
  const auto queues = channels("eth2", card.device.ioctl());
  REQUIRE(queues);
  CHECK(queues->combined == 4);
  CHECK(queues->most_combined == 16);
  CHECK(driver_of("eth2", card.device.ioctl()) == std::string(32, 'x'));
  CHECK(strips_vlan_tags("eth2", card.device.ioctl()));
}

TEST_CASE("what is stamped now is what somebody switched on") {
  Card card;
  for (const auto& [filter, meant] : {std::pair{HWTSTAMP_FILTER_NONE, StampFilter::none},
                                      {HWTSTAMP_FILTER_ALL, StampFilter::all},
                                      {HWTSTAMP_FILTER_NTP_ALL, StampFilter::ntp},
                                      {HWTSTAMP_FILTER_PTP_V1_L4_SYNC, StampFilter::ptp},
                                      {HWTSTAMP_FILTER_PTP_V2_EVENT, StampFilter::ptp}}) {
    card.stamps.rx_filter = filter;
    CHECK(stamps_now("eth2", card.device.ioctl())->receive == meant);
  }
  CHECK_FALSE(stamps_now("eth2", card.device.ioctl())->transmit);
  card.stamps.tx_type = HWTSTAMP_TX_ON;
  CHECK(stamps_now("eth2", card.device.ioctl())->transmit);
}

TEST_CASE("a driver that tells nothing, and a name that cannot be, say nothing") {
  Device nothing;
  CHECK_FALSE(channels("eth2", nothing.ioctl()));
  CHECK_FALSE(stamps_now("eth2", nothing.ioctl()));
  CHECK(driver_of("eth2", nothing.ioctl()).empty());
  CHECK_FALSE(strips_vlan_tags("eth2", nothing.ioctl()));
  Card card;
  CHECK_FALSE(channels("a-name-longer-than-fifteen", card.device.ioctl()));
}
