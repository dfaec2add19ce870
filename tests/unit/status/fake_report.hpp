// SPDX-License-Identifier: BSD-3-Clause
// A Report with a distinct value in every field, and an Executor that remembers what it was told. Shared by
// the status tests and the cmdmon fuzzer.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "status/command.hpp"
#include "status/report.hpp"

namespace wiretime::status::fake {

inline IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

inline WallTime at(std::int64_t seconds, std::int64_t nanoseconds = 0) {
  return WallTime{std::chrono::seconds{seconds} + std::chrono::nanoseconds{nanoseconds}};
}

class FakeReport : public Report {
 public:
  bool client_log_on = true;
  bool smoothing_on = true;
  bool rtc_on = true;
  std::uint32_t resets = 0;
  std::uint32_t client_count = 20;
  std::uint32_t last_min_hits = 0;

  ServiceReport service() const override {
    return {"1.2.3 \"test\\build\"\n", at(1'700'000'000, 250'000'000), 1.5e-6};
  }

  Tracking tracking() const override {
    Tracking t;
    t.reference_id = 0xc0000201;
    t.source = ip("192.0.2.1");
    t.stratum = 3;
    t.leap = 0;
    t.reference_time = at(1'700'000'100, 123'456'789);
    t.current_correction = 0.000012345;
    t.last_offset = -0.000023456;
    t.rms_offset = 0.000034567;
    t.frequency_ppm = -12.345;
    t.residual_frequency_ppm = 0.123;
    t.skew_ppm = 0.456;
    t.root_delay = 0.012345;
    t.root_dispersion = 0.001234;
    t.last_update_interval = 64.5;
    return t;
  }

  ServerStats server_stats() const override {
    constexpr std::uint64_t kOver = 0x1'0000'0000;  // does not fit the old clients' counters
    ServerStats s;
    s.ntp_hits = kOver + 1;
    s.nts_ke_hits = 2;
    s.command_hits = 3;
    s.ntp_drops = 4;
    s.nts_ke_drops = 5;
    s.command_drops = 6;
    s.log_drops = 7;
    s.ntp_authenticated = 8;
    s.ntp_interleaved = 9;
    s.timestamps_held = 10;
    s.timestamps_evicted = 3;
    s.timestamp_span = 11;
    s.daemon_receive_timestamps = 12;
    s.daemon_transmit_timestamps = 13;
    s.kernel_receive_timestamps = 14;
    s.kernel_transmit_timestamps = 15;
    s.hardware_receive_timestamps = 16;
    s.hardware_transmit_timestamps = (std::uint64_t{1} << 63) + 1;  // more than a double holds exactly
    return s;
  }

  // Every third index is an unused slot; client i has i hits.
  std::optional<ClientPage> clients(std::uint32_t first, std::uint32_t max, std::uint32_t min_hits,
                                    bool reset) override {
    if (!client_log_on) return {};
    last_min_hits = min_hits;
    ClientPage page;
    page.indices = client_count;
    std::uint32_t i = first;
    for (; i < client_count && page.count < max; ++i) {
      if (i % 3 == 2 || i < min_hits) continue;
      if (reset) ++resets;
      page.records[page.count++] = client(i);
    }
    page.next_index = i;
    return page;
  }
  static ClientRecord client(std::uint32_t i) {
    ClientRecord c;
    c.address = i % 2 == 0 ? IpAddress::v4(0x0a000000 + i) : ip("2001:db8::" + std::to_string(i));
    c.ntp = {i, i + 100, 6, std::chrono::seconds{i + 1000}};
    c.nts_ke = {i + 200, i + 300, 7, std::chrono::seconds{i + 2000}};
    c.command = {i + 400, i + 500, kIntervalUnknown, {}};
    c.ntp_timeout_interval = -3;
    return c;
  }
  ClientLogUse client_log() const override { return {12, 4096}; }

  bool ntp_access(const IpAddress& a) const override { return a == ip("192.0.2.1"); }
  bool command_access(const IpAddress& a) const override { return a == ip("2001:db8::1"); }

  std::vector<WorkerReport> workers() const override {
    std::vector<WorkerReport> all{{"eth1", 0, {}}, {"eth1", 1, {}}, {"a\"b\\c", 0, {}}};
    all[1].verdicts[0] = 0xffff'ffff'ffff'ffff;
    all[2].verdicts[kVerdictCount - 1] = 5;
    return all;
  }
  std::vector<PortReport> ports() const override {
    clock::NicStatus nic;
    nic.role = clock::NicRole::utc;
    nic.method = "precise";
    nic.ready = nic.locked = true;
    nic.error_bound = 25e-9;
    nic.offset = -3e-9;
    nic.correction = -20e-6;
    nic.steps = 1;
    nic.events[0] = 600;
    nic.events[static_cast<std::size_t>(clock::NicEvent::frozen)] = 2;
    clock::TransmitStatus transmit;
    transmit.rung = clock::TransmitRung::predicted;
    transmit.latency = 900e-9;
    transmit.spread = 40e-9;
    transmit.events[static_cast<std::size_t>(clock::TransmitEvent::sampled)] = 77;
    transmit.events[static_cast<std::size_t>(clock::TransmitEvent::lost)] = 3;
    clock::ReceiveStatus receive;
    receive.offers_xdp_program = true;
    receive.rung = clock::ReceiveRung::xdp_program;
    receive.changes = 2;
    receive.xdp_program[static_cast<std::size_t>(clock::StampVerdict::good)] = 7;
    receive.xdp_program[static_cast<std::size_t>(clock::StampVerdict::too_old)] = 3;
    return {{"eth1", "af_xdp", "xdp", {{"redirected_ipv4", 40}, {"not_udp", 0}}, nic, receive, transmit},
            {"a\"b\\c", "memif", "tsc", {}, {}, {}, {}, {{"to_kernel", 7}, {"from_kernel", 0}}}};
  }

  Activity activity() const override { return {1, 2, 3, 4, 5}; }

  std::uint32_t source_count() const override { return static_cast<std::uint32_t>(sources().size()); }
  std::optional<SourceReport> source(std::uint32_t i) const override {
    return i < source_count() ? std::optional{sources()[i]} : std::nullopt;
  }
  std::optional<SourceStats> source_stats(std::uint32_t i) const override {
    if (i >= source_count()) return {};
    SourceStats s;
    s.reference_id = i == 3 ? 0x50505330 : 0xc0000201 + i;
    if (i != 3) s.address = sources()[i].address;
    s.samples = 10 + i;
    s.runs = 5 + i;
    s.span = std::chrono::seconds{1024 + i};
    s.standard_deviation = 0.000111;
    s.residual_frequency_ppm = -0.222;
    s.skew_ppm = 0.333;
    s.estimated_offset = -0.000444;
    s.estimated_offset_error = 0.000555;
    return s;
  }
  std::optional<SelectData> select_data(std::uint32_t i) const override {
    if (i >= source_count()) return {};
    SelectData s;
    s.reference_id = i == 3 ? 0x50505330 : 0xc0000201 + i;
    if (i != 3) s.address = sources()[i].address;
    s.state_letter = "*+x?"[i];
    s.authenticated = i == 0;
    s.leap = static_cast<std::uint8_t>(i);
    s.configured_options = i == 0 ? kOptionPrefer | kOptionTrust : kOptionNoSelect;
    s.effective_options = i == 0 ? kOptionRequire : kOptionPrefer;
    s.last_sample_age = std::chrono::seconds{17};
    s.score = 1.5;
    s.low_limit = -0.001;
    s.high_limit = 0.002;
    return s;
  }
  std::optional<std::string> source_name(const SourceAddress& a) const override {
    if (a.unresolved) return "name.not.resolved.example";
    if (a.ip == ip("192.0.2.1")) return "ntp1.example.net";
    return {};
  }
  std::optional<NtpData> ntp_data(const SourceAddress& a) const override {
    if (a.ip != ip("192.0.2.1")) return {};
    NtpData d;
    d.remote = a;
    d.local = ip("192.0.2.99");
    d.remote_port = 1123;
    d.leap = 1;
    d.version = 3;
    d.mode = 2;
    d.stratum = 2;
    d.poll = 7;
    d.precision = -23;
    d.root_delay = 0.001;
    d.root_dispersion = 0.002;
    d.reference_id = 0x47505300;
    d.reference_time = at(1'700'000'050, 500'000'000);
    d.offset = 0.000003;
    d.peer_delay = 0.000004;
    d.peer_dispersion = 0.000005;
    d.response_time = 0.000006;
    d.jitter_asymmetry = -0.25;
    d.tests = 0x2ab;
    d.interleaved = true;
    d.authenticated = true;
    d.transmit_timestamping = 'H';
    d.receive_timestamping = 'K';
    d.transmitted = 21;
    d.received = 22;
    d.received_valid = 23;
    d.received_good = 24;
    d.kernel_transmit_timestamps = 25;
    d.kernel_receive_timestamps = 26;
    d.hardware_transmit_timestamps = 27;
    d.hardware_receive_timestamps = 28;
    return d;
  }
  std::optional<AuthData> auth_data(const SourceAddress& a) const override {
    if (a.ip != ip("192.0.2.1")) return {};
    AuthData d;
    d.mode = AuthMode::nts;
    d.key_type = 15;
    d.key_id = 77;
    d.key_bits = 256;
    d.key_establishment_attempts = 3;
    d.last_key_establishment = std::chrono::seconds{3700};
    d.cookies = 8;
    d.cookie_length = 100;
    d.nak = true;
    return d;
  }
  std::optional<RtcReport> rtc() const override {
    if (!rtc_on) return {};
    return RtcReport{at(1'700'000'010), 11, 12, std::chrono::seconds{1300}, 1.4, -1.5};
  }
  std::optional<Smoothing> smoothing() const override {
    if (!smoothing_on) return {};
    return Smoothing{true, true, 0.000021, 0.000022, 0.000023, 24.5, 25.5};
  }
  std::vector<ManualSample> manual_samples() const override {
    std::vector<ManualSample> samples(20);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto n = static_cast<std::int64_t>(i);
      samples[i] = {at(1'700'000'000 + n), 0.1 * static_cast<double>(i), 0.2, -0.3};
    }
    return samples;
  }

 private:
  static std::vector<SourceReport> sources() {
    std::vector<SourceReport> all(4);
    all[0].address.ip = ip("192.0.2.1");
    all[0].state = SourceState::selected;
    all[0].poll = 6;
    all[0].stratum = 2;
    all[0].reachability = 0xfe;
    all[0].last_sample_age = std::chrono::seconds{17};
    all[0].last_sample_original_offset = 0.000201;
    all[0].last_sample_offset = -0.000102;
    all[0].last_sample_error = 0.000303;
    all[1].address.ip = ip("2001:db8::2");
    all[1].mode = SourceMode::peer;
    all[1].state = SourceState::combined;
    all[1].poll = -3;
    all[2].address.unresolved = 3;
    all[2].state = SourceState::falseticker;
    all[3].address.ip = IpAddress::v4(0x50505330);  // "PPS0"
    all[3].mode = SourceMode::reference_clock;
    all[3].state = SourceState::not_combined;
    all[3].poll = 4;
    return all;
  }
};

class RecordingExecutor : public Executor {
 public:
  Outcome answer{Status::success};
  std::vector<Command> commands;

  Outcome execute(const Command& command) override {
    commands.push_back(command);
    return answer;
  }
};

}  // namespace wiretime::status::fake
