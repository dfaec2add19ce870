// SPDX-License-Identifier: BSD-3-Clause
// From a source's line in the configuration to the settings of the parts a Source is made of. Control thread;
// pure.
#pragma once

#include <cstdint>

#include "clock/delay_test.hpp"
#include "clock/poll_control.hpp"
#include "clock/refclock.hpp"
#include "clock/selection.hpp"
#include "clock/source_statistics.hpp"
#include "control/config.hpp"
#include "ntp/key.hpp"
#include "ntp/source_options.hpp"

namespace wiretime::control {

struct SourceDefaults {
  const Settings& settings;
  const ntp::KeyTable* keys = nullptr;  // null: none
  double clock_precision = 1e-7;        // s
  double frequency_sd = 300e-6;         // s/s, of the clock before the first sample
};

[[nodiscard]] ntp::SourceOptions association_options(const NtpSource& config, const SourceDefaults& defaults);
[[nodiscard]] clock::StatisticsConfig statistics_config(const NtpSource& config,
                                                        const SourceDefaults& defaults);
[[nodiscard]] clock::StatisticsConfig statistics_config(const Refclock& config,
                                                        const SourceDefaults& defaults);
[[nodiscard]] clock::RefclockConfig refclock_config(const Refclock& config, const SourceDefaults& defaults);
// As configured, or of the driver's name and `index`: "PPS0", "SHM1", "SO12".
[[nodiscard]] std::uint32_t refclock_id(const Refclock& config, std::size_t index);
[[nodiscard]] clock::DelayLimits delay_limits(const NtpSource& config, const Settings& settings);
[[nodiscard]] clock::SelectOptions select_options(const SelectOptions& configured);
[[nodiscard]] clock::PollConfig poll_config(const NtpSource& config);

}  // namespace wiretime::control
