// SPDX-License-Identifier: BSD-3-Clause
// The parser's own rules: lines, files, duplicates, warnings, printing.
#include "control/config_parse.hpp"

#include <algorithm>
#include <random>

#include "catch.hpp"
#include "control/config_directives.hpp"
#include "memory_reader.hpp"

using namespace wiretime;
using namespace wiretime::control;

namespace {

Config parse(const std::string& text, const MemoryReader& reader = {}) {
  auto config = parse_config(text, "test", reader);
  if (!config) FAIL(text << " -> " << config.error().message);
  return std::move(*config);
}

std::string error_of(const std::string& text, const MemoryReader& reader = {}) {
  const auto config = parse_config(text, "test", reader);
  return config ? "accepted" : config.error().message;
}

std::vector<std::string> warnings_of(const Config& config) {
  std::vector<std::string> texts;
  for (const auto& warning : config.warnings) texts.push_back(warning.to_string());
  return texts;
}

using Texts = std::vector<std::string>;

// Debian 12's default file, directives only, and the one of a small pool server.
constexpr const char* kDebian =
    "confdir /etc/chrony/conf.d\n"
    "pool 2.debian.pool.ntp.org iburst\n"
    "sourcedir /run/chrony-dhcp\n"
    "sourcedir /etc/chrony/sources.d\n"
    "keyfile /etc/chrony/chrony.keys\n"
    "driftfile /var/lib/chrony/chrony.drift\n"
    "ntsdumpdir /var/lib/chrony\n"
    "#log tracking measurements statistics\n"
    "logdir /var/log/chrony\n"
    "maxupdateskew 100.0\n"
    "rtcsync\n"
    "makestep 1 3\n"
    "leapsectz right/UTC\n";

}  // namespace

TEST_CASE("blank lines and lines that start with ! ; # or % are comments, other signs are text") {
  const auto config = parse("\n \t \r\n# a\n  ! b\n;c\n\t%d\nkeyfile /etc/#keys\n");
  CHECK(config.lines.size() == 1);
  CHECK(config.key_file == "/etc/#keys");
}

TEST_CASE("white space between words does not matter") {
  const auto config = parse(" \t local\t\tstratum   5\r\n\vport 11\f");
  CHECK(config.local.stratum == 5);
  CHECK(config.port == 11);
  CHECK(print_config(config) == "local stratum 5\nport 11\n");
}

TEST_CASE("a line may have 2048 characters and not one more; a comment may be as long as it likes") {
  CHECK(parse("logdir /" + std::string(2040, 'x')).log_directory.size() == 2041);
  CHECK(error_of("\nlogdir /" + std::string(2041, 'x')) ==
        "test:2: expected at most 2048 characters in a line, found 2049");
  CHECK(parse("#" + std::string(5000, 'x')).lines.empty());
}

TEST_CASE("bytes that no directive contains are refused") {
  CHECK(error_of(std::string{"logdir /a\0b", 11}) ==
        "test:1: expected printable text, found a byte of value 0");
  CHECK(error_of("port 1\x7f") == "test:1: expected printable text, found a byte of value 127");
  CHECK(parse("logdir /var/l\xC3\xB6g").log_directory == "/var/l\xC3\xB6g");
  CHECK(error_of("port \xC3\xB6") ==
        "test:1: port: expected a whole number from 0 to 65535, found \"\\xc3\\xb6\"");
}

TEST_CASE("an unknown directive is an error that names the one probably meant") {
  CHECK(error_of("\n\nprot 123") == "test:3: expected a directive, found \"prot\" (did you mean port?)");
  CHECK(error_of("sever a.example") ==
        "test:1: expected a directive, found \"sever\" (did you mean server?)");
  CHECK(error_of("workercpu 1") ==
        "test:1: expected a directive, found \"workercpu\" (did you mean workercpus?)");
  CHECK(error_of("frobnicate") == "test:1: expected a directive, found \"frobnicate\"");
}

