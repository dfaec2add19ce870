// SPDX-License-Identifier: BSD-3-Clause
// hwtimestamp on kernel sockets, with the loopback interface in the place of a card that stamps: its ioctls
// are ours, its clock is 37 s and a bit ahead of CLOCK_REALTIME.
#include "control/hardware_stamps.hpp"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "os/interfaces.hpp"
#include "os/ioctl_device.hpp"
#include "os/kernel_clock.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using ntp::StampSource;

namespace {

constexpr Nanoseconds kAhead = 37s + 123456789ns;

HwTimestamp line_for(const std::string& interface) {
  HwTimestamp line;
  line.interface = interface;
  line.min_poll = -6;
  line.max_poll = 2;  // readings may be four of these old: the machine is busy
  return line;
}

struct Card {
  Card() {
    std::ofstream{device.dir / "ptp7"};
    info.so_timestamping =
        SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
    info.phc_index = 7;
    info.tx_types = 1U << HWTSTAMP_TX_OFF | 1U << HWTSTAMP_TX_ON;
    info.rx_filters = 1U << HWTSTAMP_FILTER_NONE | 1U << HWTSTAMP_FILTER_ALL;
    device.on<ifreq>(SIOCETHTOOL, [this](ifreq& r) {
      auto& asked = *reinterpret_cast<ethtool_ts_info*>(r.ifr_data);
      if (asked.cmd != ETHTOOL_GET_TS_INFO) return errno = EOPNOTSUPP, -1;
      return asked = info, 0;
    });
    device.on<ifreq>(SIOCSHWTSTAMP, [this](ifreq& r) {
      set = *reinterpret_cast<const hwtstamp_config*>(r.ifr_data);
      ++settings;
      return 0;
    });
    device.on<ifreq>(SIOCGHWTSTAMP, [this](ifreq& r) {
      if (!set) return errno = EOPNOTSUPP, -1;
      *reinterpret_cast<hwtstamp_config*>(r.ifr_data) = *set;
      return 0;
    });
    device.on<ptp_clock_caps>(PTP_CLOCK_GETCAPS, [](ptp_clock_caps&) { return 0; });
    device.on<ptp_sys_offset_precise>(PTP_SYS_OFFSET_PRECISE, [this](ptp_sys_offset_precise& p) {
      if (gone) return errno = ENODEV, -1;
      const Nanoseconds now = os::wall_now().time_since_epoch();
      p.sys_realtime = os::ptp_time(now);
      p.device = os::ptp_time(now + kAhead);
      ++readings;
      return 0;
    });
  }
  os::PtpSystem system() {
    return {device.ioctl(), [](clockid_t, timex*) { return 0; }, device.dir / "ptp"};
  }

  os::Device device;
  ethtool_ts_info info{};
  std::optional<hwtstamp_config> set;
  bool gone = false;
  int readings = 0;
  int settings = 0;
};

struct Bench {
  Bench() : log{*os::Log::to_file(card.device.dir / "log", os::LogLevel::info)} {
    index = os::find_interface("lo")->index;
  }
  void run(Nanoseconds time) {
    loop->after(time, [this] { loop->stop(); });
    REQUIRE(loop->run());
  }
  // With a clock that is known by now.
  void start(const HwTimestamp& line) {
    stamps.switch_on({line});
    REQUIRE(stamps.any());
    while (card.readings < 5) run(20ms);
  }
  [[nodiscard]] std::string logged() const {
    std::stringstream text;
    text << std::ifstream{card.device.dir / "log"}.rdbuf();
    return text.str();
  }
  // A packet that came `ago`, and was told to the kernel a little later.
  [[nodiscard]] os::Datagram came(Nanoseconds ago, bool hardware = true) const {
    os::Datagram d;
    const WallTime now = os::wall_now();
    d.received = now - ago + 50us;
    if (hardware) d.hardware = os::HardwareReceipt{now - ago + kAhead, index, 90};
    return d;
  }
  [[nodiscard]] os::TransmitStamp left(Nanoseconds ago) const {
    return {{}, os::wall_now() - ago + kAhead, true, index};
  }

