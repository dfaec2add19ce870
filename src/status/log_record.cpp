// SPDX-License-Identifier: BSD-3-Clause
#include "status/log_record.hpp"

#include <fmt/format.h>

#include <array>

namespace wiretime::status {

namespace {

constexpr std::array<LogFormat, std::variant_size_v<LogRecord>> kFormats{{
    {"measurements",
     "   Date (UTC) Time     IP Address   L St 123 567 ABCD  LP RP Score    Offset  Peer del. Peer disp.  "
     "Root del. Root disp. Refid     MTxRx"},
    {"statistics",
     "   Date (UTC) Time     IP Address    Std dev'n Est offset  Offset sd  Diff freq   Est skew  Stress  Ns "
     " Bs  Nr  Asym"},
    {"tracking",
     "   Date (UTC) Time     IP Address   St   Freq ppm   Skew ppm     Offset L Co  Offset sd Rem. corr. "
     "Root "
     "delay Root disp. Max. error"},
    {"selection", "   Date (UTC) Time     IP Address   S EOpts Reach Score Last sample  Low end   High end"},
    {"refclocks", "   Date (UTC) Time         Refid  DP L P  Raw offset   Cooked offset      Disp."},
    {"tempcomp", "   Date (UTC) Time        Temp.       Comp."},
}};

std::string date_and_time(WallTime t) {
  const auto second = std::chrono::floor<std::chrono::seconds>(t);
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{second - day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

char leap_letter(std::uint8_t leap) {
  constexpr std::string_view kLetters = "N+-?";
  return kLetters[leap & 3U];
}

std::string bits(unsigned value, unsigned highest, unsigned count) {
  std::string text;
  for (unsigned i = 0; i < count; ++i) text += (value >> (highest - i) & 1U) != 0 ? '1' : '0';
  return text;
}

struct Line {
  std::string operator()(const MeasurementRecord& r) const {
    return fmt::format(
        "{} {:<15} {} {:2} {} {} {}  {:2} {:2} {:4.2f} {:10.3e} {:10.3e} {:10.3e} {:10.3e} {:10.3e} {:08X} "
        "{}{} {} {}",
        date_and_time(r.time), r.source, leap_letter(r.leap), r.stratum, bits(r.tests, 9, 3),
        bits(r.tests, 6, 3), bits(r.tests, 3, 4), r.poll, r.source_poll, r.poll_score, r.offset, r.peer_delay,
        r.peer_dispersion, r.root_delay, r.root_dispersion, r.refid, r.mode, r.interleaved ? 'I' : 'B',
        r.transmit_stamp, r.receive_stamp);
  }

  std::string operator()(const StatisticsRecord& r) const {
    return fmt::format(
        "{} {:<15} {:10.3e} {:10.3e} {:10.3e} {:10.3e} {:10.3e} {:7.1e} {:3} {:3} {:3} {:5.2f}",
        date_and_time(r.time), r.source, r.std_dev, r.offset, r.offset_sd, r.frequency, r.skew, r.stress,
        r.samples, r.dropped, r.runs, r.asymmetry);
  }

  std::string operator()(const TrackingRecord& r) const {
    return fmt::format(
        "{} {:<15} {:2} {:10.3f} {:10.3f} {:10.3e} {} {:2} {:10.3e} {:10.3e} {:10.3e} {:10.3e} {:10.3e}",
        date_and_time(r.time), r.source, r.stratum, r.frequency_ppm, r.skew_ppm, r.offset,
        leap_letter(r.leap), r.combined, r.offset_sd, r.remaining, r.root_delay, r.root_dispersion,
        r.max_error);
  }

  std::string operator()(const SelectionRecord& r) const {
    return fmt::format("{} {:<15} {} -{}{}{}{} {:4o} {:5.2f} {:10.3e} {:10.3e} {:10.3e}",
                       date_and_time(r.time), r.source, r.state, r.no_select ? 'N' : '-',
                       r.prefer ? 'P' : '-', r.trust ? 'T' : '-', r.require ? 'R' : '-', r.reach, r.score,
                       r.last_sample_age, r.low, r.high);
  }

  std::string operator()(const RefclockRecord& r) const {
    const auto whole = std::chrono::floor<std::chrono::seconds>(r.time);
    const auto microseconds = std::chrono::floor<std::chrono::microseconds>(r.time - whole).count();
    const std::string begin = fmt::format("{}.{:06} {:<5}", date_and_time(r.time), microseconds, r.refid);
    if (!r.raw)
      return fmt::format("{}   - {} -       -       {:13.6e} {:10.3e}", begin, leap_letter(r.leap), r.offset,
                         r.dispersion);
    return fmt::format("{} {:3} {} {:d} {:13.6e} {:13.6e} {:10.3e}", begin, r.raw->poll, leap_letter(r.leap),
                       r.raw->pulse, r.raw->offset, r.offset, r.dispersion);
  }

  std::string operator()(const TemperatureRecord& r) const {
    return fmt::format("{} {:11.4e} {:11.4e}", date_and_time(r.time), r.temperature, r.compensation_ppm);
  }
};

}  // namespace

LogFormat log_format(std::size_t index) {
  return kFormats.at(index);
}

std::string log_banner(const LogFormat& format) {
  const std::string rule(format.columns.size(), '=');
  return fmt::format("{}\n{}\n{}", rule, format.columns, rule);
}

std::string log_line(const LogRecord& record) {
  return std::visit(Line{}, record);
}

}  // namespace wiretime::status
