// SPDX-License-Identifier: BSD-3-Clause
// Every directive: one good line with exactly the settings it changes, one bad line with exactly its error.
#include "control/config_directives.hpp"

#include <set>

#include "catch.hpp"
#include "control/config_parse.hpp"
#include "memory_reader.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

namespace {

struct Row {
  const char* good;
  void (*change)(Settings&);  // from the defaults to what `good` means
  const char* bad;
  const char* error;  // behind "test:1: "
};

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

IpPrefix subnet(const char* address, unsigned bits) {
  return *IpPrefix::of(ip(address), bits);
}

NtpSource source(NtpSource::Kind kind, const char* name) {
  NtpSource s;
  s.kind = kind;
  s.name = name;
  return s;
}

using S = Settings;

const Row kRows[] = {
    // sources
    {"server ntp.example.com", [](S& s) { s.sources = {source(NtpSource::Kind::server, "ntp.example.com")}; },
     "server", "server: expected a host name or IP address, found the end of the line"},
    {"pool 2.debian.pool.ntp.org maxsources 16",
     [](S& s) {
       s.sources = {source(NtpSource::Kind::pool, "2.debian.pool.ntp.org")};
       s.sources[0].max_sources = 16;
     },
     "pool p.example maxsources 17", "pool maxsources: expected a whole number from 1 to 16, found \"17\""},
    {"peer 2001:db8::1", [](S& s) { s.sources = {source(NtpSource::Kind::peer, "2001:db8::1")}; },
     "peer 192.0.2.300", "peer: expected a host name or IP address, found \"192.0.2.300\""},
    {"initstepslew 10 a.example 192.0.2.1",
     [](S& s) {
       s.init_step_slew = {Seconds{10.0}, {"a.example", "192.0.2.1"}};
     },
     "initstepslew fast", "initstepslew: expected seconds, 0 or more, found \"fast\""},
    {"refclock PPS /dev/pps0",
     [](S& s) {
       s.refclocks.resize(1);
       s.refclocks[0].parameter = "/dev/pps0";
     },
     "refclock GPS 0", "refclock: expected PPS, SHM, SOCK, PHC or RTC, found \"GPS\""},
    {"manual", [](S& s) { s.manual = true; }, "manual on",
     "manual: expected the end of the line, found \"on\""},
    {"acquisitionport 1123", [](S& s) { s.acquisition_port = 1123; }, "acquisitionport 65536",
     "acquisitionport: expected a whole number from 0 to 65535, found \"65536\""},
    {"bindacqaddress 192.0.2.1", [](S& s) { s.acquisition_address_v4 = ip("192.0.2.1"); },
     "bindacqaddress eth0", "bindacqaddress: expected an IPv4 or IPv6 address, found \"eth0\""},
    {"bindacqdevice eth0", [](S& s) { s.acquisition_device = "eth0"; }, "bindacqdevice /dev/eth0",
     "bindacqdevice: expected a network interface name such as eth0, found \"/dev/eth0\""},
    {"dscp 46", [](S& s) { s.dscp = 46; }, "dscp 64",
     "dscp: expected a whole number from 0 to 63, found \"64\""},
    {"dumpdir /run/chrony", [](S& s) { s.dump_directory = "/run/chrony"; }, "dumpdir",
     "dumpdir: expected a path, found the end of the line"},
    {"maxsamples 30", [](S& s) { s.max_samples = 30; }, "maxsamples many",
     "maxsamples: expected a whole number, 0 or more, found \"many\""},
    {"minsamples 10", [](S& s) { s.min_samples = 10; }, "minsamples -1",
     "minsamples: expected a whole number, 0 or more, found \"-1\""},
    {"ntsaeads 15 30",
     [](S& s) {
       s.nts_aeads = {15, 30};
     },
     "ntsaeads 15 15", "ntsaeads: expected each AEAD number once, found \"15\""},
    {"ntsdumpdir /var/lib/chrony", [](S& s) { s.nts_dump_directory = "/var/lib/chrony"; }, "ntsdumpdir a b",
     "ntsdumpdir: expected the end of the line, found \"b\""},
    {"ntscachedir /var/lib/chrony", [](S& s) { s.nts_dump_directory = "/var/lib/chrony"; }, "ntscachedir",
     "ntsdumpdir: expected a path, found the end of the line"},
    {"ntsrefresh 3600", [](S& s) { s.nts_refresh = 1h; }, "ntsrefresh 1.5",
     "ntsrefresh: expected a whole number, 0 or more, found \"1.5\""},
    {"ntstrustedcerts 2 /etc/pki/a.pem",
     [](S& s) {
       s.nts_trusted_certs = {{2, "/etc/pki/a.pem"}};
     },
     "ntstrustedcerts one /etc/pki/a.pem",
     "ntstrustedcerts: expected a certificate set number from 0 to 4294967295, found \"one\""},
    {"nosystemcert", [](S& s) { s.no_system_cert = true; }, "nosystemcert 1",
     "nosystemcert: expected the end of the line, found \"1\""},
    {"nocerttimecheck 1", [](S& s) { s.no_cert_time_check = 1; }, "nocerttimecheck",
     "nocerttimecheck: expected a whole number, 0 or more, found the end of the line"},
    {"refresh 3600", [](S& s) { s.name_refresh = 1h; }, "refresh never",
     "refresh: expected a whole number, 0 or more, found \"never\""},
    {"sourcedir /run/a /run/b", [](S& s) { s.source_directories = {"/run/a /run/b"}; }, "sourcedir",
     "sourcedir: expected a directory, found the end of the line"},
    {"keyfile /etc/chrony/chrony.keys", [](S& s) { s.key_file = "/etc/chrony/chrony.keys"; },
     "keyfile /etc/my keys", "keyfile: expected the end of the line, found \"keys\""},
    {"hwtimestamp *",
     [](S& s) {
       s.hw_timestamps.resize(1);
       s.hw_timestamps[0].interface = "*";
     },
     "hwtimestamp eth0 rxfilter some",
     "hwtimestamp rxfilter: expected all, ntp, ptp or none, found \"some\""},
    {"hwtstimeout 0.005", [](S& s) { s.hw_timestamp_timeout = Seconds{0.005}; }, "hwtstimeout -1",
     "hwtstimeout: expected seconds, 0 or more, found \"-1\""},
    {"maxtxbuffers 64", [](S& s) { s.max_tx_buffers = 64; }, "maxtxbuffers x",
     "maxtxbuffers: expected a whole number, 0 or more, found \"x\""},
    // selection
    {"authselectmode require", [](S& s) { s.auth_select_mode = AuthSelectMode::require; },
     "authselectmode never", "authselectmode: expected require, prefer, mix or ignore, found \"never\""},
    {"combinelimit 0", [](S& s) { s.combine_limit = 0.0; }, "combinelimit nan",
     "combinelimit: expected a number, 0 or more, found \"nan\""},
    {"maxdistance 16", [](S& s) { s.max_distance = 16s; }, "maxdistance 0x10",
     "maxdistance: expected seconds, 0 or more, found \"0x10\""},
    {"maxjitter 0.5", [](S& s) { s.max_jitter = 500ms; }, "maxjitter inf",
     "maxjitter: expected seconds, 0 or more, found \"inf\""},
    {"maxstratum 4", [](S& s) { s.max_stratum = 4; }, "maxstratum 16",
     "maxstratum: expected a whole number from 0 to 15, found \"16\""},
    {"minstratum 2", [](S& s) { s.min_stratum = 2; }, "minstratum -2",
     "minstratum: expected a whole number from 0 to 15, found \"-2\""},
    {"minsources 2", [](S& s) { s.min_sources = 2; }, "minsources 0",
     "minsources: expected a whole number from 1 to 1000000, found \"0\""},
    {"reselectdist 1e-3", [](S& s) { s.reselect_distance = 1ms; }, "reselectdist 1e",
     "reselectdist: expected seconds, 0 or more, found \"1e\""},
    {"stratumweight 0", [](S& s) { s.stratum_weight = 0s; }, "stratumweight low",
     "stratumweight: expected seconds, 0 or more, found \"low\""},
    // system clock
    {"clockprecision 20e-9", [](S& s) { s.clock_precision = Seconds{20e-9}; }, "clockprecision 20ns",
     "clockprecision: expected seconds, 0 or more, found \"20ns\""},
    {"corrtimeratio 10", [](S& s) { s.correction_time_ratio = 10.0; }, "corrtimeratio",
     "corrtimeratio: expected a number, 0 or more, found the end of the line"},
    {"driftfile /var/lib/chrony/drift interval 600",
     [](S& s) {
       s.drift_file = "/var/lib/chrony/drift";
       s.drift_file_interval = 10min;
     },
     "driftfile /var/lib/chrony/drift every 600", "driftfile: expected interval, found \"every\""},
    {"fallbackdrift 16 19",
     [](S& s) {
       s.fallback_drift = {16, 19};
     },
     "fallbackdrift 19 16", "fallbackdrift: expected a maximum that is not below the minimum, found \"16\""},
    {"leapsecmode slew", [](S& s) { s.leap_second_mode = LeapSecondMode::slew; }, "leapsecmode smear",
     "leapsecmode: expected system, step, slew or ignore, found \"smear\""},
    {"leapsectz right/UTC", [](S& s) { s.leap_second_timezone = "right/UTC"; }, "leapsectz",
     "leapsectz: expected a time zone such as right/UTC, found the end of the line"},
    {"leapseclist /usr/share/zoneinfo/leap-seconds.list",
     [](S& s) { s.leap_second_list = "/usr/share/zoneinfo/leap-seconds.list"; }, "leapseclist",
     "leapseclist: expected a path, found the end of the line"},
    {"makestep 0.1 -1",
     [](S& s) {
       s.make_step = {Seconds{0.1}, -1};
     },
     "makestep 1", "makestep: expected a whole number, found the end of the line"},
    {"maxchange 1000 1 2",
     [](S& s) {
       s.max_change = MaxChange{1000s, 1, 2};
     },
     "maxchange 1000 1", "maxchange: expected a whole number, found the end of the line"},
    {"maxclockerror 0.5", [](S& s) { s.max_clock_error_ppm = 0.5; }, "maxclockerror -1",
     "maxclockerror: expected a number, 0 or more, found \"-1\""},
    {"maxdrift 100", [](S& s) { s.max_drift_ppm = 100.0; }, "maxdrift much",
     "maxdrift: expected a number, 0 or more, found \"much\""},
    {"maxupdateskew 100.0", [](S& s) { s.max_update_skew_ppm = 100.0; }, "maxupdateskew 100 0",
     "maxupdateskew: expected the end of the line, found \"0\""},
    {"maxslewrate 1000", [](S& s) { s.max_slew_rate_ppm = 1000.0; }, "maxslewrate 1000ppm",
     "maxslewrate: expected a number, 0 or more, found \"1000ppm\""},
    {"tempcomp /sys/temp 30 26000 0.0 0.000183 0.0",
     [](S& s) {
       s.temperature_compensation =
           TemperatureCompensation{"/sys/temp", 30s, TemperatureCoefficients{26000.0, 0.0, 0.000183, 0.0}};
     },
     "tempcomp /sys/temp 30 26000 0.0", "tempcomp: expected a number, found the end of the line"},
    {"rtcsync", [](S& s) { s.rtc_sync = true; }, "rtcsync yes",
     "rtcsync: expected the end of the line, found \"yes\""},
    {"hwclockfile /etc/adjtime", [](S& s) { s.hw_clock_file = "/etc/adjtime"; }, "hwclockfile",
     "hwclockfile: expected a path, found the end of the line"},
    {"rtcdevice /dev/rtc1", [](S& s) { s.rtc_device = "/dev/rtc1"; }, "rtcdevice",
     "rtcdevice: expected a path, found the end of the line"},
    {"rtconutc", [](S& s) { s.rtc_on_utc = true; }, "rtconutc 1",
     "rtconutc: expected the end of the line, found \"1\""},
    {"rtcfile /var/lib/chrony/rtc", [](S& s) { s.rtc_file = "/var/lib/chrony/rtc"; }, "rtcfile",
     "rtcfile: expected a path, found the end of the line"},
    {"rtcautotrim 30", [](S& s) { s.rtc_auto_trim = Seconds{30.0}; }, "rtcautotrim",
     "rtcautotrim: expected seconds, 0 or more, found the end of the line"},
    // NTP server
    {"allow 10.20",
     [](S& s) {
       s.access_rules = {{true, false, subnet("10.20.0.0", 16), ""}};
     },
     "allow 10.20/33",
     "allow: expected an address, a subnet such as 192.0.2.0/24 or 10.20, or a host name, found "
     "\"10.20/33\""},
    {"deny all 2001:db8::/32",
     [](S& s) {
       s.access_rules = {{false, true, subnet("2001:db8::", 32), ""}};
     },
     "deny all all",
     "deny: expected an address, a subnet such as 192.0.2.0/24 or 10.20, or a host name, found \"all\""},
    {"bindaddress ::", [](S& s) { s.bind_address_v6 = ip("::"); }, "bindaddress 192.0.2.1 192.0.2.2",
     "bindaddress: expected the end of the line, found \"192.0.2.2\""},
    {"binddevice eth0.100", [](S& s) { s.bind_device = "eth0.100"; }, "binddevice averyveryverylongname",
     "binddevice: expected a network interface name such as eth0, found \"averyveryverylongname\""},
    {"broadcast 64 192.0.2.255 1123",
     [](S& s) {
       s.broadcasts = {{64s, ip("192.0.2.255"), 1123}};
     },
     "broadcast 0 192.0.2.255", "broadcast: expected a whole number, 1 or more, found \"0\""},
    {"clientloglimit 2147483648", [](S& s) { s.client_log_limit = 2147483648; }, "clientloglimit 1G",
     "clientloglimit: expected a whole number, 0 or more, found \"1G\""},
    {"noclientlog", [](S& s) { s.no_client_log = true; }, "noclientlog 1",
     "noclientlog: expected the end of the line, found \"1\""},
    {"local stratum 8",
     [](S& s) {
       s.local.enabled = true;
       s.local.stratum = 8;
     },
     "local stratum 16", "local stratum: expected a whole number from 1 to 15, found \"16\""},
    {"ntpsigndsocket /run/samba", [](S& s) { s.ntp_signd_socket = "/run/samba"; }, "ntpsigndsocket",
     "ntpsigndsocket: expected a path, found the end of the line"},
    {"ntsport 14460", [](S& s) { s.nts_port = 14460; }, "ntsport nts",
     "ntsport: expected a whole number from 0 to 65535, found \"nts\""},
    {"ntsservercert /c.pem\nntsserverkey /k.pem",
     [](S& s) {
       s.nts_server_certs = {"/c.pem"};
       s.nts_server_keys = {"/k.pem"};
     },
     "ntsservercert", "ntsservercert: expected a path, found the end of the line"},
    {"ntsserverkey /k.pem\nntsservercert /c.pem",
     [](S& s) {
       s.nts_server_certs = {"/c.pem"};
       s.nts_server_keys = {"/k.pem"};
     },
     "ntsserverkey /k.pem",
     "ntsserverkey: expected an ntsserverkey line for each ntsservercert line, found 1 and 0"},
    {"ntsprocesses 4", [](S& s) { s.nts_processes = 4; }, "ntsprocesses 1001",
     "ntsprocesses: expected a whole number from 0 to 1000, found \"1001\""},
    {"maxntsconnections 400", [](S& s) { s.nts_max_connections = 400; }, "maxntsconnections 0",
     "maxntsconnections: expected a whole number from 1 to 1000000, found \"0\""},
    {"ntsntpserver ntp.example.com", [](S& s) { s.nts_ntp_server = "ntp.example.com"; }, "ntsntpserver a/b",
     "ntsntpserver: expected a host name or IP address, found \"a/b\""},
    {"ntsrotate 0", [](S& s) { s.nts_rotate = 0s; }, "ntsrotate weekly",
     "ntsrotate: expected a whole number, 0 or more, found \"weekly\""},
    {"ntsratelimit interval 5", [](S& s) { s.nts_rate_limit = {.enabled = true, .interval = 5}; },
     "ntsratelimit kod 1", "ntsratelimit: expected interval, burst or leak, found \"kod\""},
    {"port 0", [](S& s) { s.port = 0; }, "port 99999",
     "port: expected a whole number from 0 to 65535, found \"99999\""},
    {"ratelimit interval -2 burst 16 leak 3 kod 2",
     [](S& s) {
       s.rate_limit = {true, -2, 16, 3, 2};
     },
     "ratelimit interval 13", "ratelimit interval: expected a whole number from -19 to 12, found \"13\""},
    {"smoothtime 400 0.001024 leaponly",
     [](S& s) {
       s.smooth_time = {true, 400.0, 0.001024, true};
     },
     "smoothtime 400", "smoothtime: expected a number, 0 or more, found the end of the line"},
    {"smoothtime linear",
     [](S& s) {
       s.smooth_time = {true, 0.0, 0.0, false, true};
     },
     "smoothtime linear leaponly", "smoothtime: expected the end of the line, found \"leaponly\""},
    {"ptpport 319", [](S& s) { s.ptp_port = 319; }, "ptpport -1",
     "ptpport: expected a whole number from 0 to 65535, found \"-1\""},
    {"ptpdomain 44", [](S& s) { s.ptp_domain = 44; }, "ptpdomain 256",
     "ptpdomain: expected a whole number from 0 to 255, found \"256\""},
    // command port, logs, process
    {"bindcmdaddress /", [](S& s) { s.command_socket = ""; }, "bindcmdaddress chronyd.sock",
     "bindcmdaddress: expected an IP address or the absolute path of a Unix socket, found \"chronyd.sock\""},
    {"bindcmddevice lo", [](S& s) { s.command_device = "lo"; }, "bindcmddevice",
     "bindcmddevice: expected a network interface name such as eth0, found the end of the line"},
    {"cmdallow 192.0.2.7",
     [](S& s) {
       s.command_access_rules = {{true, false, subnet("192.0.2.7", 32), ""}};
     },
     "cmdallow 1.2.3.4.5",
     "cmdallow: expected an address, a subnet such as 192.0.2.0/24 or 10.20, or a host name, found "
     "\"1.2.3.4.5\""},
    {"cmddeny",
     [](S& s) {
       s.command_access_rules = {{false, false, std::nullopt, ""}};
     },
     "cmddeny 10/8 11/8", "cmddeny: expected the end of the line, found \"11/8\""},
    {"cmdport 0", [](S& s) { s.command_port = 0; }, "cmdport off",
     "cmdport: expected a whole number from 0 to 65535, found \"off\""},
    {"cmdratelimit burst 9",
     [](S& s) {
       s.command_rate_limit = {true, -4, 9, 2, 0};
     },
     "cmdratelimit leak 5", "cmdratelimit leak: expected a whole number from 1 to 4, found \"5\""},
    {"opencommands Tracking clients",
     [](S& s) {
       s.open_commands = {"tracking", "clients"};
     },
     "opencommands shutdown",
     "opencommands: expected activity, authdata, clients, manual, ntpdata, rtcdata, selectdata, serverstats, "
     "smoothing, sourcename, sources, sourcestats or tracking, found \"shutdown\""},
    {"log measurements tracking", [](S& s) { s.logs.measurements = s.logs.tracking = true; },
     "log everything",
     "log: expected measurements, rawmeasurements, statistics, tracking, rtc, refclocks, tempcomp or "
     "selection, "
     "found \"everything\""},
    {"logdir /var/log/chrony", [](S& s) { s.log_directory = "/var/log/chrony"; }, "logdir",
     "logdir: expected a path, found the end of the line"},
    {"logbanner 0", [](S& s) { s.log_banner = 0; }, "logbanner no",
     "logbanner: expected a whole number, 0 or more, found \"no\""},
    {"logchange 0.1", [](S& s) { s.log_change = 100ms; }, "logchange",
     "logchange: expected seconds, 0 or more, found the end of the line"},
    {"mailonchange root@localhost 0.5",
     [](S& s) {
       s.mail_on_change = "root@localhost";
       s.mail_on_change_threshold = 500ms;
     },
     "mailonchange root@localhost", "mailonchange: expected seconds, 0 or more, found the end of the line"},
    {"include /etc/none/*.conf", nullptr, "include",
     "include: expected a file name or pattern, found the end of the line"},
    {"confdir /etc/none", [](S&) {}, "confdir", "confdir: expected a directory, found the end of the line"},
    {"lock_all", [](S& s) { s.lock_memory = true; }, "lock_all 1",
     "lock_all: expected the end of the line, found \"1\""},
    {"sched_priority 1", [](S& s) { s.scheduler_priority = 1; }, "sched_priority 101",
     "sched_priority: expected a whole number from 0 to 100, found \"101\""},
    {"pidfile /run/wiretimed.pid", [](S& s) { s.pid_file = "/run/wiretimed.pid"; }, "pidfile",
     "pidfile: expected a path, found the end of the line"},
    {"user _chrony", [](S& s) { s.user = "_chrony"; }, "user",
     "user: expected a user name, found the end of the line"},
    {"dumponexit", [](S&) {}, nullptr, nullptr},
    {"commandkey 1", [](S&) {}, nullptr, nullptr},
    {"generatecommandkey", [](S&) {}, nullptr, nullptr},
    {"linux_freq_scale 1.0", [](S&) {}, nullptr, nullptr},
    {"linux_hz 100", [](S&) {}, nullptr, nullptr},
    // ours
    {"dataplane af_packet eth1",
     [](S& s) {
       s.dataplanes.resize(1);
       s.dataplanes[0].kind = server::DataplaneConfig::Kind::af_packet;
       s.dataplanes[0].device = "eth1";
     },
     "dataplane dpdk eth1", "dataplane: expected af_xdp, af_packet, pci, memif or vdev, found \"dpdk\""},
    {"workercpus 8,2-4",
     [](S& s) {
       s.worker_cpus = {2, 3, 4, 8};
       s.worker_idle = server::WorkerIdle::spin;
     },
     "workercpus 2-4,3", "workercpus: expected each CPU once, found \"2-4,3\""},
    {"controlcpu 1", [](S& s) { s.control_cpu = 1; }, "controlcpu 1024",
     "controlcpu: expected a whole number from 0 to 1023, found \"1024\""},
    {"workeridle spin", [](S& s) { s.worker_idle = server::WorkerIdle::spin; }, "workeridle sleep",
     "workeridle: expected spin or nap, found \"sleep\""},
    {"hugepages off", [](S& s) { s.hugepages = server::Hugepages::off; }, "hugepages 1",
     "hugepages: expected on, off or auto, found \"1\""},
    {"metricsport 9123", [](S& s) { s.metrics_port = 9123; }, "metricsport 70000",
     "metricsport: expected a whole number from 0 to 65535, found \"70000\""},
    {"bindmetricsaddress 0.0.0.0", [](S& s) { s.metrics_addresses = {ip("0.0.0.0")}; },
     "bindmetricsaddress *", "bindmetricsaddress: expected an IPv4 or IPv6 address, found \"*\""},
};

std::string first_word(const std::string& line) {
  return line.substr(0, line.find(' '));
}

}  // namespace

