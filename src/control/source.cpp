// SPDX-License-Identifier: BSD-3-Clause
#include "control/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ntp/mac.hpp"
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

clock::StatisticsConfig statistics_config(const NtpSource& config, const SourceDefaults& defaults) {
  clock::StatisticsConfig c;
  constexpr std::size_t kMost = clock::SourceStatistics::kMaxSamples;
  const std::size_t most = config.max_samples.value_or(defaults.settings.max_samples);
  c.max_samples = most == 0 ? kMost : std::clamp<std::size_t>(most, 1, kMost);
  c.min_samples =
      std::clamp<std::size_t>(config.min_samples.value_or(defaults.settings.min_samples), 1, c.max_samples);
  c.min_delay = config.min_delay.count();
  c.asymmetry = config.asymmetry;
  c.clock_precision = defaults.clock_precision;
  c.frequency_sd = defaults.frequency_sd;
  return c;
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
  if (config.filter_length > 1)
    filter.emplace(clock::FilterKind::network, std::size_t{config.filter_length}, true);
}

bool Source::may_be_selected() const {
  return !ntp || ntp->association.may_be_selected();
}

bool Source::starting() const {
  constexpr unsigned kPollsToStart = 8;  // requests by which a source that answers has samples enough
  return ntp && ntp->association.report().transmitted < kPollsToStart;
}

void Source::set_selected(bool selected) {
  if (ntp) ntp->association.set_selected(selected);
}

void Source::shift(const clock::ClockChange& change) {
  statistics.shift(change);
  if (filter) filter->shift(change);
  if (ntp) ntp->association.shift(change.at, change.frequency, change.offset);
}

std::string Source::address_text() const {
  return ntp->resolved() ? ntp->address.address.to_string() : fmt::format("ID#{:010}", id);
}

std::string Source::label() const {
  if (!ntp->resolved()) return ntp->config.name;
  return ntp->config_is_numeric ? address_text() : fmt::format("{} ({})", address_text(), ntp->config.name);
}

}  // namespace wiretime::control
