// SPDX-License-Identifier: BSD-3-Clause
#include "control/status_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "control/client_listing.hpp"
#include "control/source_manager.hpp"
#include "control/version.hpp"

namespace wiretime::control {

namespace {

// Requests that reached the NTP server and were let in, as chronyd counts them: refused ones are not among
// them.
constexpr std::array kNtpHits{Verdict::answered,          Verdict::answered_symmetric,
                              Verdict::answered_version1, Verdict::ntp_authentication_unsupported,
                              Verdict::ntp_mac_invalid,   Verdict::transmit_failed,
                              Verdict::answered_kiss,     Verdict::rate_limited};

std::uint64_t stamp(const Counters<server::Stamp>::Values& sums, server::Stamp which) {
  return sums[static_cast<std::size_t>(which)];
}

// Where most stamps of the kernel's sockets came from; interfaces differ. Before the first: where they come
// from without hardware.
std::string kernel_rung(const server::WorkerState& kernel) {
  using server::Stamp;
  // The first of them where no other has more.
  const auto most = [&](std::initializer_list<std::pair<Stamp, std::string_view>> kinds) {
    return std::max_element(kinds.begin(), kinds.end(),
                            [&](const auto& a, const auto& b) {
                              return kernel.stamps.get(a.first) < kernel.stamps.get(b.first);
                            })
        ->second;
  };
  return fmt::format("receive: {}, transmit: {}",
                     most({{Stamp::receive_kernel, "kernel"},
                           {Stamp::receive_hardware, "hardware"},
                           {Stamp::receive_daemon, "daemon"}}),
                     most({{Stamp::transmit_daemon, "daemon"},
                           {Stamp::transmit_kernel, "kernel"},
                           {Stamp::transmit_hardware, "hardware"}}));
}

}  // namespace

status::ServiceReport StatusReport::service() const {
  status::ServiceReport report;
  report.version = version();
  report.started = state_.started;
  if (state_.time.tick_map().ready()) {
    const Seconds bound = state_.time.error_bound();
    report.error_bound = bound.count() + hardware_error_bound();
  }
  return report;
}

// s, what the NICs' clocks add to the error of the time where they stamp requests.
double StatusReport::hardware_error_bound() const {
  if (state_.data_plane == nullptr) return 0;
  double most = 0;
  for (const status::PortReport& port : state_.data_plane->ports())
    if (port.receive && port.receive->rung == clock::ReceiveRung::hardware && port.nic_clock &&
        port.nic_clock->ready)
      most = std::max(most, port.nic_clock->error_bound);
  return most;
}

status::Tracking StatusReport::tracking() const {
  const clock::Reference& reference = state_.time.served().reference;
  const bool synchronised = state_.time.served().as == clock::ServedAs::synchronised;
  status::Tracking t;
  if (state_.sources != nullptr) {
    status::Tracking clock;
    state_.sources->describe(clock);
    t.current_correction = clock.current_correction;  // of a clock set by hand as well
    t.frequency_ppm = clock.frequency_ppm;
  }
  t.reference_id = reference.refid;
  t.stratum = reference.stratum;
  t.leap = static_cast<std::uint8_t>(reference.leap);
  if (reference.reference_time.value != 0) t.reference_time = reference.reference_time.near(os::wall_now());
  t.root_delay = reference.root_delay.seconds();
  t.root_dispersion = reference.root_dispersion.seconds();
  if (state_.sources != nullptr && synchronised) state_.sources->describe(t);
  return t;
}

status::ServerStats StatusReport::server_stats() const {
  Counters<Verdict>::Values verdicts{};
  Counters<server::Stamp>::Values stamps{};
  status::ServerStats stats;
  std::optional<ntp::TimestampSpan::Ends> held;
  for (const server::WorkerState* state : state_.states()) {
    state->verdicts.add_to(verdicts);
    state->stamps.add_to(stamps);
    stats.ntp_authenticated += state->features.get(server::Feature::authenticated);
    stats.ntp_interleaved += state->features.get(server::Feature::interleaved);
    stats.timestamps_held += state->features.get(server::Feature::exchange_held);
    stats.timestamps_evicted += state->features.get(server::Feature::exchange_evicted);
    if (const auto ends = state->timestamp_span.ends(); ends && held)
      held = {std::min(held->oldest, ends->oldest), std::max(held->newest, ends->newest)};
    else if (ends)
      held = ends;
    if (state->clients) stats.log_drops += state->clients->evicted();
  }
  if (held)
    stats.timestamp_span = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(held->newest - held->oldest).count());
  for (const Verdict v : kNtpHits) stats.ntp_hits += verdicts[static_cast<std::size_t>(v)];
  stats.ntp_drops = verdicts[static_cast<std::size_t>(Verdict::rate_limited)];
  stats.command_hits = state_.command_counts.hits;
  stats.command_drops = state_.command_counts.drops;
  stats.daemon_receive_timestamps = stamp(stamps, server::Stamp::receive_daemon);
  stats.daemon_transmit_timestamps = stamp(stamps, server::Stamp::transmit_daemon);
  stats.kernel_receive_timestamps = stamp(stamps, server::Stamp::receive_kernel);
  stats.kernel_transmit_timestamps = stamp(stamps, server::Stamp::transmit_kernel);
  stats.hardware_receive_timestamps = stamp(stamps, server::Stamp::receive_hardware);
  stats.hardware_transmit_timestamps = stamp(stamps, server::Stamp::transmit_hardware);
  return stats;
}

