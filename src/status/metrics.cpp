// SPDX-License-Identifier: BSD-3-Clause
#include "status/metrics.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <set>
#include <vector>

#include "status/exposition.hpp"
#include "status/metrics_own.hpp"

namespace wiretime::status {

namespace {

constexpr auto kGauge = MetricType::gauge;
constexpr auto kCounter = MetricType::counter;

// Four letters for a reference clock's or stratum 0 source's refid, else hexadecimal.
std::string refid_text(std::uint32_t refid) {
  std::string letters;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto c = static_cast<char>((refid >> shift) & 0xffU);
    if (c == 0 && !letters.empty()) continue;
    if (c < 0x21 || c > 0x7e) return fmt::format("{:08X}", refid);
    letters += c;
  }
  return letters;
}

std::string address_text(const IpAddress& a) {
  return a.family == Family::unspecified ? std::string{} : a.to_string();
}

void write_tracking(Exposition& out, const Report& report) {
  const Tracking t = report.tracking();
  const std::string address = address_text(t.source);
  std::string name = refid_text(t.reference_id);
  if (!address.empty()) name = report.source_name({t.source, {}}).value_or(address);
  const std::string refid = fmt::format("{:08X}", t.reference_id);

  out.family("chrony_tracking_info", kGauge, "What the clock is synchronised to, as labels.");
  out.sample({{"tracking_address", address}, {"tracking_name", name}, {"tracking_refid", refid}}, 1U);
  out.single("chrony_tracking_last_offset_seconds", kGauge, "Clock offset at the last update.",
             t.last_offset);
  out.single("chrony_tracking_reference_timestamp_seconds", kGauge,
             "Unix time of the last measurement from the reference source.", unix_seconds(t.reference_time));
  out.single("chrony_tracking_system_time_seconds", kGauge,
             "Correction still to be applied: positive while the system clock is behind NTP time.",
             t.current_correction);
  out.single("chrony_tracking_remote_reference", kGauge,
             "1 while the time comes from another NTP server, 0 if local, a reference clock or none.",
             address.empty() ? 0U : 1U);
  out.single("chrony_tracking_rms_offset_seconds", kGauge, "Long-term average of the offset.", t.rms_offset);
  out.single("chrony_tracking_root_delay_seconds", kGauge, "Total network delay to the stratum 1 server.",
             t.root_delay);
  out.single("chrony_tracking_root_dispersion_seconds", kGauge,
             "Total dispersion accumulated back to the stratum 1 server.", t.root_dispersion);
  out.single("chrony_tracking_frequency_ppms", kGauge,
             "Rate by which the system clock would be wrong if it were not corrected, in ppm.",
             t.frequency_ppm);
  out.single("chrony_tracking_residual_frequency_ppms", kGauge,
             "Difference between the source's frequency and the one in use, in ppm.",
             t.residual_frequency_ppm);
  out.single("chrony_tracking_skew_ppms", kGauge, "Estimated error bound on the frequency, in ppm.",
             t.skew_ppm);
  out.single("chrony_tracking_update_interval_seconds", kGauge, "Time between the last two clock updates.",
             t.last_update_interval);
  out.single("chrony_tracking_stratum", kGauge, "Stratum served; 0 while not synchronised.",
             std::uint32_t{t.stratum});
}

void write_serverstats(Exposition& out, const ServerStats& s) {
  const auto count = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    out.single(fmt::format("chrony_serverstats_{}", name), kCounter, help, value);
  };
  count("ntp_packets_received_total", "Valid NTP requests received.", s.ntp_hits);
  count("ntp_packets_dropped_total", "NTP requests dropped to limit the response rate.", s.ntp_drops);
  count("command_packets_received_total", "Command requests received.", s.command_hits);
  count("command_packets_dropped_total", "Command requests dropped to limit the response rate.",
        s.command_drops);
  count("client_log_records_dropped_total", "Client records replaced to stay within the memory limit.",
        s.log_drops);
  count("nts_ke_connections_accepted_total", "NTS-KE connections accepted.", s.nts_ke_hits);
  count("nts_ke_connections_dropped_total", "NTS-KE connections dropped to limit their rate.",
        s.nts_ke_drops);
  count("authenticated_ntp_packets_total", "NTP requests authenticated by key or NTS.", s.ntp_authenticated);
  count("interleaved_ntp_packets_total", "NTP requests in interleaved mode.", s.ntp_interleaved);
  out.single("chrony_serverstats_ntp_timestamps_held", kGauge,
             "Timestamp pairs held for clients in interleaved mode.", s.timestamps_held);
  out.single(
      "wiretime_ntp_timestamps_evicted_total", kCounter,
      "Timestamp pairs given up for those of other replies: their clients get an answer in basic mode.",
      s.timestamps_evicted);
  out.single("chrony_serverstats_ntp_timestamp_span_seconds", kGauge,
             "Time covered by the timestamps held, at least.", s.timestamp_span);
  count("ntp_daemon_rx_timestamps_total", "Requests stamped on receipt by the daemon.",
        s.daemon_receive_timestamps);
  count("ntp_daemon_tx_timestamps_total", "Responses stamped by the daemon.", s.daemon_transmit_timestamps);
  count("ntp_kernel_rx_timestamps_total", "Requests stamped on receipt by the kernel.",
        s.kernel_receive_timestamps);
  count("ntp_kernel_tx_timestamps_total", "Responses stamped by the kernel.", s.kernel_transmit_timestamps);
  count("ntp_hw_rx_timestamps_total", "Requests stamped on receipt by the network card.",
        s.hardware_receive_timestamps);
  count("ntp_hw_tx_timestamps_total", "Responses stamped by the network card.",
        s.hardware_transmit_timestamps);
}

