// SPDX-License-Identifier: BSD-3-Clause
// refclock lines and the directives about choosing among sources.
#include <charconv>
#include <optional>

#include "control/config_directives.hpp"
#include "control/config_options.hpp"

namespace wiretime::control {

namespace {

// 1 to 4 printable characters, as they go into a reference ID.
std::string read_refid(Arguments& args) {
  constexpr std::string_view kExpected = "a reference ID of 1 to 4 printable ASCII characters";
  std::string refid = args.word(kExpected);
  bool printable = true;
  for (const char c : refid) printable = printable && c > ' ' && c <= '~';
  if (refid.empty() || refid.size() > 4 || !printable) args.reject(kExpected);
  return refid;
}

constexpr Option<Refclock> kRefclockOptions[] = {
    {"poll", [](Arguments& a, Refclock& r) { r.poll = a.integer<int>(-32, 32); }},
    {"dpoll", [](Arguments& a, Refclock& r) { r.driver_poll = a.integer<int>(-32, 32); }},
    {"refid", [](Arguments& a, Refclock& r) { r.refid = read_refid(a); }},
    {"lock", [](Arguments& a, Refclock& r) { r.lock = read_refid(a); }},
    {"rate", [](Arguments& a, Refclock& r) { r.rate = a.count(); }},
    {"maxlockage", [](Arguments& a, Refclock& r) { r.max_lock_age = a.count(); }},
    {"width", [](Arguments& a, Refclock& r) { r.width = a.seconds(); }},
    {"pps", [](Arguments&, Refclock& r) { r.pps = true; }},
    {"offset", [](Arguments& a, Refclock& r) { r.offset = a.signed_seconds(); }},
    {"delay", [](Arguments& a, Refclock& r) { r.delay = a.seconds(); }},
    {"stratum", [](Arguments& a, Refclock& r) { r.stratum = a.integer<unsigned>(0, 15); }},
    {"precision", [](Arguments& a, Refclock& r) { r.precision = a.seconds(); }},
    {"maxdispersion", [](Arguments& a, Refclock& r) { r.max_dispersion = a.seconds(); }},
    {"filter", [](Arguments& a, Refclock& r) { r.filter_length = a.integer<unsigned>(1, 1'000'000); }},
    {"prefer", [](Arguments&, Refclock& r) { r.select.prefer = true; }},
    {"noselect", [](Arguments&, Refclock& r) { r.select.noselect = true; }},
    {"trust", [](Arguments&, Refclock& r) { r.select.trust = true; }},
    {"require", [](Arguments&, Refclock& r) { r.select.require = true; }},
    {"tai", [](Arguments&, Refclock& r) { r.tai = true; }},
    {"local", [](Arguments&, Refclock& r) { r.local = true; }},
    {"minsamples", [](Arguments& a, Refclock& r) { r.min_samples = a.count(); }},
    {"maxsamples", [](Arguments& a, Refclock& r) { r.max_samples = a.count(); }},
    {"maxunreach", [](Arguments& a, Refclock& r) { r.max_unreach = a.count(); }},
};

// "name=value": the number after the equals sign, in the given base; nullopt when it is something else.
std::optional<int> value_of(std::string_view text, std::string_view name, int base) {
  if (text.substr(0, name.size()) != name) return std::nullopt;
  text.remove_prefix(name.size());
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool read_driver_option(Refclock& r, std::string_view text) {
  using Driver = Refclock::Driver;
  switch (r.driver) {
    case Driver::pps:
      return text == "clear" && (r.clear = true);
    case Driver::shm: {
      const auto mode = value_of(text, "perm=", 8);
      if (!mode || *mode < 0 || *mode > 0777) return false;
      r.permissions = static_cast<unsigned>(*mode);
      return true;
    }
    case Driver::sock:
      return false;
    case Driver::phc: {
      if (text == "nocrossts") return r.nocrossts = true;
      if (text == "extpps") return r.extpps = true;
      if (text == "clear") return r.clear = true;
      if (const auto pin = value_of(text, "pin=", 10); pin && *pin >= -1) {
        r.pin = *pin;
        return true;
      }
      const auto channel = value_of(text, "channel=", 10);
      if (!channel || *channel < 0) return false;
      r.channel = static_cast<unsigned>(*channel);
      return true;
    }
    case Driver::rtc:
      return text == "utc" && (r.utc = true);
  }
  return false;
}

std::string_view driver_options(Refclock::Driver driver) {
  switch (driver) {
    case Refclock::Driver::pps:
      return "a device, or a device and \":clear\"";
    case Refclock::Driver::shm:
      return "a segment number, or a segment number and \":perm=MODE\"";
    case Refclock::Driver::sock:
      return "a socket path without options";
    case Refclock::Driver::phc:
      return "a device or interface, then any of :nocrossts :extpps :pin=N :channel=N :clear";
    case Refclock::Driver::rtc:
      break;
  }
  return "a device, or a device and \":utc\"";
}

void read_refclock(Arguments& args, Settings& settings) {
  using Driver = Refclock::Driver;
  Refclock clock;
  clock.driver = args.one_of<Driver>({{"PPS", Driver::pps},
                                      {"SHM", Driver::shm},
                                      {"SOCK", Driver::sock},
                                      {"PHC", Driver::phc},
                                      {"RTC", Driver::rtc}});
  const auto expected = driver_options(clock.driver);
  const std::string text = args.word(expected);
  std::size_t colon = text.find(':');
  clock.parameter = text.substr(0, colon);
  bool good = !clock.parameter.empty();
  if (clock.driver == Driver::shm) {
    const auto segment = parse_natural(clock.parameter);
    good = segment && *segment <= 255;
  }
  while (good && colon != std::string::npos) {
    const std::size_t end = text.find(':', colon + 1);
    good = read_driver_option(clock, std::string_view{text}.substr(0, end).substr(colon + 1));
    colon = end;
  }
  if (!good) args.reject(expected);
  read_options<Refclock>(args, clock, kRefclockOptions);
  if (clock.driver == Driver::rtc)
    args.warn("refclock RTC: not supported, ignored: use rtcsync, or another reference clock");
  else
    settings.refclocks.push_back(std::move(clock));
}

AuthSelectMode read_auth_select_mode(Arguments& args) {
  return args.one_of<AuthSelectMode>({{"require", AuthSelectMode::require},
                                      {"prefer", AuthSelectMode::prefer},
                                      {"mix", AuthSelectMode::mix},
                                      {"ignore", AuthSelectMode::ignore}});
}

}  // namespace

std::span<const Directive> selection_directives() {
  static constexpr Directive kRows[] = {
      {"refclock", read_refclock, Effect::now, Repeat::accumulate},
      {"authselectmode", [](Arguments& a, Settings& s) { s.auth_select_mode = read_auth_select_mode(a); }},
      {"combinelimit", [](Arguments& a, Settings& s) { s.combine_limit = a.real_from(0.0); }},
      {"maxdistance", [](Arguments& a, Settings& s) { s.max_distance = a.seconds(); }},
      {"maxjitter", [](Arguments& a, Settings& s) { s.max_jitter = a.seconds(); }},
      {"maxstratum", [](Arguments& a, Settings& s) { s.max_stratum = a.integer<unsigned>(0, 15); }},
      {"minstratum", [](Arguments& a, Settings& s) { s.min_stratum = a.integer<unsigned>(0, 15); }},
      {"minsources", [](Arguments& a, Settings& s) { s.min_sources = a.integer<unsigned>(1, 1'000'000); }},
      {"reselectdist", [](Arguments& a, Settings& s) { s.reselect_distance = a.seconds(); }},
      {"stratumweight", [](Arguments& a, Settings& s) { s.stratum_weight = a.seconds(); }},
  };
  return kRows;
}

}  // namespace wiretime::control