TEST_CASE("every directive changes exactly the settings it is about") {
  const MemoryReader reader{{{"/etc/none/readme", ""}}};
  const auto defaults = parse_config("", "test", reader);
  REQUIRE(defaults);
  for (const auto& row : kRows) {
    INFO(row.good);
    const auto config = parse_config(row.good, "test", reader);
    if (!config) INFO(config.error().message);
    REQUIRE(config);
    Settings expected = *defaults;
    if (row.change != nullptr) row.change(expected);
    CHECK(config->settings() == expected);
    if (row.change != nullptr && std::string{row.good} != "confdir /etc/none" && row.bad != nullptr)
      CHECK_FALSE(config->settings() == defaults->settings());
  }
}

TEST_CASE("every directive says what it expected and what it found") {
  const MemoryReader reader;
  for (const auto& row : kRows) {
    if (row.error == nullptr) continue;
    INFO(row.bad);
    const auto config = parse_config(row.bad, "test", reader);
    REQUIRE_FALSE(config);
    CHECK(config.error().message == std::string{"test:1: "} + row.error);
  }
}

TEST_CASE("every directive of the table has its test") {
  std::set<std::string> tested;
  for (const auto& row : kRows)
    tested.insert(first_word(row.good).substr(0, first_word(row.good).find('\n')));
  for (const auto name : directive_names()) {
    INFO(name);
    CHECK(tested.count(std::string{name}) == 1);
  }
  std::set<std::string_view> unique;
  for (const auto name : directive_names()) CHECK(unique.insert(name).second);
}

TEST_CASE("directive names are known in any case") {
  const auto config = parse_config("PORT 11123\nBindAddress 192.0.2.1\n", "test", MemoryReader{});
  REQUIRE(config);
  CHECK(config->port == 11123);
  CHECK(config->bind_address_v4 == ip("192.0.2.1"));
}