TEST_CASE("long words are cut in messages") {
  const std::string error = error_of("port " + std::string(500, '7'));
  CHECK(error.size() < 150);
  CHECK(error.find("...\"") != std::string::npos);
}

TEST_CASE("directives on the command line are lines of their own") {
  const Texts words{"port 0", "# comment", "allow 10.0.0.0/8"};
  const auto config = parse_config_lines(words, MemoryReader{});
  REQUIRE(config);
  CHECK(config->port == 0);
  CHECK(config->access_rules.size() == 1);
  const auto wrong = parse_config_lines(Texts{"port 0", "port x"}, MemoryReader{});
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message ==
        "command line:2: port: expected a whole number from 0 to 65535, found \"x\"");
}

TEST_CASE("a configuration file that is not there is named with the reason") {
  const auto config = parse_config_file("/etc/none.conf", MemoryReader{});
  REQUIRE_FALSE(config);
  CHECK(config.error().message ==
        "expected a readable file, found \"/etc/none.conf\": No such file or directory");
}

TEST_CASE("include reads a file in place, and its errors carry its own name") {
  const MemoryReader reader{
      {{"/etc/a.conf", "port 1\nlocal stratum 3\n"}, {"/etc/bad.conf", "\nport one\n"}}};
  const auto config = parse("include /etc/a.conf\nport 2\n", reader);
  CHECK(config.port == 2);
  CHECK(config.local.stratum == 3);
  CHECK(warnings_of(config) == Texts{"test:2: port: given again, replaces the line at /etc/a.conf:1"});
  CHECK(print_config(config) == "port 1\nlocal stratum 3\nport 2\n");
  CHECK(error_of("include /etc/bad.conf", reader) ==
        "/etc/bad.conf:2: port: expected a whole number from 0 to 65535, found \"one\"");
  CHECK(error_of("port 1\ninclude /etc/none.conf", reader) ==
        "test:2: include: expected a readable file, found \"/etc/none.conf\": No such file or directory");
}

TEST_CASE("include patterns read their matches in the order of their names") {
  const MemoryReader reader{{{"/etc/c/20-b.conf", "keyfile /b"},
                             {"/etc/c/10-a.conf", "keyfile /a"},
                             {"/etc/c/30.txt", "port x"},
                             {"/etc/c/.hidden.conf", "port x"},
                             {"/etc/d/1/x.conf", "logdir /1"},
                             {"/etc/d/2/x.conf", "logdir /2"},
                             {"/etc/d/3", "port x"}}};
  CHECK(print_config(parse("include /etc/c/*.conf", reader)) == "keyfile /a\nkeyfile /b\n");
  CHECK(print_config(parse("include /etc/c/[13]?-*.conf", reader)) == "keyfile /a\n");
  CHECK(print_config(parse("include /etc/d/*/x.conf", reader)) == "logdir /1\nlogdir /2\n");
  CHECK(parse("include /etc/c/*.none", reader).lines.empty());
  CHECK(error_of("include /etc/none/*.conf", reader) ==
        "test:1: include: expected a directory to search for \"/etc/none/*.conf\", found /etc/none: No such "
        "file or "
        "directory");
}

TEST_CASE("files that include one another without end are refused") {
  std::map<std::string, std::string> chain;
  for (int i = 0; i < 20; ++i) chain["/c" + std::to_string(i)] = "include /c" + std::to_string(i + 1) + "\n";
  CHECK(error_of("include /c0", MemoryReader{chain}).find("at most 10 files inside one another") !=
        std::string::npos);
  chain["/c3"] = "port 3\ninclude /c0\n";
  CHECK(error_of("include /c0", MemoryReader{chain}) ==
        "/c3:2: include: expected a file that is not being read already, found \"/c0\"");
  chain["/c3"] = "port 3\n";
  CHECK(parse("include /c0", MemoryReader{chain}).port == 3);
}