  Card card;
  os::Log log;
  std::unique_ptr<os::EventLoop> loop = *os::EventLoop::create();
  unsigned index = 0;
  HardwareStamps stamps{*loop, log, card.system(), 50ms};
};

// ns
std::int64_t between(WallTime a, WallTime b) {
  return std::llabs((a - b).count());
}
constexpr std::int64_t kClose = 2'000'000;  // two of the kernel's clocks, read one after the other

// What `made` returns, made again when it took longer: a stamp is believed for a second after its time only,
// a clock for half a second after its last reading.
template <typename Made>
auto promptly(const Made& made) {
  for (;;) {
    const Nanoseconds began = os::monotonic_now();
    auto result = made();
    if (os::monotonic_now() - began < 400ms) return result;
  }
}

}  // namespace

TEST_CASE("an interface that stamps is told to, its clock read, and its stamps told in the system's time") {
  Bench b;
  b.start(line_for("lo"));
  REQUIRE(b.card.set);
  CHECK(b.card.set->tx_type == HWTSTAMP_TX_ON);
  CHECK(b.card.set->rx_filter == HWTSTAMP_FILTER_ALL);
  CHECK_THAT(b.logged(), Contains("Enabled HW timestamping on lo"));
  CHECK(b.stamps.stamps_sends(b.index));
  CHECK_FALSE(b.stamps.stamps_sends(b.index + 1));

  const auto [d, received] = promptly([&] {
    const os::Datagram came = b.came(2ms);
    return std::pair{came, b.stamps.received(came)};
  });
  REQUIRE(received);
  CHECK(received->source == StampSource::hardware);
  CHECK(between(received->time, d.hardware->time - kAhead) < kClose);
  CHECK(received->error >= 100e-9);  // precision
  const auto [t, sent] = promptly([&] {
    const os::TransmitStamp left = b.left(3ms);
    return std::pair{left, b.stamps.sent(left)};
  });
  REQUIRE(sent);
  CHECK(sent->source == StampSource::hardware);
  CHECK(between(sent->time, t.sent - kAhead) < kClose);
}

TEST_CASE(
    "rxcomp is taken from receive stamps, txcomp added to transmit stamps, precision is the least error") {
  Bench b;
  HwTimestamp line = line_for("lo");
  line.rx_compensation = Seconds{5e-3};
  line.tx_compensation = Seconds{7e-3};
  line.precision = Seconds{30e-6};
  b.start(line);
  const auto [d, received] = promptly([&] {
    const os::Datagram came = b.came(20ms);
    return std::pair{came, b.stamps.received(came)};
  });
  REQUIRE(received);
  CHECK(between(received->time, d.hardware->time - kAhead - 5ms) < kClose);
  CHECK(received->error >= 30e-6);
  const auto [t, sent] = promptly([&] {
    const os::TransmitStamp left = b.left(20ms);
    return std::pair{left, b.stamps.sent(left)};
  });
  REQUIRE(sent);
  CHECK(between(sent->time, t.sent - kAhead + 7ms) < kClose);
}

TEST_CASE("the kernel's time stands in for a stamp that is not there, not to be believed or not known") {
  Bench b;
  b.start(line_for("lo"));
  const auto kernel = [&](const os::Datagram& d) {
    const auto stamp = b.stamps.received(d);
    return stamp && stamp->source == StampSource::kernel && stamp->time == *d.received;
  };
  CHECK(kernel(b.came(1ms, false)));
  CHECK(kernel(b.came(2s)));
  CHECK(kernel(b.came(-60s)));
  os::Datagram zero = b.came(1ms);
  zero.hardware->time = WallTime{};
  CHECK(kernel(zero));
  os::Datagram wrapped = b.came(1ms);
  wrapped.hardware->time += Nanoseconds{std::int64_t{1} << 32};
  CHECK(kernel(wrapped));
  os::Datagram elsewhere = b.came(1ms);
  elsewhere.hardware->interface_index = b.index + 1;
  CHECK(kernel(elsewhere));
  CHECK_FALSE(b.stamps.received({}));

  CHECK_FALSE(b.stamps.sent(b.left(2s)));  // the kernel's own comes, too
  const os::TransmitStamp software{{}, os::wall_now(), false, b.index};
  CHECK(b.stamps.sent(software)->source == StampSource::kernel);
  CHECK(b.stamps.sent(software)->time == software.sent);
}

