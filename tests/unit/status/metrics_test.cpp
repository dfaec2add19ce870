// SPDX-License-Identifier: BSD-3-Clause
// The metrics page against a strict reading of the text exposition format 0.0.4, and its values.
#include "status/metrics.hpp"

#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "catch.hpp"
#include "fake_report.hpp"
#include "status/exposition.hpp"

using namespace wiretime;
using namespace wiretime::status;

namespace {

using LabelMap = std::map<std::string, std::string>;

struct Page {
  std::map<std::string, std::string> types;
  std::map<std::string, std::map<LabelMap, std::string>> samples;  // family, labels, value as written
  std::string error;                                               // empty: the page is valid
};

bool is_name(std::string_view s, bool colon) {
  if (s.empty() || std::isdigit(static_cast<unsigned char>(s[0])) != 0) return false;
  for (const char c : s) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && !(colon && c == ':')) return false;
  }
  return true;
}

bool is_value(std::string_view s) {
  if (s == "NaN" || s == "+Inf" || s == "-Inf") return true;
  double d = 0;
  const auto r = std::from_chars(s.data(), s.data() + s.size(), d);
  return r.ec == std::errc{} && r.ptr == s.data() + s.size() && std::isfinite(d);
}

// {a="b",c="d"}: consumes it from `line`; nullopt when malformed.
std::optional<LabelMap> take_labels(std::string_view& line) {
  LabelMap labels;
  line.remove_prefix(1);
  for (;;) {
    const auto equals = line.find("=\"");
    if (equals == std::string_view::npos || !is_name(line.substr(0, equals), false)) return {};
    const std::string name{line.substr(0, equals)};
    line.remove_prefix(equals + 2);
    std::string value;
    for (;;) {
      if (line.empty()) return {};
      const char c = line.front();
      line.remove_prefix(1);
      if (c == '"') break;
      if (c != '\\') {
        value += c;
        continue;
      }
      if (line.empty()) return {};
      const char escaped = line.front();
      line.remove_prefix(1);
      if (escaped != '\\' && escaped != '"' && escaped != 'n') return {};
      value += escaped == 'n' ? '\n' : escaped;
    }
    if (!labels.emplace(name, value).second || line.empty()) return {};
    const char next = line.front();
    line.remove_prefix(1);
    if (next == '}') return labels;
    if (next != ',') return {};
  }
}

std::string check_comment(Page& page, std::string_view line, std::string& family, bool& typed) {
  const bool help = line.substr(0, 7) == "# HELP ";
  if (!help && line.substr(0, 7) != "# TYPE ") return "comment that is neither HELP nor TYPE";
  line.remove_prefix(7);
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return "HELP or TYPE without text";
  const std::string name{line.substr(0, space)};
  const std::string_view text = line.substr(space + 1);
  if (!is_name(name, true)) return "bad metric name " + name;
  if (help) {
    if (page.types.count(name) != 0) return "family twice: " + name;
    if (!family.empty() && page.samples[family].empty()) return "family without samples: " + family;
    if (text.empty()) return "empty help";
    family = name;
    typed = false;
    return {};
  }
  if (name != family || typed) return "TYPE must follow its own HELP: " + name;
  if (text != "gauge" && text != "counter") return "unknown type";
  const bool total = name.size() > 6 && name.substr(name.size() - 6) == "_total";
  if ((text == "counter") != total) return "_total is for counters and only for them: " + name;
  page.types[name] = text;
  typed = true;
  return {};
}

std::string check_sample(Page& page, std::string_view line, const std::string& family, bool typed) {
  const auto end = line.find_first_of("{ ");
  if (end == std::string_view::npos) return "sample without value";
  if (line.substr(0, end) != family || !typed) return "sample outside its family";
  line.remove_prefix(end);
  LabelMap labels;
  if (line.front() == '{') {
    const auto taken = take_labels(line);
    if (!taken) return "malformed labels in " + family;
    labels = *taken;
  }
  if (line.empty() || line.front() != ' ') return "no space before the value";
  line.remove_prefix(1);
  if (!is_value(line)) return "bad value " + std::string{line};
  if (page.types[family] == "counter" && line.front() == '-') return "negative counter";
  if (!page.samples[family].emplace(labels, line).second) return "series twice in " + family;
  return {};
}

