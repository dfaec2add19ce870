// SPDX-License-Identifier: BSD-3-Clause
// Directives about answering NTP clients.
#include "control/config_directives.hpp"
#include "control/config_options.hpp"

namespace wiretime::control {

namespace {

constexpr Option<LocalReference> kLocalOptions[] = {
    {"stratum", [](Arguments& a, LocalReference& l) { l.stratum = a.integer<unsigned>(1, 15); }},
    {"orphan", [](Arguments&, LocalReference& l) { l.orphan = true; }},
    {"distance", [](Arguments& a, LocalReference& l) { l.distance = a.seconds(); }},
    {"activate", [](Arguments& a, LocalReference& l) { l.activate = a.seconds(); }},
    {"waitsynced", [](Arguments& a, LocalReference& l) { l.waitsynced = a.seconds(); }},
    {"waitunsynced",
     [](Arguments& a, LocalReference& l) {
       l.waitunsynced = a.seconds();
       l.waitunsynced_given = true;
     }},
};

void read_local(Arguments& args, Settings& settings) {
  LocalReference local;
  local.enabled = true;
  read_options<LocalReference>(args, local, kLocalOptions);
  if (!local.waitunsynced_given && local.orphan) local.waitunsynced = Seconds{300.0};
  settings.local = local;
}

void read_bind_address(Arguments& args, Settings& settings) {
  const IpAddress address = args.address();
  const bool v4 = address.family == Family::ipv4;
  args.set_scope(v4 ? "IPv4" : "IPv6");
  (v4 ? settings.bind_address_v4 : settings.bind_address_v6) = address;
}

void read_broadcast(Arguments& args, Settings& settings) {
  Broadcast broadcast;
  broadcast.interval = args.whole_seconds(1);
  broadcast.address = args.address();
  if (!args.at_end()) broadcast.port = args.port(1);
  settings.broadcasts.push_back(broadcast);
}

void read_smooth_time(Arguments& args, Settings& settings) {
  SmoothTime smooth;
  smooth.enabled = true;
  if (args.take("linear")) {
    smooth.linear = true;
    settings.smooth_time = smooth;
    return;
  }
  smooth.max_frequency_ppm = args.real_from(0.0);
  smooth.max_wander_ppm = args.real_from(0.0);
  static constexpr Option<SmoothTime> kOptions[] = {
      {"leaponly", [](Arguments&, SmoothTime& s) { s.leap_only = true; }},
  };
  read_options<SmoothTime>(args, smooth, kOptions);
  settings.smooth_time = smooth;
}

}  // namespace

RateLimit read_rate_limit(Arguments& args, int default_interval, bool with_kod) {
  static constexpr Option<RateLimit> kOptions[] = {
      {"interval", [](Arguments& a, RateLimit& r) { r.interval = a.integer<int>(-19, 12); }},
      {"burst", [](Arguments& a, RateLimit& r) { r.burst = a.integer<unsigned>(1, 255); }},
      {"leak", [](Arguments& a, RateLimit& r) { r.leak = a.integer<unsigned>(1, 4); }},
      {"kod", [](Arguments& a, RateLimit& r) { r.kod = a.integer<unsigned>(0, 4); }},
  };
  const std::span<const Option<RateLimit>> options{kOptions};
  RateLimit limit;
  limit.enabled = true;
  limit.interval = default_interval;
  read_options<RateLimit>(args, limit, with_kod ? options : options.first(3));
  return limit;
}

std::span<const Directive> server_directives() {
  static constexpr Directive kRows[] = {
      {"port", [](Arguments& a, Settings& s) { s.port = a.port(); }},
      {"bindaddress", read_bind_address},
      {"binddevice", [](Arguments& a, Settings& s) { s.bind_device = a.interface(); }},
      {"local", read_local},
      {"clientloglimit",
       [](Arguments& a, Settings& s) { s.client_log_limit = a.integer<std::uint64_t>(0, INT64_MAX); }},
      {"noclientlog", [](Arguments&, Settings& s) { s.no_client_log = true; }},
      {"ratelimit", [](Arguments& a, Settings& s) { s.rate_limit = read_rate_limit(a, 3, true); }},
      {"broadcast", read_broadcast, Effect::later, Repeat::accumulate},
      {"smoothtime", read_smooth_time},
      {"ptpport", [](Arguments& a, Settings& s) { s.ptp_port = a.port(); }, Effect::later},
      {"ptpdomain", [](Arguments& a, Settings& s) { s.ptp_domain = a.integer<unsigned>(0, 255); },
       Effect::later},
      {"ntpsigndsocket", [](Arguments& a, Settings& s) { s.ntp_signd_socket = a.path(); }, Effect::never,
       Repeat::last_wins, "not supported, ignored: MS-SNTP clients will not get signed answers"},
  };
  return kRows;
}

}  // namespace wiretime::control
