// SPDX-License-Identifier: BSD-3-Clause
#include "control/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ntp/mac.hpp"
#include "ntp/reference_id.hpp"
#include "os/resolver.hpp"

namespace wiretime::control {

namespace {

// Version 4 cuts long digests short, which old chronyd servers do not know: ask those in version 3.
std::uint8_t usual_version(const NtpSource& config, const ntp::KeyTable* keys) {
  const ntp::Key* const key = keys != nullptr ? keys->find(config.key_id) : nullptr;
  return key != nullptr && ntp::mac_length(*key, 3) > ntp::kMaxMacLengthV4 ? 3 : 4;
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

namespace {

constexpr unsigned kPollsToStart = 8;  // by which a source that answers has samples enough

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

NtpPart::NtpPart(const NtpSource& its_config, const SourceDefaults& defaults)
    : config{its_config},
      association{association_options(its_config, defaults),
                  {defaults.clock_precision,
                   static_cast<std::int8_t>(std::lround(std::log2(defaults.clock_precision)))}},
      delays{delay_limits(its_config, defaults.settings)},
      polls{poll_config(its_config)} {
  if (const auto numeric = os::numeric_address(config.name)) {
    config_is_numeric = true;
    address = {numeric->address, config.port, numeric->scope};
  }
}

Source::Source(SourceId its_id, std::uint32_t its_line, const NtpSource& config,
               const SourceDefaults& defaults)
    : id{its_id},
      line{its_line},
      ntp{std::in_place, config, defaults},
      select{config.select},
      statistics{statistics_config(config, defaults)},
      effective{select_options(config.select)} {
  if (config.filter_length > 1) filter.emplace(clock::FilterKind::network, std::size_t{config.filter_length});
}

RefclockPart::RefclockPart(const Refclock& its_config, std::size_t its_index, const SourceDefaults& defaults)
    : config{its_config},
      index{its_index},
      lock{config.lock.empty() ? 0 : ntp::named_reference_id(config.lock)},
      clock{refclock_config(its_config, defaults)} {}

Source::Source(SourceId its_id, std::uint32_t its_line, const Refclock& config, std::size_t index,
               const SourceDefaults& defaults)
    : id{its_id},
      line{its_line},
      refclock{std::in_place, config, index, defaults},
      refid{refclock_id(config, index)},
      select{config.select},
      statistics{statistics_config(config, defaults)},
      effective{select_options(config.select)} {}

bool Source::may_be_selected() const {
  return ntp ? ntp->association.may_be_selected() : refclock->reach.missed() <= refclock->config.max_unreach;
}

bool Source::starting() const {
  return (ntp ? ntp->association.report().transmitted : refclock->polls) < kPollsToStart;
}

void Source::set_selected(bool selected) {
  if (ntp) ntp->association.set_selected(selected);
}

void Source::shift(const clock::ClockChange& change) {
  statistics.shift(change);
  if (filter) filter->shift(change);
  if (refclock) refclock->clock.shift(change);
  if (ntp) ntp->association.shift(change.at, change.frequency, change.offset);
}

std::string Source::address_text() const {
  if (refclock) return ntp::reference_name(refid);
  return ntp->resolved() ? ntp->address.address.to_string() : fmt::format("ID#{:010}", id);
}

std::string Source::label() const {
  if (refclock) return address_text();
  if (!ntp->resolved()) return ntp->config.name;
  return ntp->config_is_numeric ? address_text() : fmt::format("{} ({})", address_text(), ntp->config.name);
}

}  // namespace wiretime::control