Page parse(std::string_view text) {
  Page page;
  std::string family;
  bool typed = false;
  if (text.empty() || text.back() != '\n') page.error = "page does not end in a newline";
  while (!text.empty() && page.error.empty()) {
    const auto newline = text.find('\n');
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline + 1);
    if (line.empty()) {
      page.error = "empty line";
    } else if (line.front() == '#') {
      page.error = check_comment(page, line, family, typed);
    } else {
      page.error = check_sample(page, line, family, typed);
    }
    if (!page.error.empty()) page.error += " in: " + std::string{line};
  }
  return page;
}

std::string value(const Page& page, const std::string& family, const LabelMap& labels = {}) {
  const auto f = page.samples.find(family);
  if (f == page.samples.end()) return "no family";
  const auto s = f->second.find(labels);
  return s == f->second.end() ? "no series" : s->second;
}

// A server without sources, workers or time: what a scrape during start-up sees.
class BareReport : public Report {
 public:
  ServiceReport service() const override { return {"0", fake::at(0), {}}; }
  Tracking tracking() const override { return {}; }
  ServerStats server_stats() const override { return {}; }
  std::optional<ClientPage> clients(std::uint32_t, std::uint32_t, std::uint32_t, bool) override { return {}; }
  ClientLogUse client_log() const override { return {}; }
  bool ntp_access(const IpAddress&) const override { return false; }
  bool command_access(const IpAddress&) const override { return false; }
  std::vector<WorkerReport> workers() const override { return {}; }
  std::vector<PortReport> ports() const override { return {}; }
};

}  // namespace

