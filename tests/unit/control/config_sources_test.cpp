// SPDX-License-Identifier: BSD-3-Clause
// The options of source, refclock and hwtimestamp lines, and the rules that need more than one row.
#include "control/config_sources.hpp"

#include "catch.hpp"
#include "control/config_parse.hpp"
#include "memory_reader.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

namespace {

Config parse(const std::string& text) {
  auto config = parse_config(text, "test", MemoryReader{});
  if (!config) FAIL(text << " -> " << config.error().message);
  return std::move(*config);
}

std::string error_of(const std::string& text) {
  const auto config = parse_config(text, "test", MemoryReader{});
  return config ? "accepted" : config.error().message;
}

std::string joined(std::string_view a, std::string_view b, std::string_view c = "") {
  std::string text;
  return text.append(a).append(b).append(c);
}

struct SourceRow {
  const char* option;
  void (*change)(NtpSource&);
  const char* bad;
};

const SourceRow kSourceRows[] = {
    {"minpoll 4", [](NtpSource& s) { s.min_poll = 4; }, "minpoll 33"},
    {"minpoll -10", [](NtpSource& s) { s.min_poll = -7; }, "minpoll"},
    {"maxpoll 30", [](NtpSource& s) { s.max_poll = 24; }, "maxpoll x"},
    {"minpoll 12", [](NtpSource& s) { s.min_poll = s.max_poll = 12; }, "minpoll 12 minpoll 12"},
    {"iburst", [](NtpSource& s) { s.iburst = true; }, "iburst iburst"},
    {"burst", [](NtpSource& s) { s.burst = true; }, "burst 4"},
    {"key 4294967295", [](NtpSource& s) { s.key_id = 4294967295; }, "key 0"},
    {"nts", [](NtpSource& s) { s.nts = true; }, "nts nts"},
    {"ntsport 4461", [](NtpSource& s) { s.nts_port = 4461; }, "ntsport 0"},
    {"certset 3", [](NtpSource& s) { s.cert_set = 3; }, "certset -3"},
    {"xleave", [](NtpSource& s) { s.xleave = true; }, "xleave 1"},
    {"prefer", [](NtpSource& s) { s.select.prefer = true; }, "prefer prefer"},
    {"noselect", [](NtpSource& s) { s.select.noselect = true; }, "noselected"},
    {"trust", [](NtpSource& s) { s.select.trust = true; }, "trusted"},
    {"require", [](NtpSource& s) { s.select.require = true; }, "required"},
    {"offline", [](NtpSource& s) { s.offline = true; }, "online"},
    {"auto_offline", [](NtpSource& s) { s.auto_offline = true; }, "auto"},
    {"port 1123", [](NtpSource& s) { s.port = 1123; }, "port 0"},
    {"version 3", [](NtpSource& s) { s.version = std::uint8_t{3}; }, "version 5"},
    {"maxdelay 0.4", [](NtpSource& s) { s.max_delay = 400ms; }, "maxdelay -1"},
    {"maxdelayratio 2", [](NtpSource& s) { s.max_delay_ratio = 2.0; }, "maxdelayratio two"},
    {"maxdelaydevratio 5", [](NtpSource& s) { s.max_delay_dev_ratio = 5.0; }, "maxdelaydevratio"},
    {"maxdelayquant 0.2", [](NtpSource& s) { s.max_delay_quant = 0.2; }, "maxdelayquant 1.5"},
    {"mindelay 0.0001", [](NtpSource& s) { s.min_delay = 100us; }, "mindelay x"},
    {"asymmetry -0.5", [](NtpSource& s) { s.asymmetry = -0.5; }, "asymmetry 0.6"},
    {"offset -0.001", [](NtpSource& s) { s.offset = -1ms; }, "offset"},
    {"minsamples 8", [](NtpSource& s) { s.min_samples = 8; }, "minsamples -8"},
    {"maxsamples 100", [](NtpSource& s) { s.max_samples = 100; }, "maxsamples 1.5"},
    {"filter 5", [](NtpSource& s) { s.filter_length = 5; }, "filter median"},
    {"polltarget 20", [](NtpSource& s) { s.poll_target = 20; }, "polltarget 0"},
    {"presend 9", [](NtpSource& s) { s.presend_min_poll = 9; }, "presend"},
    {"minstratum 3", [](NtpSource& s) { s.min_stratum = 3; }, "minstratum 17"},
    {"maxsources 6", [](NtpSource& s) { s.max_sources = 6; }, "maxsources 0"},
    {"maxunreach 5", [](NtpSource& s) { s.max_unreach = 5; }, "maxunreach"},
    {"copy", [](NtpSource& s) { s.copy = true; }, "copy 1"},
    {"extfield F323", [](NtpSource& s) { s.ext_mono_root = true; }, "extfield F325"},
    {"extfield f323 extfield f324", [](NtpSource& s) { s.ext_mono_root = s.ext_net_correction = true; },
     "extfield F323 extfield F323"},
    {"ipv4", [](NtpSource& s) { s.family = Family::ipv4; }, "ipv5"},
    {"ipv6", [](NtpSource& s) { s.family = Family::ipv6; }, "ipv6 ipv6"},
    {"IBURST MinPoll 5",
     [](NtpSource& s) {
       s.iburst = true;
       s.min_poll = 5;
     },
     "iburst IBURST"},
};

struct RefclockRow {
  const char* line;
  void (*change)(Refclock&);
};

using Driver = Refclock::Driver;

const RefclockRow kRefclockRows[] = {
    {"PPS /dev/pps1:clear",
     [](Refclock& r) {
       r.parameter = "/dev/pps1";
       r.clear = true;
     }},
    {"SHM 11:perm=0644",
     [](Refclock& r) {
       r.driver = Driver::shm;
       r.parameter = "11";
       r.permissions = 0644;
     }},
    {"SOCK /run/gps.sock",
     [](Refclock& r) {
       r.driver = Driver::sock;
       r.parameter = "/run/gps.sock";
     }},
    {"phc /dev/ptp2:extpps:pin=-1:channel=3:nocrossts:clear",
     [](Refclock& r) {
       r.driver = Driver::phc;
       r.parameter = "/dev/ptp2";
       r.extpps = r.nocrossts = r.clear = true;
       r.pin = -1;
       r.channel = 3;
     }},
    {"PHC eth0 poll 0 dpoll -2 offset -37 stratum 1 precision 1e-7 tai",
     [](Refclock& r) {
       r.driver = Driver::phc;
       r.parameter = "eth0";
       r.poll = 0;
       r.driver_poll = -2;
       r.offset = -37s;
       r.stratum = 1;
       r.precision = Seconds{1e-7};
       r.tai = true;
     }},
    {"PPS pps0 refid GPS2 lock NMEA rate 5 maxlockage 32 width 0.2 pps delay 0.2 maxdispersion 0.1 filter 16",
     [](Refclock& r) {
       r.parameter = "pps0";
       r.refid = "GPS2";
       r.lock = "NMEA";
       r.rate = 5;
       r.max_lock_age = 32;
       r.width = 200ms;
       r.pps = true;
       r.delay = 200ms;
       r.max_dispersion = 100ms;
       r.filter_length = 16;
     }},
    {"PPS pps0 prefer noselect trust require local minsamples 4 maxsamples 32 maxunreach 9",
     [](Refclock& r) {
       r.parameter = "pps0";
       r.select = {true, true, true, true};
       r.local = true;
       r.min_samples = 4;
       r.max_samples = 32;
       r.max_unreach = 9;
     }},
};

}  // namespace