TEST_CASE("a clock that cannot be read any more is not trusted for long, and again when it is back") {
  Bench b;
  HwTimestamp line = line_for("lo");
  line.max_poll = -3;
  b.start(line);
  b.card.gone = true;
  b.run(600ms);  // four readings missed
  CHECK(b.stamps.received(b.came(1ms))->source == StampSource::kernel);
  CHECK_FALSE(b.stamps.sent(b.left(1ms)));
  b.card.gone = false;
  const int before = b.card.readings;
  while (b.card.readings < before + 3) b.run(20ms);
  const auto received = promptly([&] {
    b.run(20ms);  // a reading
    return b.stamps.received(b.came(1ms));
  });
  CHECK(received->source == StampSource::hardware);
}

TEST_CASE("an interface that cannot stamp is one warning, of `*` none") {
  for (const int lacking : {0, 1, 2}) {
    Bench b;
    if (lacking == 0) b.card.info.tx_types = 0;
    if (lacking == 1) b.card.info.phc_index = -1;
    if (lacking == 2) b.card.device.handlers.erase(SIOCETHTOOL);
    b.stamps.switch_on({line_for("lo")});
    CHECK_FALSE(b.stamps.any());
    CHECK_FALSE(b.card.set);
    CHECK_THAT(b.logged(), Contains(lacking == 2 ? "hwtimestamp lo: cannot ask for its timestamps"
                                                 : "hwtimestamp lo: this interface does not stamp packets"));
  }
  Bench all;
  all.card.info.tx_types = 0;
  all.stamps.switch_on({line_for("*")});
  CHECK(all.logged().empty());
}

TEST_CASE("rxfilter asks for what is wanted, and a card that cannot do it stamps transmissions only") {
  using Filter = HwTimestamp::RxFilter;
  struct Case {
    Filter wanted;
    unsigned able;
    int set;
    bool transmit_only;
  };
  constexpr unsigned kAll = 1U << HWTSTAMP_FILTER_ALL, kNtp = 1U << HWTSTAMP_FILTER_NTP_ALL,
                     kPtp = 1U << HWTSTAMP_FILTER_PTP_V2_EVENT;
  for (const Case& c : {Case{Filter::automatic, kAll | kNtp, HWTSTAMP_FILTER_NTP_ALL, false},
                        Case{Filter::automatic, kPtp, HWTSTAMP_FILTER_NONE, true},
                        Case{Filter::all, kAll | kNtp, HWTSTAMP_FILTER_ALL, false},
                        Case{Filter::ntp, kAll, HWTSTAMP_FILTER_NONE, true},
                        Case{Filter::ptp, kAll | kPtp, HWTSTAMP_FILTER_PTP_V2_EVENT, true},
                        Case{Filter::none, kAll, HWTSTAMP_FILTER_NONE, true}}) {
    Bench b;
    b.card.info.rx_filters = c.able;
    HwTimestamp line = line_for("lo");
    line.rx_filter = c.wanted;
    b.stamps.switch_on({line});
    REQUIRE(b.card.set);
    CHECK(b.card.set->rx_filter == c.set);
    CHECK((b.logged().find("(TX only)") != std::string::npos) == c.transmit_only);
  }
}

TEST_CASE("stamps that another program switches off are switched on again, which is said once") {
  Bench b;
  b.start(line_for("lo"));
  while (b.card.readings < 20) b.run(20ms);
  CHECK(b.card.settings == 1);  // asked for once while nobody interferes
  for (const hwtstamp_config& theirs : {hwtstamp_config{0, HWTSTAMP_TX_OFF, HWTSTAMP_FILTER_ALL},
                                        hwtstamp_config{0, HWTSTAMP_TX_ON, HWTSTAMP_FILTER_NONE}}) {
    const int before = b.card.settings;
    b.card.set = theirs;
    while (b.card.settings == before) b.run(20ms);
    CHECK(b.card.set->tx_type == HWTSTAMP_TX_ON);
    CHECK(b.card.set->rx_filter == HWTSTAMP_FILTER_ALL);
  }
  const std::string said = "another program switched timestamps off, they are on again";
  const std::string log = b.logged();
  REQUIRE(log.find(said) != std::string::npos);
  CHECK(log.find(said, log.find(said) + 1) == std::string::npos);
}
