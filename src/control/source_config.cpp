// SPDX-License-Identifier: BSD-3-Clause
#include "control/source_config.hpp"

#include <algorithm>
#include <string>

#include "ntp/mac.hpp"
#include "ntp/reference_id.hpp"

namespace wiretime::control {

namespace {

// Version 4 cuts long digests short, which old chronyd servers do not know: ask those in version 3.
std::uint8_t usual_version(const NtpSource& config, const ntp::KeyTable* keys) {
  const ntp::Key* const key = keys != nullptr ? keys->find(config.key_id) : nullptr;
  return key != nullptr && ntp::mac_length(*key, 3) > ntp::kMaxMacLengthV4 ? 3 : 4;
}

// `Config`: NtpSource or Refclock.
template <typename Config>
clock::StatisticsConfig window_config(const Config& config, const SourceDefaults& defaults) {
  clock::StatisticsConfig c;
  constexpr std::size_t kMost = clock::SourceStatistics::kMaxSamples;
  const std::size_t most = config.max_samples.value_or(defaults.settings.max_samples);
  c.max_samples = most == 0 ? kMost : std::clamp<std::size_t>(most, 1, kMost);
  c.min_samples =
      std::clamp<std::size_t>(config.min_samples.value_or(defaults.settings.min_samples), 1, c.max_samples);
  c.clock_precision = defaults.clock_precision;
  c.frequency_sd = defaults.frequency_sd;
  return c;
}

}  // namespace

ntp::SourceOptions association_options(const NtpSource& config, const SourceDefaults& defaults) {
  ntp::SourceOptions o;
  o.kind = config.kind == NtpSource::Kind::peer ? ntp::SourceKind::peer : ntp::SourceKind::server;
  o.version = config.version.value_or(usual_version(config, defaults.keys));
  o.min_poll = config.min_poll;
  o.max_poll = config.max_poll;
  o.presend_min_poll = config.presend_min_poll;
  o.iburst = config.iburst;
  o.burst = config.burst;
  o.offline = config.offline;
  o.auto_offline = config.auto_offline;
  o.max_unreach = config.max_unreach;
  o.xleave = config.xleave;
  o.copy = config.copy;
  o.min_stratum = std::max(config.min_stratum, defaults.settings.min_stratum);
  o.max_delay = config.max_delay.count();
  o.offset_correction = config.offset.count();
  o.require_authentication = config.key_id != 0 || config.nts;
  return o;
}

clock::StatisticsConfig statistics_config(const NtpSource& config, const SourceDefaults& defaults) {
  clock::StatisticsConfig c = window_config(config, defaults);
  c.min_delay = config.min_delay.count();
  c.asymmetry = config.asymmetry;
  return c;
}

clock::StatisticsConfig statistics_config(const Refclock& config, const SourceDefaults& defaults) {
  clock::StatisticsConfig c = window_config(config, defaults);
  c.asymmetry = 0;  // there is no path
  return c;
}

clock::RefclockConfig refclock_config(const Refclock& config, const SourceDefaults& defaults) {
  clock::RefclockConfig c;
  c.polled = config.driver != Refclock::Driver::sock;
  c.poll = config.poll;
  c.driver_poll = config.driver_poll;
  c.rate = config.rate;
  c.max_lock_age = config.max_lock_age;
  c.width = config.width.count();
  c.pps = config.pps;
  c.tai = config.tai;
  c.local = config.local;
  c.offset = config.offset.count();
  c.delay = config.delay.count();
  c.precision = std::max(config.precision.value_or(Seconds{0}).count(), defaults.clock_precision);
  c.max_dispersion = config.max_dispersion.count();
  c.filter_length = config.filter_length;
  c.stratum = static_cast<std::uint8_t>(config.stratum);
  return c;
}

std::uint32_t refclock_id(const Refclock& config, std::size_t index) {
  if (!config.refid.empty()) return ntp::named_reference_id(config.refid);
  constexpr std::string_view kNames[] = {"PPS", "SHM", "SOC", "PHC", "RTC"};
  const std::string number = std::to_string(index % 100);
  const auto name = kNames[static_cast<std::size_t>(config.driver)].substr(0, 4 - number.size());
  return ntp::named_reference_id(std::string{name} + number);
}

clock::DelayLimits delay_limits(const NtpSource& config, const Settings& settings) {
  clock::DelayLimits limits;
  limits.max_delay = config.max_delay.count();
  limits.max_delay_ratio = config.max_delay_ratio;
  limits.max_delay_deviation = config.max_delay_dev_ratio;
  limits.max_delay_quantile = config.max_delay_quant;
  limits.max_clock_error = settings.max_clock_error_ppm * 1e-6;
  return limits;
}

clock::SelectOptions select_options(const SelectOptions& configured) {
  return {configured.noselect, configured.prefer, configured.trust, configured.require};
}

clock::PollConfig poll_config(const NtpSource& config) {
  return {config.min_poll, config.max_poll, config.poll_target};
}

}  // namespace wiretime::control
