// SPDX-License-Identifier: BSD-3-Clause
// Directives about the system clock, its discipline, leap seconds and the RTC.
#include "control/config_directives.hpp"
#include "control/config_options.hpp"

namespace wiretime::control {

namespace {

void read_drift_file(Arguments& args, Settings& settings) {
  settings.drift_file = args.path();
  settings.drift_file_interval = std::chrono::hours{1};
  static constexpr Option<Settings> kOptions[] = {
      {"interval", [](Arguments& a, Settings& s) { s.drift_file_interval = a.whole_seconds(); }},
  };
  read_options<Settings>(args, settings, kOptions);
}

void read_fallback_drift(Arguments& args, Settings& settings) {
  settings.fallback_drift.min = args.integer<int>(0, 64);
  settings.fallback_drift.max = args.integer<int>(0, 64);
  const auto& drift = settings.fallback_drift;
  if (drift.min != 0 && drift.max != 0 && drift.max < drift.min)
    args.reject("a maximum that is not below the minimum");
}

LeapSecondMode read_leap_second_mode(Arguments& args) {
  return args.one_of<LeapSecondMode>({{"system", LeapSecondMode::system},
                                      {"step", LeapSecondMode::step},
                                      {"slew", LeapSecondMode::slew},
                                      {"ignore", LeapSecondMode::ignore}});
}

void read_make_step(Arguments& args, Settings& settings) {
  settings.make_step.threshold = args.seconds();
  settings.make_step.limit = args.any_integer();
}

void read_max_change(Arguments& args, Settings& settings) {
  MaxChange change;
  change.offset = args.seconds();
  change.start = args.any_integer();
  change.ignore = args.any_integer();
  settings.max_change = change;
}

// SENSOR INTERVAL POINTS-FILE, or SENSOR INTERVAL T0 K0 K1 K2
void read_temperature_compensation(Arguments& args, Settings& settings) {
  TemperatureCompensation compensation;
  compensation.sensor_file = args.word("the path of a temperature sensor");
  compensation.interval = args.seconds();
  const std::string third = args.word("the path of a points file, or the number T0");
  if (const auto t0 = parse_real(third); t0 && !args.at_end()) {
    TemperatureCoefficients k;
    k.t0 = *t0;
    k.k0 = args.real();
    k.k1 = args.real();
    k.k2 = args.real();
    compensation.curve = k;
  } else {
    compensation.curve = third;
  }
  settings.temperature_compensation = std::move(compensation);
}

constexpr std::string_view kNoRtcTracking =
    "not supported, ignored: the kernel keeps the RTC right with rtcsync";

}  // namespace

std::span<const Directive> clock_directives() {
  static constexpr Directive kRows[] = {
      {"clockprecision", [](Arguments& a, Settings& s) { s.clock_precision = a.seconds(); }},
      {"corrtimeratio", [](Arguments& a, Settings& s) { s.correction_time_ratio = a.real_from(0.0); }},
      {"driftfile", read_drift_file},
      {"fallbackdrift", read_fallback_drift},
      {"leapsecmode", [](Arguments& a, Settings& s) { s.leap_second_mode = read_leap_second_mode(a); }},
      {"leapsectz",
       [](Arguments& a, Settings& s) { s.leap_second_timezone = a.word("a time zone such as right/UTC"); }},
      {"leapseclist", [](Arguments& a, Settings& s) { s.leap_second_list = a.path(); }},
      {"makestep", read_make_step},
      {"maxchange", read_max_change},
      {"maxclockerror", [](Arguments& a, Settings& s) { s.max_clock_error_ppm = a.real_from(0.0); }},
      {"maxdrift", [](Arguments& a, Settings& s) { s.max_drift_ppm = a.real_from(0.0); }},
      {"maxupdateskew", [](Arguments& a, Settings& s) { s.max_update_skew_ppm = a.real_from(0.0); }},
      {"maxslewrate", [](Arguments& a, Settings& s) { s.max_slew_rate_ppm = a.real_from(0.0); }},
      {"tempcomp", read_temperature_compensation},
      {"rtcsync", [](Arguments&, Settings& s) { s.rtc_sync = true; }},
      {"hwclockfile", [](Arguments& a, Settings& s) { s.hw_clock_file = a.path(); }, Effect::later},
      {"rtcdevice", [](Arguments& a, Settings& s) { s.rtc_device = a.path(); }, Effect::later},
      {"rtconutc", [](Arguments&, Settings& s) { s.rtc_on_utc = true; }, Effect::later},
      {"rtcfile", [](Arguments& a, Settings& s) { s.rtc_file = a.path(); }, Effect::never, Repeat::last_wins,
       kNoRtcTracking},
      {"rtcautotrim", [](Arguments& a, Settings& s) { s.rtc_auto_trim = a.seconds(); }, Effect::never,
       Repeat::last_wins, kNoRtcTracking},
  };
  return kRows;
}

}  // namespace wiretime::control