TEST_CASE("every option of server, pool and peer changes its own field") {
  for (const char* kind : {"server", "pool", "peer"}) {
    for (const auto& row : kSourceRows) {
      const std::string line = joined(kind, " ntp.example.com ");
      INFO(line << row.option);
      const auto config = parse(joined(line, row.option));
      REQUIRE(config.sources.size() == 1);
      NtpSource expected;
      expected.kind = config.sources[0].kind;
      expected.name = "ntp.example.com";
      const NtpSource plain = expected;
      row.change(expected);
      CHECK(config.sources[0] == expected);
      CHECK_FALSE(config.sources[0] == plain);
      CHECK(error_of(joined(line, row.bad)).find(joined("test:1: ", kind)) == 0);
      CHECK(error_of(joined(line, row.bad)).find("expected") != std::string::npos);
    }
  }
}

TEST_CASE("a slip in an option is answered with the option that was meant") {
  CHECK(error_of("server a.example iburts") ==
        "test:1: server: expected an option, found \"iburts\" (did you mean iburst?)");
  CHECK(error_of("local orfan") ==
        "test:1: local: expected stratum, orphan, distance, activate, waitsynced or waitunsynced, found "
        "\"orfan\" "
        "(did you mean orphan?)");
  CHECK(error_of("server a.example iburst iburst") ==
        "test:1: server: expected each option once, found \"iburst\"");
}

