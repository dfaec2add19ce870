// SPDX-License-Identifier: BSD-3-Clause
// SourceManager: initstepslew. Before the configured sources start, its hosts are asked in a burst; what the
// clock is then found to be wrong by is stepped above the threshold and slewed below it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "control/source_manager.hpp"

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

// An unanswered burst is over in 14 s; names may take some more, and a host without a resolver for ever.
constexpr Nanoseconds kLongest = 30s;

}  // namespace

bool SourceManager::wants_initial_offset() const {
  return options_.use == ClockUse::follow && !options_.restarted && !settings_.init_step_slew.hosts.empty() &&
         settings_.init_step_slew.threshold.count() > 0;
}

void SourceManager::start_initial() {
  initial_until_ = host_.monotonic() + kLongest;
  for (const std::string& host : settings_.init_step_slew.hosts) {
    NtpSource config;
    config.name = host;
    config.iburst = true;
    add_line(config);
  }
}

void SourceManager::correct_initial(const clock::Selection& selection) {
  const WallTime kernel = host_.kernel_time();
  const double offset = selection.estimate.offset;
  const bool step = std::fabs(offset) > settings_.init_step_slew.threshold.count();
  Result<void> done;
  if (step)
    done = steering_.step(kernel, offset);
  else if (auto slewed = steering_.adjust(kernel, 0, offset); !slewed)
    done = tl::make_unexpected(slewed.error());
  if (done)
    log(os::LogLevel::info,
        fmt::format("System's initial offset : {:.6f} seconds {} of true ({})", std::fabs(offset),
                    offset >= 0 ? "slow" : "fast", step ? "step" : "slew"));
  else
    report_failure(done.error());
  if (done) shift({kernel, 0, offset}, step ? Move::stepped : Move::slewed);
  if (done && step) host_.clock_stepped();
  end_initial();
}

void SourceManager::give_up_initial() {
  log(os::LogLevel::warning, "No suitable source for initstepslew: starting without");
  end_initial();
}

void SourceManager::end_initial() {
  initial_until_.reset();
  for (std::uint32_t line = 1; line <= settings_.init_step_slew.hosts.size(); ++line) remove_line(line);
  selector_.reselect();
  selection_notice_ = {};
  arm_clock_timer();
  start_configured();
}

}  // namespace wiretime::control