TEST_CASE("the number of files is limited, so that fan-out ends") {
  std::map<std::string, std::string> tree;
  for (int i = 0; i < 8; ++i) {
    for (int n = 0; n < 10; ++n)
      tree["/t" + std::to_string(i)] += "include /t" + std::to_string(i + 1) + "\n";
  }
  tree["/t8"] = "";
  CHECK(error_of("include /t0", MemoryReader{tree}).find("at most 1000 files") != std::string::npos);
}

TEST_CASE(
    "confdir reads *.conf in the order of names, and an earlier directory hides a name in a later one") {
  const MemoryReader reader{{{"/run/c/b.conf", "keyfile /run-b"},
                             {"/etc/c/a.conf", "keyfile /etc-a"},
                             {"/etc/c/b.conf", "keyfile /etc-b"},
                             {"/etc/c/c.conf", "keyfile /etc-c"},
                             {"/etc/c/d.config", "port x"},
                             {"/etc/c/.e.conf", "port x"},
                             {"/etc/c/conf", "port x"}}};
  CHECK(print_config(parse("confdir /run/c /etc/c /none", reader)) ==
        "keyfile /etc-a\nkeyfile /run-b\nkeyfile /etc-c\n");
  CHECK(parse("confdir /none", reader).lines.empty());
  CHECK(error_of("confdir /1 /2 /3 /4 /5 /6 /7 /8 /9 /10 /11", reader) ==
        "test:1: confdir: expected at most 10 directories, found 11");
}

TEST_CASE("sourcedir takes sources from *.sources and skips what is wrong there with a warning") {
  const MemoryReader reader{
      {{"/run/dhcp/eth0.sources", "server 192.0.2.1 iburst\n# x\nport 99\nserver\npool a.example"},
       {"/etc/s/a.sources", "peer 192.0.2.9"},
       {"/etc/s/a.conf", "nonsense"}}};
  const auto config = parse("sourcedir /run/dhcp\nsourcedir /etc/s /none\n", reader);
  CHECK(config.sources.empty());
  REQUIRE(config.directory_sources.size() == 3);
  CHECK(config.directory_sources[0].iburst);
  CHECK(config.directory_sources[1].kind == NtpSource::Kind::pool);
  CHECK(config.directory_sources[2].name == "192.0.2.9");
  CHECK(
      warnings_of(config) ==
      Texts{
          "/run/dhcp/eth0.sources:3: expected server, pool or peer, found \"port\"; line skipped",
          "/run/dhcp/eth0.sources:4: server: expected a host name or IP address, found the end of the line; "
          "line skipped"});
  CHECK(config.port == 123);
  CHECK(print_config(config) == "sourcedir /run/dhcp\nsourcedir /etc/s /none\n");
}

TEST_CASE("log rtc is accepted with a warning, the other logs without") {
  CHECK(warnings_of(
            parse("log measurements rawmeasurements statistics tracking refclocks selection tempcomp\n"))
            .empty());
  CHECK(warnings_of(parse("log tracking rtc\n")) ==
        Texts{"test:1: log rtc: not supported, ignored: this daemon does not follow the RTC"});
}

TEST_CASE("the last of several lines wins with a warning that names both, where one value is all there is") {
  CHECK(parse("maxdistance 1\nmaxdistance 2").max_distance == Seconds{2.0});
  CHECK(warnings_of(parse("port 1\nport 2\nport 3\n")) ==
        Texts{"test:2: port: given again, replaces the line at test:1",
              "test:3: port: given again, replaces the line at test:2"});
  CHECK(warnings_of(parse("bindaddress 192.0.2.1\nbindaddress ::1\nbindcmdaddress ::\nbindcmdaddress /x\n"))
            .empty());
  CHECK(warnings_of(parse("bindaddress ::1\nbindaddress 192.0.2.1\nbindaddress ::2\n")) ==
        Texts{"test:3: bindaddress IPv6: given again, replaces the line at test:1"});
  CHECK(warnings_of(parse("allow 10/8\nallow 10/8\ndeny\ncmdallow\nbindmetricsaddress ::\n")).empty());
  // nothing of the earlier line survives
  CHECK(parse("local stratum 5 orphan\nlocal\n").local.stratum == 10);
  CHECK_FALSE(parse("local stratum 5 orphan\nlocal\n").local.orphan);
  CHECK(parse("ratelimit interval 1 burst 2\nratelimit\n").rate_limit.interval == 3);
}

