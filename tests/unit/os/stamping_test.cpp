// SPDX-License-Identifier: BSD-3-Clause
// Hardware timestamps of interfaces, by their ioctls alone: there is no such hardware here.
#include "os/stamping.hpp"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include "catch.hpp"
#include "ioctl_device.hpp"

using namespace wiretime;
using namespace wiretime::os;

namespace {

// As QEMU's igb says of itself.
ethtool_ts_info igb() {
  ethtool_ts_info info{};
  info.so_timestamping =
      SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
  info.phc_index = 1;
  info.tx_types = 1U << HWTSTAMP_TX_OFF | 1U << HWTSTAMP_TX_ON;
  info.rx_filters = 1U << HWTSTAMP_FILTER_NONE | 1U << HWTSTAMP_FILTER_PTP_V2_EVENT;
  return info;
}

struct Card {
  ethtool_ts_info info = igb();
  hwtstamp_config now{};
  std::optional<hwtstamp_config> set;
  std::string name;
  Device device;

  Card() {
    device.on<ifreq>(SIOCETHTOOL, [this](ifreq& r) {
      name = r.ifr_name;
      auto& asked = *reinterpret_cast<ethtool_ts_info*>(r.ifr_data);
      if (asked.cmd != ETHTOOL_GET_TS_INFO) return errno = EOPNOTSUPP, -1;
      asked = info;
      return 0;
    });
    device.on<ifreq>(SIOCGHWTSTAMP, [this](ifreq& r) {
      *reinterpret_cast<hwtstamp_config*>(r.ifr_data) = now;
      return 0;
    });
    device.on<ifreq>(SIOCSHWTSTAMP, [this](ifreq& r) {
      set = *reinterpret_cast<const hwtstamp_config*>(r.ifr_data);
      return 0;
    });
  }
};

}  // namespace

TEST_CASE("a card that stamps only PTP packets on the way in stamps NTP on the way out") {
  Card card;
  const auto able = stamp_ability("eth2", card.device.ioctl());
  REQUIRE(able);
  CHECK(card.name == "eth2");
  CHECK((able->transmit && able->clock && able->receive_ptp));
  CHECK_FALSE((able->receive_all || able->receive_ntp));
  CHECK(able->best_filter() == StampFilter::none);
}

TEST_CASE("the narrowest filter that NTP passes is chosen") {
  Card card;
  card.info.rx_filters |= 1U << HWTSTAMP_FILTER_ALL;
  CHECK(stamp_ability("eth2", card.device.ioctl())->best_filter() == StampFilter::all);
  card.info.rx_filters |= 1U << HWTSTAMP_FILTER_NTP_ALL;
  CHECK(stamp_ability("eth2", card.device.ioctl())->best_filter() == StampFilter::ntp);
}

TEST_CASE("stamps without a clock to read them by, or in no hardware, are none") {
  Card card;
  card.info.phc_index = -1;
  CHECK_FALSE(stamp_ability("eth2", card.device.ioctl())->clock);
  card.info = {};
  const auto able = stamp_ability("eth2", card.device.ioctl());
  CHECK_FALSE((able->transmit || able->receive_all || able->receive_ntp || able->receive_ptp));
}

TEST_CASE("transmit stamps are switched on together with the filter") {
  Card card;
  for (const auto& [filter, number] : {std::pair{StampFilter::none, HWTSTAMP_FILTER_NONE},
                                       {StampFilter::ntp, HWTSTAMP_FILTER_NTP_ALL},
                                       {StampFilter::all, HWTSTAMP_FILTER_ALL},
                                       {StampFilter::ptp, HWTSTAMP_FILTER_PTP_V2_EVENT}}) {
    REQUIRE(switch_on_stamps("eth2", filter, card.device.ioctl()));
    CHECK(card.set->tx_type == HWTSTAMP_TX_ON);
    CHECK(card.set->rx_filter == number);
  }
}

TEST_CASE(
    "requests are stamped from now on, unless they are already, and what others have stamped stays stamped") {
  Card card;
  const auto wanted = [&](int filter_now) {
    card.now = {0, HWTSTAMP_TX_ON, filter_now};
    card.set.reset();
    return have_requests_stamped("eth2", card.device.ioctl());
  };
  CHECK(wanted(HWTSTAMP_FILTER_NONE).error().message == "the hardware stamps no received NTP packets");
  card.info.rx_filters = 1U << HWTSTAMP_FILTER_NTP_ALL;
  REQUIRE(*wanted(HWTSTAMP_FILTER_NONE));
  CHECK(card.set->rx_filter == HWTSTAMP_FILTER_NTP_ALL);
  CHECK(card.set->tx_type == HWTSTAMP_TX_ON);
  CHECK_FALSE(wanted(HWTSTAMP_FILTER_PTP_V2_EVENT));
  CHECK_FALSE(card.set);

  card.info.rx_filters |= 1U << HWTSTAMP_FILTER_ALL;
  REQUIRE(wanted(HWTSTAMP_FILTER_PTP_V2_EVENT));
  CHECK(card.set->rx_filter == HWTSTAMP_FILTER_ALL);
  for (const int enough : {HWTSTAMP_FILTER_ALL, HWTSTAMP_FILTER_NTP_ALL}) {
    CHECK_FALSE(*wanted(enough));
    CHECK_FALSE(card.set);
  }
  card.info.phc_index = -1;
  CHECK(wanted(HWTSTAMP_FILTER_ALL).error().message == "the interface has no hardware clock");
}

TEST_CASE("what the kernel says against it, and a name that cannot be, are errors") {
  Device nothing;
  CHECK_FALSE(stamp_ability("eth2", nothing.ioctl()));
  CHECK_FALSE(switch_on_stamps("eth2", StampFilter::all, nothing.ioctl()));
  CHECK_FALSE(have_requests_stamped("eth2", nothing.ioctl()));
  CHECK_FALSE(stamp_ability("a-name-longer-than-fifteen", nothing.ioctl()));
}