struct SourceView {
  std::string address;
  std::string name;
  SourceReport report;
  std::optional<SourceStats> stats;
  std::optional<NtpData> ntp;
};

std::vector<SourceView> collect_sources(const Report& report) {
  std::vector<SourceView> views;
  std::set<std::string> seen;  // a series must not appear twice
  const std::uint32_t count = report.source_count();
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto source = report.source(i);
    if (!source) continue;
    SourceView view;
    const SourceAddress& a = source->address;
    if (source->mode == SourceMode::reference_clock) {
      view.address = refid_text(a.ip.v4_host_order());
    } else if (a.unresolved) {
      view.address = fmt::format("ID#{:010}", *a.unresolved);
    } else {
      view.address = address_text(a.ip);
    }
    if (!seen.insert(view.address).second) continue;
    view.name = report.source_name(a).value_or(view.address);
    view.report = *source;
    view.stats = report.source_stats(i);
    view.ntp = report.ntp_data(a);
    views.push_back(std::move(view));
  }
  return views;
}

std::string_view mode_text(SourceMode mode) {
  switch (mode) {
    case SourceMode::client:
      return "client";
    case SourceMode::peer:
      return "peer";
    case SourceMode::reference_clock:
      return "ref";
  }
  return "unknown";
}

// The words dashboards match on, not chronyc's.
std::string_view state_text(SourceState state) {
  switch (state) {
    case SourceState::selected:
      return "sync";
    case SourceState::not_selectable:
      return "unreach";
    case SourceState::falseticker:
      return "falseticker";
    case SourceState::jittery:
      return "jittery";
    case SourceState::combined:
      return "candidate";
    case SourceState::not_combined:
      return "outlier";
  }
  return "unknown";
}

// One gauge family over all sources; `value` returns an optional, empty leaves that source out.
template <typename Value>
void per_source(Exposition& out, const std::vector<SourceView>& sources, std::string_view name,
                std::string_view help, Value&& value) {
  out.family(name, kGauge, help);
  for (const SourceView& s : sources) {
    const std::optional<double> v = value(s);
    if (v) out.sample({{"source_address", s.address}, {"source_name", s.name}}, *v);
  }
}

