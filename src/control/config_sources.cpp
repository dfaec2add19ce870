// SPDX-License-Identifier: BSD-3-Clause
// server, pool and peer lines, and the directives about reaching sources.
#include "control/config_sources.hpp"

#include <algorithm>

#include "control/config_directives.hpp"
#include "control/config_options.hpp"

namespace wiretime::control {

namespace {

// chrony takes -32..32 and works with what the protocol can carry.
int read_poll(Arguments& args) {
  return std::clamp(args.integer<int>(-32, 32), -7, 24);
}

constexpr unsigned kMaxPoolSources = 16;
constexpr std::uint32_t kMaxId = 0xFFFFFFFF;

using SourceOption = Option<NtpSource>;

constexpr SourceOption kSourceOptions[] = {
    // polling
    {"minpoll", [](Arguments& a, NtpSource& s) { s.min_poll = read_poll(a); }},
    {"maxpoll", [](Arguments& a, NtpSource& s) { s.max_poll = read_poll(a); }},
    {"polltarget", [](Arguments& a, NtpSource& s) { s.poll_target = a.integer<unsigned>(1, 1000); }},
    {"presend", [](Arguments& a, NtpSource& s) { s.presend_min_poll = a.any_integer(); }},
    {"iburst", [](Arguments&, NtpSource& s) { s.iburst = true; }},
    {"burst", [](Arguments&, NtpSource& s) { s.burst = true; }},
    {"offline", [](Arguments&, NtpSource& s) { s.offline = true; }},
    {"auto_offline", [](Arguments&, NtpSource& s) { s.auto_offline = true; }},
    {"maxunreach", [](Arguments& a, NtpSource& s) { s.max_unreach = a.count(); }},
    // packets
    {"port", [](Arguments& a, NtpSource& s) { s.port = a.port(1); }},
    {"version", [](Arguments& a, NtpSource& s) { s.version = a.integer<std::uint8_t>(1, 4); }},
    {"xleave", [](Arguments&, NtpSource& s) { s.xleave = true; }},
    {"copy", [](Arguments&, NtpSource& s) { s.copy = true; }},
    {"extfield",
     [](Arguments& a, NtpSource& s) {
       bool& field =
           a.one_of<bool>({{"F323", false}, {"F324", true}}) ? s.ext_net_correction : s.ext_mono_root;
       if (field) a.reject("each extension field once");
       field = true;
     },
     true},
    {"ipv4", [](Arguments&, NtpSource& s) { s.family = Family::ipv4; }},
    {"ipv6", [](Arguments&, NtpSource& s) { s.family = Family::ipv6; }},
    // authentication
    {"key", [](Arguments& a, NtpSource& s) { s.key_id = a.integer<std::uint32_t>(1, kMaxId); }},
    {"nts", [](Arguments&, NtpSource& s) { s.nts = true; }},
    {"ntsport", [](Arguments& a, NtpSource& s) { s.nts_port = a.port(1); }},
    {"certset", [](Arguments& a, NtpSource& s) { s.cert_set = a.integer<std::uint32_t>(0, kMaxId); }},
    // selection
    {"prefer", [](Arguments&, NtpSource& s) { s.select.prefer = true; }},
    {"noselect", [](Arguments&, NtpSource& s) { s.select.noselect = true; }},
    {"trust", [](Arguments&, NtpSource& s) { s.select.trust = true; }},
    {"require", [](Arguments&, NtpSource& s) { s.select.require = true; }},
    {"minstratum", [](Arguments& a, NtpSource& s) { s.min_stratum = a.integer<unsigned>(0, 16); }},
    {"maxsources",
     [](Arguments& a, NtpSource& s) { s.max_sources = a.integer<unsigned>(1, kMaxPoolSources); }},
    // samples
    {"maxdelay", [](Arguments& a, NtpSource& s) { s.max_delay = a.seconds(); }},
    {"maxdelayratio", [](Arguments& a, NtpSource& s) { s.max_delay_ratio = a.real_from(0.0); }},
    {"maxdelaydevratio", [](Arguments& a, NtpSource& s) { s.max_delay_dev_ratio = a.real_from(0.0); }},
    {"maxdelayquant", [](Arguments& a, NtpSource& s) { s.max_delay_quant = a.real_between(0.0, 1.0); }},
    {"mindelay", [](Arguments& a, NtpSource& s) { s.min_delay = a.seconds(); }},
    {"asymmetry", [](Arguments& a, NtpSource& s) { s.asymmetry = a.real_between(-0.5, 0.5); }},
    {"offset", [](Arguments& a, NtpSource& s) { s.offset = a.signed_seconds(); }},
    {"minsamples", [](Arguments& a, NtpSource& s) { s.min_samples = a.count(); }},
    {"maxsamples", [](Arguments& a, NtpSource& s) { s.max_samples = a.count(); }},
    {"filter", [](Arguments& a, NtpSource& s) { s.filter_length = a.count(); }},
};

void read_source(Arguments& args, Settings& settings, NtpSource::Kind kind) {
  NtpSource source;
  source.kind = kind;
  source.name = args.host();
  read_options<NtpSource>(args, source, kSourceOptions);
  source.max_poll = std::max(source.max_poll, source.min_poll);
  settings.sources.push_back(std::move(source));
}

void read_init_step_slew(Arguments& args, Settings& settings) {
  InitStepSlew init;
  init.threshold = args.seconds();
  while (!args.at_end()) init.hosts.push_back(args.host());
  settings.init_step_slew = std::move(init);
}

void read_acquisition_address(Arguments& args, Settings& settings) {
  const IpAddress address = args.address();
  const bool v4 = address.family == Family::ipv4;
  args.set_scope(v4 ? "IPv4" : "IPv6");
  (v4 ? settings.acquisition_address_v4 : settings.acquisition_address_v6) = address;
}

void read_source_directories(Arguments& args, Settings& settings) {
  std::string directories = args.word("a directory");
  constexpr unsigned kMaxDirectories = 10;
  for (unsigned n = 1; !args.at_end(); ++n) {
    directories += ' ' + args.path();
    if (n == kMaxDirectories) args.reject("at most 10 directories");
  }
  settings.source_directories.push_back(std::move(directories));
}

using RxFilter = HwTimestamp::RxFilter;

struct HwTimestampLine : HwTimestamp {
  std::optional<int> given_max_poll;
};

constexpr Option<HwTimestampLine> kHwTimestampOptions[] = {
    {"minpoll",
     [](Arguments& a, HwTimestampLine& h) {
       h.min_poll = a.integer<int>(-6, 20);
       h.polls_given = true;
     }},
    {"maxpoll",
     [](Arguments& a, HwTimestampLine& h) {
       h.given_max_poll = a.integer<int>(-6, 20);
       h.polls_given = true;
     }},
    {"minsamples",
     [](Arguments& a, HwTimestampLine& h) {
       h.min_samples = a.integer<unsigned>(2, 64);
       h.samples_given = true;
     }},
    {"maxsamples",
     [](Arguments& a, HwTimestampLine& h) {
       h.max_samples = a.integer<unsigned>(2, 64);
       h.samples_given = true;
     }},
    {"precision",
     [](Arguments& a, HwTimestampLine& h) {
       h.precision = a.seconds();
       h.precision_given = true;
     }},
    {"txcomp", [](Arguments& a, HwTimestampLine& h) { h.tx_compensation = a.signed_seconds(); }},
    {"rxcomp", [](Arguments& a, HwTimestampLine& h) { h.rx_compensation = a.signed_seconds(); }},
    {"nocrossts", [](Arguments&, HwTimestampLine& h) { h.nocrossts = true; }},
    {"rxfilter",
     [](Arguments& a, HwTimestampLine& h) {
       h.rx_filter = a.one_of<RxFilter>({{"all", RxFilter::all},
                                         {"ntp", RxFilter::ntp},
                                         {"ptp", RxFilter::ptp},
                                         {"none", RxFilter::none}});
     }},
};

void read_hw_timestamp(Arguments& args, Settings& settings) {
  HwTimestampLine line;
  line.interface = args.take("*") ? "*" : args.interface(parse_pci_address);
  read_options<HwTimestampLine>(args, line, kHwTimestampOptions);
  line.max_poll = std::max(line.given_max_poll.value_or(line.min_poll + 1), line.min_poll);
  line.max_samples = std::max(line.max_samples, line.min_samples);
  settings.hw_timestamps.push_back(line);
}

}  // namespace

std::span<const Directive> source_directives() {
  static constexpr Directive kRows[] = {
      {"server", [](Arguments& a, Settings& s) { read_source(a, s, NtpSource::Kind::server); }, Effect::now,
       Repeat::accumulate},
      {"pool", [](Arguments& a, Settings& s) { read_source(a, s, NtpSource::Kind::pool); }, Effect::now,
       Repeat::accumulate},
      {"peer", [](Arguments& a, Settings& s) { read_source(a, s, NtpSource::Kind::peer); }, Effect::now,
       Repeat::accumulate},
      {"sourcedir", read_source_directories, Effect::now, Repeat::accumulate},
      {"initstepslew", read_init_step_slew},
      {"manual", [](Arguments&, Settings& s) { s.manual = true; }},
      {"acquisitionport", [](Arguments& a, Settings& s) { s.acquisition_port = a.port(); }},
      {"bindacqaddress", read_acquisition_address},
      {"bindacqdevice", [](Arguments& a, Settings& s) { s.acquisition_device = a.interface(); }},
      {"dscp", [](Arguments& a, Settings& s) { s.dscp = a.integer<unsigned>(0, 63); }},
      {"dumpdir", [](Arguments& a, Settings& s) { s.dump_directory = a.path(); }},
      {"maxsamples", [](Arguments& a, Settings& s) { s.max_samples = a.count(); }},
      {"minsamples", [](Arguments& a, Settings& s) { s.min_samples = a.count(); }},
      {"refresh", [](Arguments& a, Settings& s) { s.name_refresh = a.whole_seconds(); }},
      {"keyfile", [](Arguments& a, Settings& s) { s.key_file = a.path(); }},
      {"hwtimestamp", read_hw_timestamp, Effect::now, Repeat::accumulate},
      {"hwtstimeout", [](Arguments& a, Settings& s) { s.hw_timestamp_timeout = a.seconds(); }},
      {"maxtxbuffers", [](Arguments& a, Settings& s) { s.max_tx_buffers = a.count(); }, Effect::later},
  };
  return kRows;
}

}  // namespace wiretime::control