TEST_CASE("directives without function in this version are named in one warning") {
  const auto config = parse(kDebian);
  CHECK(warnings_of(config) == Texts{"accepted, not acted upon by this version: ntsdumpdir"});
  CHECK(warnings_of(parse("ntstrustedcerts /a\nntstrustedcerts /b\n")).size() == 1);
}

TEST_CASE("Debian's default file means what it says") {
  const auto config = parse(kDebian, MemoryReader{{{"/etc/chrony/conf.d/serve.conf", "allow 192.0.2.0/24"}}});
  REQUIRE(config.sources.size() == 1);
  CHECK(config.sources[0].kind == NtpSource::Kind::pool);
  CHECK(config.sources[0].iburst);
  CHECK(config.access_rules.size() == 1);
  CHECK(config.source_directories == Texts{"/run/chrony-dhcp", "/etc/chrony/sources.d"});
  CHECK(config.make_step == MakeStep{Seconds{1.0}, 3});
  CHECK(config.max_update_skew_ppm == 100.0);
  CHECK(config.leap_second_timezone == "right/UTC");
  CHECK(config.port == 123);
  CHECK(config.command_port == 323);
  CHECK(config.command_socket == "/run/chrony/chronyd.sock");
  CHECK(config.pid_file == "/run/chrony/chronyd.pid");
  CHECK_FALSE(config.local.enabled);
  CHECK(config.dataplanes.empty());
}

TEST_CASE("what will never work is accepted with one warning each, what chrony dropped too") {
  CHECK(warnings_of(parse("rtcfile /r\nntpsigndsocket /s\nmailonchange a@b 1\nrtcautotrim 3\n")).size() == 4);
  CHECK(warnings_of(parse("linux_hz 100\nlinux_hz 250\ncommandkey 1\n")) ==
        Texts{"test:1: linux_hz: this directive is no longer supported, ignored",
              "test:3: commandkey: this directive is no longer supported, ignored"});
  CHECK(warnings_of(parse("dumponexit\ndumponexit please\n")).empty());
}

TEST_CASE("local with orphan waits 300 seconds for a source unless told otherwise") {
  CHECK(parse("local stratum 10 orphan distance 0.1").local.waitunsynced == Seconds{300.0});
  CHECK_FALSE(parse("local orphan").local.waitunsynced_given);
  const auto local = parse("local orphan waitunsynced 5 waitsynced 7 activate 0.5 distance 0.1").local;
  CHECK(local ==
        LocalReference{true, 10, true, Seconds{0.1}, Seconds{0.5}, Seconds{7.0}, Seconds{5.0}, true});
  CHECK(parse("local").local.waitunsynced == Seconds{0.0});
}

TEST_CASE("allow and deny lines keep their order and understand every way to write a subnet") {
  const auto rule = [](const std::string& arguments) {
    const auto config = parse("allow " + arguments);
    REQUIRE(config.access_rules.size() == 1);
    const auto& r = config.access_rules[0];
    return (r.all ? "all " : "") + (r.prefix         ? r.prefix->to_string()
                                    : r.name.empty() ? "any"
                                                     : "name " + r.name);
  };
  CHECK(rule("") == "any");
  CHECK(rule("all") == "all any");
  CHECK(rule("ALL 10/8") == "all 10.0.0.0/8");
  CHECK(rule("10") == "10.0.0.0/8");
  CHECK(rule("1.2") == "1.2.0.0/16");
  CHECK(rule("1.2.3") == "1.2.3.0/24");
  CHECK(rule("1.2.3.4") == "1.2.3.4/32");
  CHECK(rule("1.2.3.4/20") == "1.2.0.0/20");
  CHECK(rule("0/0") == "0.0.0.0/0");
  CHECK(rule("::/0") == "::/0");
  CHECK(rule("2001:db8::1") == "2001:db8::1/128");
  CHECK(rule("2001:db8::/48") == "2001:db8::/48");
  CHECK(rule("client.example.com") == "name client.example.com");
  CHECK(rule("all client") == "all name client");
  for (const char* bad : {"256", "1.2.3.4.5", "1..2", "1.2.3.4/33", "::1/129", "1.2/", "1.2/x", "/8", "-1",
                          "+1", "a/8", "::1::", "0010"}) {
    INFO(bad);
    CHECK(error_of(std::string{"allow "} + bad).find("test:1: allow: expected an address, a subnet") == 0);
  }
  const auto config = parse("allow 10/8\ndeny all 10.1\nallow 10.1.2.3\n");
  REQUIRE(config.access_rules.size() == 3);
  CHECK_FALSE(config.access_rules[1].allow);
  CHECK(config.access_rules[1].all);
}

