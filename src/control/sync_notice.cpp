// SPDX-License-Identifier: BSD-3-Clause
#include "control/sync_notice.hpp"

#include <fmt/format.h>

#include <cmath>

namespace wiretime::control {

namespace {

constexpr std::string_view kUnsynchronised = "clients see this server as unsynchronised: ";

double root_distance(const clock::ClockState& state) {
  const std::chrono::duration<double> delay = state.root_delay;
  const std::chrono::duration<double> dispersion = state.root_dispersion;
  return dispersion.count() + delay.count() / 2;
}

std::string no_local(const SyncNotice::Situation& now) {
  const std::string where = now.config_file.empty() ? "the configuration" : now.config_file;
  return fmt::format("{}{} and no 'local' directive is configured; add e.g. 'local stratum 10' to {}",
                     kUnsynchronised, "no source is selected", where);
}

std::string local_not_active(const clock::LocalConfig& local) {
  std::string waits;
  if (local.activate.count() > 0)
    waits +=
        fmt::format(", activate {}: the root distance must first fall below that", local.activate.count());
  if (local.wait_unsynced.count() > 0)
    waits += fmt::format(", waitunsynced {} s", local.wait_unsynced.count());
  if (local.wait_synced.count() > 0) waits += fmt::format(", waitsynced {} s", local.wait_synced.count());
  return fmt::format("{}no source is selected and the 'local' reference is not active yet{}", kUnsynchronised,
                     waits);
}

}  // namespace

std::optional<SyncNotice::Line> SyncNotice::update(const Situation& now, Seconds uptime) {
  Line line;
  std::string topic;  // what a change of is news; numbers that move on their own stay out of it
  switch (now.served.as) {
    case clock::ServedAs::unsynchronised:
      if (now.sources_configured && !now.local.enabled)
        line.text = fmt::format("{}no source is selected yet (chronyc sources)", kUnsynchronised);
      else
        line = {true, now.local.enabled ? local_not_active(now.local) : no_local(now)};
      topic = line.text;
      break;
    case clock::ServedAs::local:
      line.text = fmt::format("clients see this server as synchronised: local reference, stratum {}",
                              now.served.reference.stratum);
      topic = line.text;
      break;
    case clock::ServedAs::synchronised:
      topic = fmt::format("clients see this server as synchronised: {}, stratum {}",
                          now.sources_configured ? "following its sources" : "the kernel's clock",
                          now.served.reference.stratum);
      line.text = fmt::format("{}, root distance {:.3g} s", topic, root_distance(now.state));
      break;
  }
  if (topic == last_topic_) return std::nullopt;
  if (last_time_ && uptime - *last_time_ < kShortestPause)
    return std::nullopt;  // asked again within a second
  last_topic_ = topic;
  last_time_ = uptime;
  return line;
}

}  // namespace wiretime::control