void write_sources(Exposition& out, const std::vector<SourceView>& sources) {
  using Value = std::optional<double>;
  const auto with_sample = [](double SourceReport::*field) {
    return
        [field](const SourceView& s) { return s.report.last_sample_age ? Value{s.report.*field} : Value{}; };
  };
  per_source(out, sources, "chrony_sources_last_sample_age_seconds", "Time since the last good sample.",
             [](const SourceView& s) {
               return s.report.last_sample_age ? Value{static_cast<double>(s.report.last_sample_age->count())}
                                               : Value{};
             });
  per_source(out, sources, "chrony_sources_reachability_ratio", "Share of the last eight polls answered.",
             [](const SourceView& s) { return Value{std::popcount(s.report.reachability) / 8.0}; });
  per_source(out, sources, "chrony_sources_reachability_success", "1 if the last poll was answered.",
             [](const SourceView& s) { return Value{s.report.reachability & 1}; });
  per_source(out, sources, "chrony_sources_last_sample_offset_seconds", "Offset of the last sample.",
             with_sample(&SourceReport::last_sample_offset));
  per_source(out, sources, "chrony_sources_last_sample_error_margin_seconds",
             "Error margin of the last sample.", with_sample(&SourceReport::last_sample_error));
  per_source(out, sources, "chrony_sources_polling_interval_seconds", "Polling interval.",
             [](const SourceView& s) { return Value{std::ldexp(1.0, s.report.poll)}; });
  out.family("chrony_sources_state_info", kGauge, "State and mode of the source, as labels.");
  for (const SourceView& s : sources) {
    out.sample({{"source_address", s.address},
                {"source_name", s.name},
                {"source_state", state_text(s.report.state)},
                {"source_mode", mode_text(s.report.mode)}},
               1U);
  }
  per_source(out, sources, "chrony_sources_stratum", "Stratum of the source.",
             [](const SourceView& s) { return Value{s.report.stratum}; });

  const auto from_ntp = [](double NtpData::*field) {
    return [field](const SourceView& s) { return s.ntp ? Value{*s.ntp.*field} : Value{}; };
  };
  per_source(out, sources, "chrony_sources_peer_offset_seconds", "Offset in the last valid response.",
             from_ntp(&NtpData::offset));
  per_source(out, sources, "chrony_sources_peer_delay_seconds", "Round trip of the last valid response.",
             from_ntp(&NtpData::peer_delay));
  per_source(out, sources, "chrony_sources_peer_dispersion_seconds", "Dispersion of the last valid response.",
             from_ntp(&NtpData::peer_dispersion));
  per_source(out, sources, "chrony_sources_peer_response_time_seconds",
             "Time the source took between receiving and answering.", from_ntp(&NtpData::response_time));
  per_source(out, sources, "chrony_sources_peer_jitter_asymmetry_seconds",
             "Asymmetry of the jitter on the path, from -0.5 to 0.5.", from_ntp(&NtpData::jitter_asymmetry));
}

void write_sourcestats(Exposition& out, const std::vector<SourceView>& sources) {
  using Value = std::optional<double>;
  const auto stat = [](auto SourceStats::*field) {
    return [field](const SourceView& s) {
      return s.stats ? Value{static_cast<double>(*s.stats.*field)} : Value{};
    };
  };
  per_source(out, sources, "chrony_sourcestats_samples", "Samples kept for the source.",
             stat(&SourceStats::samples));
  per_source(out, sources, "chrony_sourcestats_runs", "Runs of residuals with the same sign.",
             stat(&SourceStats::runs));
  per_source(out, sources, "chrony_sourcestats_span_seconds", "Time between the oldest and newest sample.",
             [](const SourceView& s) {
               return s.stats ? Value{static_cast<double>(s.stats->span.count())} : Value{};
             });
  per_source(out, sources, "chrony_sourcestats_stddev", "Estimated standard deviation of samples, seconds.",
             stat(&SourceStats::standard_deviation));
  per_source(out, sources, "chrony_sourcestats_frequency_ppms", "Estimated residual frequency, in ppm.",
             stat(&SourceStats::residual_frequency_ppm));
  per_source(out, sources, "chrony_sourcestats_frequency_skew_ppms", "Error bound on the frequency, in ppm.",
             stat(&SourceStats::skew_ppm));
  per_source(out, sources, "chrony_sourcestats_offset", "Estimated offset of the source, seconds.",
             stat(&SourceStats::estimated_offset));
}

}  // namespace

std::string render_metrics(const Report& report) {
  Exposition out;
  out.single("chrony_up", kGauge, "1 while the daemon answers.", 1U);
  write_tracking(out, report);
  write_serverstats(out, report.server_stats());
  const auto sources = collect_sources(report);
  write_sources(out, sources);
  write_sourcestats(out, sources);
  write_own_families(out, report);
  return std::move(out).take();
}

}  // namespace wiretime::status