TEST_CASE("source names are host names or addresses, with a scope where that means something") {
  for (const char* name :
       {"a", "ntp-1.example.com.", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "x_y.z", "3com.net"})
    CHECK(parse(joined("server ", name)).sources[0].name == name);
  for (const char* name :
       {"192.0.2", "1234", "a..b/c", "-a", ".a", "2001:db8:::1", "192.0.2.1%eth0", "fe80::1%", "a:b"})
    CHECK(error_of(joined("server ", name)).find("expected a host name or IP address") != std::string::npos);
}

TEST_CASE("every refclock option and driver option changes its own field") {
  for (const auto& row : kRefclockRows) {
    INFO(row.line);
    const auto config = parse(joined("refclock ", row.line));
    REQUIRE(config.refclocks.size() == 1);
    Refclock expected;
    row.change(expected);
    CHECK(config.refclocks[0] == expected);
  }
}

TEST_CASE("a refclock line that makes no sense is refused with what would") {
  CHECK(error_of("refclock PPS") ==
        "test:1: refclock: expected a device, or a device and \":clear\", found the end of the line");
  CHECK(error_of("refclock SHM one") ==
        "test:1: refclock: expected a segment number, or a segment number and \":perm=MODE\", found \"one\"");
  for (const char* line : {"SHM 0:perm=", "SHM 0:perm=999", "SHM 0:perm=1000", "SHM 300", "SOCK /a:b",
                           "PPS /dev/pps0:", "PPS :clear", "PHC /dev/ptp0:pin=-2", "PHC /dev/ptp0:pin",
                           "PPS /dev/pps0 refid ABCDE", "PPS /dev/pps0 refid", "PPS /dev/pps0 stratum 16",
                           "PPS p poll", "PPS p filter 0"}) {
    INFO(line);
    CHECK(error_of(joined("refclock ", line)).find("test:1: refclock") == 0);
  }
}

TEST_CASE("the RTC driver is accepted with a warning and makes no source") {
  const auto config = parse("refclock RTC /dev/rtc0:utc");
  CHECK(config.refclocks.empty());
  REQUIRE_FALSE(config.warnings.empty());
  CHECK(config.warnings[0].to_string() ==
        "test:1: refclock RTC: not supported, ignored: use rtcsync, or another reference clock");
}

TEST_CASE("hwtimestamp options change their own field and the longest poll follows the shortest") {
  const auto config = parse(
      "hwtimestamp eth0 minpoll -2 maxpoll 4 minsamples 3 maxsamples 32 precision 5e-8 txcomp 3e-7 rxcomp "
      "-6e-7 "
      "nocrossts rxfilter ptp\nhwtimestamp eth1 minpoll 3\n");
  REQUIRE(config.hw_timestamps.size() == 2);
  const HwTimestamp expected{"eth0",
                             -2,
                             4,
                             3,
                             32,
                             Seconds{5e-8},
                             Seconds{3e-7},
                             Seconds{-6e-7},
                             true,
                             HwTimestamp::RxFilter::ptp,
                             true,
                             true,
                             true};
  CHECK(config.hw_timestamps[0] == expected);
  CHECK(config.hw_timestamps[1].min_poll == 3);
  CHECK(config.hw_timestamps[1].max_poll == 4);
  CHECK(config.hw_timestamps[1].polls_given);
  CHECK_FALSE(config.hw_timestamps[1].samples_given);
  CHECK(error_of("hwtimestamp eth0 minpoll -7").find("from -6 to 20") != std::string::npos);
}

TEST_CASE("hwtimestamp takes the PCI address of a port, written as its dataplane line has it") {
  const auto config = parse("dataplane pci 3b:00.0 address 192.0.2.1/24\nhwtimestamp 3B:00.0 rxcomp 1e-7\n");
  REQUIRE(config.hw_timestamps.size() == 1);
  CHECK(config.hw_timestamps[0].interface == "0000:3b:00.0");
  CHECK(config.hw_timestamps[0].interface == config.dataplanes.at(0).device);
  const auto lost = parse("hwtimestamp 0000:3b:00.1\n");
  REQUIRE(lost.warnings.size() == 1);
  CHECK(lost.warnings[0].to_string() ==
        "test:1: hwtimestamp: no dataplane line has 0000:3b:00.1, so nothing is stamped there");
}