TEST_CASE("combinations that contradict each other are refused, odd ones are warned about") {
  CHECK(
      error_of("noclientlog\nratelimit") ==
      "test:2: ratelimit: expected no noclientlog beside it (it needs the client log), found one at test:1");
  CHECK(error_of("ntsservercert /a\n") ==
        "test:1: ntsservercert: expected an ntsserverkey line for each ntsservercert line, found 0 and 1");
  CHECK(warnings_of(parse("dataplane af_xdp eth1\nallow\nworkercpus 1-2\ncontrolcpu 2\n")) ==
        Texts{"test:4: controlcpu: CPU 2 is a worker's too: the control thread will compete with it"});
  CHECK(warnings_of(parse("workercpus 1")) ==
        Texts{"test:1: workercpus: no dataplane line, so there are no workers to put there"});
  CHECK(warnings_of(parse("dataplane af_xdp eth1\ndeny 10/8\n")) ==
        Texts{"no allow line: every client will be denied; add allow, or allow SUBNET, to serve"});
  CHECK(warnings_of(parse("dataplane af_xdp eth1\nallow\nport 0\n")) ==
        Texts{"test:3: port: 0 closes the NTP port, so the dataplane lines answer nothing"});
}

TEST_CASE("printing and parsing again gives the same settings, for random configurations") {
  const MemoryReader reader{{{"/inc/a.conf", "port 5\nallow 10.7\nSERVER c.example\n"},
                             {"/inc/b.conf", "local orphan\n"},
                             {"/s/x.sources", "server d.example\n"}}};
  const Texts lines{"server a.example iburst minpoll 4",
                    "POOL b.example maxsources 2",
                    "include /inc/*.conf",
                    "confdir /inc",
                    "sourcedir /s",
                    "allow 10/8",
                    "deny all",
                    "cmdallow  ::/0",
                    "local stratum 3",
                    "port 77",
                    "bindaddress 192.0.2.1",
                    "bindcmdaddress /",
                    "ntscachedir /x",
                    "log tracking",
                    "ratelimit burst 3",
                    "workercpus 1,0",
                    "dataplane af_packet lo",
                    "hugepages off",
                    "# comment",
                    "dumponexit",
                    "linux_hz 3",
                    "refclock SHM 0 refid A",
                    "tempcomp /a 1 /b",
                    "metricsport 1",
                    "smoothtime 1 2",
                    "rtcfile /r",
                    "opencommands"};
  constexpr std::uint32_t kSeed = 20261123;
  INFO("seed " << kSeed);
  std::mt19937 random{kSeed};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    const auto count = random() % 12;
    for (unsigned n = 0; n < count; ++n) {
      const auto& line = lines[random() % lines.size()];
      if (line.find("dataplane") == 0 && text.find(line) != std::string::npos) continue;
      text += line + '\n';
    }
    const auto once = parse(text, reader);
    const std::string printed = print_config(once);
    const auto twice = parse(printed, reader);
    CHECK(once.settings() == twice.settings());
    CHECK(print_config(twice) == printed);
  }
}
