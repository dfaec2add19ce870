// SPDX-License-Identifier: BSD-3-Clause
#include "control/source.hpp"

#include <fmt/format.h>

#include <cmath>

#include "ntp/reference_id.hpp"
#include "os/resolver.hpp"

namespace wiretime::control {

namespace {

constexpr unsigned kPollsToStart = 8;  // by which a source that answers has samples enough

}  // namespace

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

RefclockPart::RefclockPart(const Refclock& its_config, std::size_t its_index, const SourceDefaults& defaults)
    : config{its_config},
      index{its_index},
      lock{config.lock.empty() ? 0 : ntp::named_reference_id(config.lock)},
      clock{refclock_config(its_config, defaults)} {}

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
  if (!ntp) return;
  ntp->association.shift(change.at, change.frequency, change.offset);
  // The other side's stamps of an exchange begun before are of a time scale that ended.
  if (change.leap != 0) ntp->association.clock_lost();
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