std::vector<ClientLog> StatusReport::client_logs() const {
  std::vector<ClientLog> logs;
  if (state_.command_clients) logs.push_back({state_.command_clients.get(), true});
  for (const server::WorkerState* state : state_.states())
    if (state->clients) logs.push_back({state->clients.get()});
  return logs;
}

std::optional<status::ClientPage> StatusReport::clients(std::uint32_t first_index, std::uint32_t max_records,
                                                        std::uint32_t min_hits, bool reset) {
  const auto logs = client_logs();
  if (logs.empty()) return std::nullopt;
  return listing_.page(logs, first_index, max_records, min_hits, reset, uptime_sixteenths(state_.uptime()));
}

status::ClientLogUse StatusReport::client_log() const {
  return client_log_use(client_logs());
}

bool StatusReport::ntp_access(const IpAddress& client) const {
  return client.family != Family::unspecified && state_.ntp_access.allows(client);
}

bool StatusReport::command_access(const IpAddress& client) const {
  return client.family != Family::unspecified && state_.command_access.allows(client);
}

std::vector<status::WorkerReport> StatusReport::workers() const {
  std::vector<status::WorkerReport> reports;
  for (const server::WorkerState* state : state_.states()) {
    status::WorkerReport report{state->port, state->worker, {}};
    state->verdicts.add_to(report.verdicts);
    reports.push_back(std::move(report));
  }
  return reports;
}

std::vector<status::PortReport> StatusReport::ports() const {
  std::vector<status::PortReport> reports{{"kernel", "kernel", kernel_rung(state_.kernel), {}}};
  if (state_.data_plane != nullptr) {
    auto more = state_.data_plane->ports();
    reports.insert(reports.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  return reports;
}

status::Activity StatusReport::activity() const {
  return state_.sources != nullptr ? state_.sources->activity() : status::Activity{};
}

std::uint32_t StatusReport::source_count() const {
  return state_.sources != nullptr ? state_.sources->source_count() : 0;
}

std::optional<status::SourceReport> StatusReport::source(std::uint32_t index) const {
  if (state_.sources == nullptr) return {};
  return state_.sources->source(index);
}

std::optional<status::SourceStats> StatusReport::source_stats(std::uint32_t index) const {
  if (state_.sources == nullptr) return {};
  return state_.sources->source_stats(index);
}

std::optional<status::SelectData> StatusReport::select_data(std::uint32_t index) const {
  if (state_.sources == nullptr) return {};
  return state_.sources->select_data(index);
}

std::optional<std::string> StatusReport::source_name(const status::SourceAddress& source) const {
  if (state_.sources == nullptr) return {};
  return state_.sources->source_name(source);
}

std::optional<status::NtpData> StatusReport::ntp_data(const status::SourceAddress& source) const {
  if (state_.sources == nullptr) return {};
  return state_.sources->ntp_data(source);
}

std::optional<status::AuthData> StatusReport::auth_data(const status::SourceAddress& source) const {
  if (state_.sources == nullptr) return {};
  return state_.sources->auth_data(source);
}

std::vector<status::ManualSample> StatusReport::manual_samples() const {
  if (state_.sources == nullptr) return {};
  return state_.sources->manual_samples();
}

std::optional<status::Smoothing> StatusReport::smoothing() const {
  if (state_.sources == nullptr) return {};
  return state_.sources->smoothing();
}

}  // namespace wiretime::control