TEST_CASE("the checker itself rejects what Prometheus would", "[metrics]") {
  const std::string head = "# HELP a_total x\n# TYPE a_total counter\n";
  CHECK(parse(head + "a_total 1\n").error.empty());
  for (const std::string bad :
       {"a_total 1", "a_total  1\n", "b 1\n", "a_total{} 1\n", "a_total{x=\"1\",x=\"2\"} 1\n", "a_total -1\n",
        "a_total{x=\"\\q\"} 1\n", "a_total{x=\"1\"} 1\na_total{x=\"1\"} 1\n", "a_total 0x\n", "\na_total 1\n",
        "a_total{1x=\"1\"} 1\n", "# HELP a_total x\n", "# HELP b y\n# TYPE b counter\nb 1\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse(head + bad).error.empty());
  }
}

TEST_CASE("the page is valid exposition text, with and without anything to report", "[metrics]") {
  CHECK(parse(render_metrics(fake::FakeReport{})).error == "");
  const Page bare = parse(render_metrics(BareReport{}));
  CHECK(bare.error == "");
  CHECK(value(bare, "chrony_up") == "1");
  CHECK(value(bare, "chrony_tracking_stratum") == "0");
  for (const std::string family : {"wiretime_clock_error_bound_seconds", "wiretime_packets_total",
                                   "chrony_sources_stratum", "chrony_sourcestats_samples"}) {
    CHECK(bare.samples.count(family) == 0);
  }
}

TEST_CASE("the names that dashboards for chronyd query are all there", "[metrics]") {
  const Page page = parse(render_metrics(fake::FakeReport{}));
  std::set<std::string> missing{"chrony_up"};
  for (const std::string name :
       {"info", "last_offset_seconds", "reference_timestamp_seconds", "system_time_seconds",
        "remote_reference", "rms_offset_seconds", "root_delay_seconds", "root_dispersion_seconds",
        "frequency_ppms", "residual_frequency_ppms", "skew_ppms", "update_interval_seconds", "stratum"}) {
    missing.insert("chrony_tracking_" + name);
  }
  for (const std::string name :
       {"last_sample_age_seconds", "reachability_ratio", "reachability_success", "last_sample_offset_seconds",
        "last_sample_error_margin_seconds", "polling_interval_seconds", "state_info", "stratum",
        "peer_offset_seconds", "peer_delay_seconds", "peer_dispersion_seconds", "peer_response_time_seconds",
        "peer_jitter_asymmetry_seconds"}) {
    missing.insert("chrony_sources_" + name);
  }
  for (const std::string name :
       {"samples", "runs", "span_seconds", "stddev", "frequency_ppms", "frequency_skew_ppms", "offset"}) {
    missing.insert("chrony_sourcestats_" + name);
  }
  for (const std::string name :
       {"ntp_packets_received_total", "ntp_packets_dropped_total", "command_packets_received_total",
        "command_packets_dropped_total", "client_log_records_dropped_total",
        "nts_ke_connections_accepted_total", "nts_ke_connections_dropped_total",
        "authenticated_ntp_packets_total", "interleaved_ntp_packets_total", "ntp_timestamps_held",
        "ntp_timestamp_span_seconds", "ntp_daemon_rx_timestamps_total", "ntp_daemon_tx_timestamps_total",
        "ntp_kernel_rx_timestamps_total", "ntp_kernel_tx_timestamps_total", "ntp_hw_rx_timestamps_total",
        "ntp_hw_tx_timestamps_total"}) {
    missing.insert("chrony_serverstats_" + name);
  }
  for (const auto& [name, type] : page.types) missing.erase(name);
  CHECK(missing == std::set<std::string>{});
}

TEST_CASE("tracking values keep their units and signs", "[metrics]") {
  const Page page = parse(render_metrics(fake::FakeReport{}));
  CHECK(value(page, "chrony_tracking_info",
              {{"tracking_address", "192.0.2.1"},
               {"tracking_name", "ntp1.example.net"},
               {"tracking_refid", "C0000201"}}) == "1");
  CHECK(value(page, "chrony_tracking_last_offset_seconds") == "-2.3456e-05");
  CHECK(value(page, "chrony_tracking_system_time_seconds") == "1.2345e-05");
  CHECK(value(page, "chrony_tracking_frequency_ppms") == "-12.345");
  CHECK(std::stod(value(page, "chrony_tracking_reference_timestamp_seconds")) ==
        Approx(1'700'000'100.123456789).epsilon(1e-15));
  CHECK(value(page, "chrony_tracking_remote_reference") == "1");
  CHECK(value(page, "process_start_time_seconds") == "1700000000.25");
  CHECK(value(page, "wiretime_clock_error_bound_seconds") == "1.5e-06");
}

TEST_CASE("a local reference has no address and is not remote", "[metrics]") {
  class LocalReport : public fake::FakeReport {
    Tracking tracking() const override {
      Tracking t;
      t.reference_id = 0x7f7f0101;
      t.stratum = 10;
      return t;
    }
  };
  const Page page = parse(render_metrics(LocalReport{}));
  CHECK(value(page, "chrony_tracking_info",
              {{"tracking_address", ""}, {"tracking_name", "7F7F0101"}, {"tracking_refid", "7F7F0101"}}) ==
        "1");
  CHECK(value(page, "chrony_tracking_remote_reference") == "0");
  CHECK(value(page, "chrony_tracking_stratum") == "10");
}

TEST_CASE("counters are written exactly, beyond what a double holds", "[metrics]") {
  const Page page = parse(render_metrics(fake::FakeReport{}));
  CHECK(value(page, "chrony_serverstats_ntp_packets_received_total") == "4294967297");
  CHECK(value(page, "chrony_serverstats_ntp_hw_tx_timestamps_total") == "9223372036854775809");
  CHECK(value(page, "chrony_serverstats_command_packets_dropped_total") == "6");
  CHECK(value(page, "chrony_serverstats_ntp_timestamps_held") == "10");
  CHECK(page.types.at("chrony_serverstats_ntp_timestamps_held") == "gauge");
  CHECK(value(page, "wiretime_ntp_timestamps_evicted_total") == "3");
  CHECK(value(page, "wiretime_client_log_records") == "12");
  CHECK(value(page, "wiretime_client_log_capacity_records") == "4096");
}

TEST_CASE("every verdict of every worker is a series, zero or not", "[metrics]") {
  const Page page = parse(render_metrics(fake::FakeReport{}));
  CHECK(page.samples.at("wiretime_packets_total").size() == 3 * kVerdictCount);
  const auto series = [&](std::string port, std::string worker, Verdict v) {
    return value(page, "wiretime_packets_total",
                 {{"port", port}, {"worker", worker}, {"verdict", std::string{name(v)}}});
  };
  CHECK(series("eth1", "1", Verdict::answered) == "18446744073709551615");
  CHECK(series("eth1", "0", Verdict::answered) == "0");
  CHECK(series("a\"b\\c", "0", Verdict::transmit_failed) == "5");
}

TEST_CASE("what the XDP program did with frames is there for the ports that have one", "[metrics]") {
  const Page page = parse(render_metrics(fake::FakeReport{}));
  CHECK(page.samples.at("wiretime_xdp_frames_total").size() == 2);
  CHECK(value(page, "wiretime_xdp_frames_total", {{"port", "eth1"}, {"reason", "redirected_ipv4"}}) == "40");
  CHECK(value(page, "wiretime_xdp_frames_total", {{"port", "eth1"}, {"reason", "not_udp"}}) == "0");
  CHECK(page.samples.at("wiretime_kernel_frames_total").size() == 2);
  CHECK(value(page, "wiretime_kernel_frames_total", {{"port", "a\"b\\c"}, {"reason", "to_kernel"}}) == "7");
}

TEST_CASE("the clock of a network card is reported where there is one", "[metrics]") {
  const Page page = parse(render_metrics(fake::FakeReport{}));
  const LabelMap eth1{{"port", "eth1"}};
  CHECK(value(page, "wiretime_nic_clock_info", {{"port", "eth1"}, {"method", "precise"}, {"phc", "utc"}}) ==
        "1");
  CHECK(page.samples.at("wiretime_nic_clock_ready").size() == 1);
  CHECK(value(page, "wiretime_nic_clock_ready", eth1) == "1");
  CHECK(value(page, "wiretime_nic_clock_locked", eth1) == "1");
  CHECK(std::stod(value(page, "wiretime_nic_clock_error_bound_seconds", eth1)) == Approx(25e-9));
  CHECK(std::stod(value(page, "wiretime_nic_clock_offset_seconds", eth1)) == Approx(-3e-9));
  CHECK(std::stod(value(page, "wiretime_nic_clock_correction_ppm", eth1)) == Approx(-20));
  CHECK(value(page, "wiretime_nic_clock_steps_total", eth1) == "1");
  CHECK(page.samples.at("wiretime_nic_clock_readings_total").size() == clock::kNicEvents);
  CHECK(value(page, "wiretime_nic_clock_readings_total", {{"port", "eth1"}, {"event", "frozen"}}) == "2");
}

TEST_CASE("a port's rung of transmit timestamps and what came of samples is reported", "[metrics]") {
  const Page page = parse(render_metrics(fake::FakeReport{}));
  const auto rung = [&](std::string name) {
    return value(page, "wiretime_transmit_rung", {{"port", "eth1"}, {"rung", name}});
  };
  CHECK(rung("launch") == "0");
  CHECK(rung("predicted") == "1");
  CHECK(rung("plain") == "0");
  CHECK(page.samples.at("wiretime_transmit_rung").size() == clock::kTransmitRungs.size());  // of one port
  const LabelMap eth1{{"port", "eth1"}};
  CHECK(std::stod(value(page, "wiretime_transmit_latency_seconds", eth1)) == Approx(900e-9));
  CHECK(std::stod(value(page, "wiretime_transmit_spread_seconds", eth1)) == Approx(40e-9));
  CHECK(page.samples.at("wiretime_transmit_events_total").size() == clock::kTransmitEvents);
  CHECK(value(page, "wiretime_transmit_events_total", {{"port", "eth1"}, {"event", "sampled"}}) == "77");
  CHECK(value(page, "wiretime_transmit_events_total", {{"port", "eth1"}, {"event", "lost"}}) == "3");
}

TEST_CASE("the rung of a port's receive stamps is the one that is 1 of those it could have", "[metrics]") {
  const Page page = parse(render_metrics(fake::FakeReport{}));
  CHECK(page.samples.at("wiretime_receive_rung").size() == 2);
  CHECK(value(page, "wiretime_receive_rung", {{"port", "eth1"}, {"rung", "xdp"}}) == "1");
  CHECK(value(page, "wiretime_receive_rung", {{"port", "eth1"}, {"rung", "tsc"}}) == "0");
  CHECK(value(page, "wiretime_receive_rung_changes_total", {{"port", "eth1"}}) == "2");
  const auto stamps = [&](const char* verdict) {
    return value(page, "wiretime_receive_stamps_total",
                 {{"port", "eth1"}, {"rung", "xdp"}, {"verdict", verdict}});
  };
  CHECK(page.samples.at("wiretime_receive_stamps_total").size() == clock::StampCounts{}.size());
  CHECK(stamps("good") == "7");
  CHECK(stamps("too_old") == "3");
  CHECK(stamps("repaired") == "0");
}

TEST_CASE("label values with quotes, backslashes and newlines are escaped", "[metrics]") {
  const std::string text = render_metrics(fake::FakeReport{});
  CHECK(text.find("wiretime_build_info{version=\"1.2.3 \\\"test\\\\build\\\"\\n\"} 1\n") !=
        std::string::npos);
  const Page page = parse(text);
  CHECK(value(page, "wiretime_build_info", {{"version", "1.2.3 \"test\\build\"\n"}}) == "1");
  CHECK(value(page, "wiretime_port_info",
              {{"port", "a\"b\\c"}, {"transport", "memif"}, {"timestamp_rung", "tsc"}}) == "1");
}

TEST_CASE("sources carry address, name, state and mode; what was never sampled is left out", "[metrics]") {
  const Page page = parse(render_metrics(fake::FakeReport{}));
  const LabelMap first{{"source_address", "192.0.2.1"}, {"source_name", "ntp1.example.net"}};
  const LabelMap peer{{"source_address", "2001:db8::2"}, {"source_name", "2001:db8::2"}};
  const LabelMap clock{{"source_address", "PPS0"}, {"source_name", "PPS0"}};
  CHECK(value(page, "chrony_sources_last_sample_offset_seconds", first) == "-0.000102");
  CHECK(value(page, "chrony_sources_last_sample_age_seconds", first) == "17");
  CHECK(value(page, "chrony_sources_last_sample_age_seconds", peer) == "no series");
  CHECK(value(page, "chrony_sources_reachability_ratio", first) == "0.875");
  CHECK(value(page, "chrony_sources_reachability_success", first) == "0");
  CHECK(value(page, "chrony_sources_polling_interval_seconds", first) == "64");
  CHECK(value(page, "chrony_sources_polling_interval_seconds", peer) == "0.125");
  CHECK(value(page, "chrony_sources_peer_delay_seconds", first) == "4e-06");
  CHECK(value(page, "chrony_sources_peer_delay_seconds", peer) == "no series");
  CHECK(value(page, "chrony_sourcestats_runs", clock) == "8");

  LabelMap state = clock;
  state["source_state"] = "outlier";
  state["source_mode"] = "ref";
  CHECK(value(page, "chrony_sources_state_info", state) == "1");
  state = peer;
  state["source_state"] = "candidate";
  state["source_mode"] = "peer";
  CHECK(value(page, "chrony_sources_state_info", state) == "1");
  CHECK(value(page, "chrony_sources_stratum",
              {{"source_address", "ID#0000000003"}, {"source_name", "name.not.resolved.example"}}) == "0");
}

TEST_CASE("special values are written as Prometheus spells them", "[metrics]") {
  Exposition out;
  out.family("x", MetricType::gauge, "back\\slash and\nnewline");
  out.sample({{"v", "1"}}, std::nan(""));
  out.sample({{"v", "2"}}, std::numeric_limits<double>::infinity());
  out.sample({{"v", "3"}}, -std::numeric_limits<double>::infinity());
  out.sample({{"v", "4"}}, 0.1);
  CHECK(std::move(out).take() ==
        "# HELP x back\\\\slash and\\nnewline\n# TYPE x gauge\nx{v=\"1\"} NaN\nx{v=\"2\"} +Inf\n"
        "x{v=\"3\"} -Inf\nx{v=\"4\"} 0.1\n");
}
