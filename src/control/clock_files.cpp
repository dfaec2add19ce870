// SPDX-License-Identifier: BSD-3-Clause
#include "control/clock_files.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "os/files.hpp"

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

constexpr Nanoseconds kLeapInterval = 1h;  // a table that is updated is to be known by noon of the day
constexpr const char* kZoneDirectory = "/usr/share/zoneinfo/";

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}

Result<clock::LeapTable> checked(Result<clock::LeapTable> table) {
  if (table && !table->plausible()) return fail("it does not have the leap second of June 2012 right");
  return table;
}

}  // namespace

std::string zone_path(const std::string& zone) {
  if (zone.empty() || zone.find("..") != std::string::npos) return {};
  return zone.front() == '/' ? zone : kZoneDirectory + zone;
}

Result<clock::TemperatureCurve> temperature_curve(const TemperatureCompensation& config) {
  if (const auto* k = std::get_if<TemperatureCoefficients>(&config.curve))
    return clock::TemperatureCurve::parabola(k->t0, k->k0, k->k1, k->k2);
  const auto& path = std::get<std::string>(config.curve);
  const auto text = os::read_file(path);
  if (!text) return fail("tempcomp: " + text.error().message);
  auto curve = clock::TemperatureCurve::points(*text);
  if (!curve) return fail(fmt::format("tempcomp: {}: {}", path, curve.error().message));
  return curve;
}

ClockFiles::ClockFiles(const Settings& settings, std::optional<clock::TemperatureCurve> curve, os::Log& log,
                       Actions actions)
    : settings_{settings}, curve_{std::move(curve)}, log_{log}, actions_{std::move(actions)} {
  if (!settings.leap_second_list.empty() || !settings.leap_second_timezone.empty())
    leap_due_ = Nanoseconds{0};
  if (curve_ && settings.temperature_compensation) temperature_due_ = Nanoseconds{0};
}

void ClockFiles::look(Nanoseconds monotonic, WallTime now) {
  if (leap_due_ && monotonic >= *leap_due_) {
    leap_due_ = monotonic + kLeapInterval;
    auto table = read_leap_table(now);
    // A file that is missing for an hour takes nothing back of what it said.
    if (table || !had_table_) actions_.leap_table(table);
    had_table_ = had_table_ || table;
  }
  if (temperature_due_ && monotonic >= *temperature_due_) {
    const Seconds interval = std::max(settings_.temperature_compensation->interval, Seconds{1.0});
    temperature_due_ = monotonic + std::chrono::duration_cast<Nanoseconds>(std::min(interval, Seconds{1e6}));
    read_temperature(now);
  }
}

void ClockFiles::tell(os::LogLevel level, const std::string& line) {
  if (line == told_) return;
  told_ = line;
  log_.write(level, line);
}

std::optional<clock::LeapTable> ClockFiles::read_leap_table(WallTime now) {
  if (!settings_.leap_second_list.empty()) return read_list(now);
  return read_zone();
}

std::optional<clock::LeapTable> ClockFiles::read_list(WallTime now) {
  const std::string& path = settings_.leap_second_list;
  const auto text = os::read_file(path);
  auto table = text ? checked(clock::LeapTable::from_list(*text)) : tl::make_unexpected(text.error());
  if (!table) {
    tell(os::LogLevel::warning, fmt::format("Leap second list {} failed leap second check, ignoring: {}",
                                            path, table.error().message));
    return std::nullopt;
  }
  if (const auto& end = table->expires(); end && now >= *end)
    tell(os::LogLevel::warning,
         fmt::format("Leap second list {} expired on {:%Y-%m-%d}: it cannot announce the next leap second; "
                     "get a new one from the IERS or with package tzdata",
                     path, std::chrono::time_point_cast<std::chrono::seconds>(*end)));
  else
    tell(os::LogLevel::info, fmt::format("Using leap second list {}", path));
  return *table;
}

std::optional<clock::LeapTable> ClockFiles::read_zone() {
  const std::string& zone = settings_.leap_second_timezone;
  const std::string path = zone_path(zone);
  Result<clock::LeapTable> table = fail("no zone has such a name");
  if (!path.empty()) {
    const auto text = os::read_file(path);
    table = text ? checked(clock::LeapTable::from_tzif(bytes_of(*text))) : tl::make_unexpected(text.error());
  }
  if (!table) {
    tell(os::LogLevel::warning,
         fmt::format("Timezone {} failed leap second check, ignoring: {}; right/UTC is in package tzdata or "
                     "tzdata-legacy, or use leapseclist /usr/share/zoneinfo/leap-seconds.list",
                     zone, table.error().message));
    return std::nullopt;
  }
  tell(os::LogLevel::info, fmt::format("Using {} timezone to obtain leap second data", zone));
  return *table;
}

void ClockFiles::read_temperature(WallTime now) {
  const std::string& path = settings_.temperature_compensation->sensor_file;
  const auto text = os::read_file(path);
  const auto temperature = text ? clock::parse_temperature(*text) : std::nullopt;
  if (!temperature) {
    log_.limited(os::LogLevel::warning, "tempcomp", 1h, "Could not read temperature from {}", path);
    return;
  }
  const double ppm = curve_->at(*temperature);
  if (!actions_.compensate(ppm)) {
    log_.limited(os::LogLevel::warning, "tempcomp limit", 1h,
                 "Temperature compensation of {:.3f} ppm exceeds sanity limit of {:.1f}", ppm,
                 clock::TemperatureCurve::kMostPpm);
    return;
  }
  if (settings_.logs.temperature) actions_.record({now, *temperature, ppm});
}

}  // namespace wiretime::control
