// SPDX-License-Identifier: BSD-3-Clause
#include "status/encode.hpp"

#include <algorithm>

namespace wiretime::status {

namespace {

constexpr std::uint8_t kReserved = 0xff;  // "not reported" to clients that know a later use

constexpr std::uint16_t kNtpTestBits = 0x3ff;
constexpr std::uint16_t kNtpInterleaved = 0x4000;
constexpr std::uint16_t kNtpAuthenticated = 0x8000;
constexpr std::uint32_t kSmoothingActive = 1;
constexpr std::uint32_t kSmoothingLeapOnly = 2;

// What all generations of ntpdata share.
void write_ntp_data_head(ReplyWriter& out, const NtpData& d) {
  out.address(d.remote);
  out.address(d.local);
  out.u16(d.remote_port);
  out.u8(d.leap);
  out.u8(d.version);
  out.u8(d.mode);
  out.u8(d.stratum);
  out.i8(d.poll);
  out.i8(d.precision);
  out.real(d.root_delay);
  out.real(d.root_dispersion);
  out.u32(d.reference_id);
  out.time(d.reference_time);
  out.real(d.offset);
  out.real(d.peer_delay);
  out.real(d.peer_dispersion);
  out.real(d.response_time);
  out.real(d.jitter_asymmetry);
  out.u16(static_cast<std::uint16_t>((d.tests & kNtpTestBits) | (d.interleaved ? kNtpInterleaved : 0) |
                                     (d.authenticated ? kNtpAuthenticated : 0)));
  out.u8(static_cast<std::uint8_t>(d.transmit_timestamping));
  out.u8(static_cast<std::uint8_t>(d.receive_timestamping));
  out.u32(d.transmitted);
  out.u32(d.received);
  out.u32(d.received_valid);
  out.u32(d.received_good);
}

void write_client(ReplyWriter& out, const ClientRecord& c) {
  out.address(c.address);
  out.saturated(c.ntp.hits);
  out.saturated(c.nts_ke.hits);
  out.saturated(c.command.hits);
  out.saturated(c.ntp.drops);
  out.saturated(c.nts_ke.drops);
  out.saturated(c.command.drops);
  out.i8(c.ntp.interval);
  out.i8(c.nts_ke.interval);
  out.i8(c.command.interval);
  out.i8(c.ntp_timeout_interval);
  out.age(c.ntp.last_hit);
  out.age(c.nts_ke.last_hit);
  out.age(c.command.last_hit);
}

}  // namespace

void write(ReplyWriter& out, const Tracking& t) {
  out.u32(t.reference_id);
  out.address(t.source);
  out.u16(t.stratum);
  out.u16(t.leap);
  out.time(t.reference_time);
  out.real(t.current_correction);
  out.real(t.last_offset);
  out.real(t.rms_offset);
  out.real(t.frequency_ppm);
  out.real(t.residual_frequency_ppm);
  out.real(t.skew_ppm);
  out.real(t.root_delay);
  out.real(t.root_dispersion);
  out.real(t.last_update_interval);
}

void write(ReplyWriter& out, const Activity& a) {
  out.u32(a.online);
  out.u32(a.offline);
  out.u32(a.burst_online);
  out.u32(a.burst_offline);
  out.u32(a.unresolved);
}

void write(ReplyWriter& out, const SourceReport& s) {
  out.address(s.address);
  out.u16(static_cast<std::uint16_t>(s.poll));  // signed 16 bits
  out.u16(s.stratum);
  out.u16(static_cast<std::uint16_t>(s.state));
  out.u16(static_cast<std::uint16_t>(s.mode));
  out.u16(0);  // flags: none defined
  out.u16(s.reachability);
  out.age(s.last_sample_age);
  out.real(s.last_sample_original_offset);
  out.real(s.last_sample_offset);
  out.real(s.last_sample_error);
}

void write(ReplyWriter& out, const SourceStats& s) {
  out.u32(s.reference_id);
  out.address(s.address);
  out.u32(s.samples);
  out.u32(s.runs);
  out.seconds(s.span);
  out.real(s.standard_deviation);
  out.real(s.residual_frequency_ppm);
  out.real(s.skew_ppm);
  out.real(s.estimated_offset);
  out.real(s.estimated_offset_error);
}

void write(ReplyWriter& out, const SelectData& s) {
  out.u32(s.reference_id);
  out.address(s.address);
  out.u8(static_cast<std::uint8_t>(s.state_letter));
  out.u8(s.authenticated ? 1 : 0);
  out.u8(s.leap);
  out.u8(0);
  out.u16(s.configured_options);
  out.u16(s.effective_options);
  out.age(s.last_sample_age);
  out.real(s.score);
  out.real(s.low_limit);
  out.real(s.high_limit);
}

void write(ReplyWriter& out, const AuthData& a) {
  out.u16(static_cast<std::uint16_t>(a.mode));
  out.u16(a.key_type);
  out.u32(a.key_id);
  out.u16(a.key_bits);
  out.u16(a.key_establishment_attempts);
  out.age(a.last_key_establishment);
  out.u16(a.cookies);
  out.u16(a.cookie_length);
  out.u16(a.nak ? 1 : 0);
  out.u16(0);
}

void write(ReplyWriter& out, const RtcReport& r) {
  out.time(r.reference_time);
  out.u16(r.samples);
  out.u16(r.runs);
  out.seconds(r.span);
  out.real(r.seconds_fast);
  out.real(r.gain_rate_ppm);
}

void write(ReplyWriter& out, const Smoothing& s) {
  out.u32((s.active ? kSmoothingActive : 0) | (s.leap_only ? kSmoothingLeapOnly : 0));
  out.real(s.offset);
  out.real(s.frequency_ppm);
  out.real(s.wander_ppm);
  out.real(s.last_update_ago);
  out.real(s.remaining_time);
}

void write(ReplyWriter& out, const ManualResult& m) {
  out.real(m.offset);
  out.real(m.frequency_change_ppm);
  out.real(m.new_frequency_ppm);
}

// Both lists have fixed length on the wire: unused places stay zero.
void write(ReplyWriter& out, const ClientPage& page) {
  const auto count = std::min(page.count, kClientPageRecords);
  out.u32(page.indices);
  out.u32(page.next_index);
  out.u32(count);
  for (std::uint32_t i = 0; i < count; ++i) write_client(out, page.records[i]);
  constexpr std::size_t kClientBytes = 60;
  out.fill(0, (kClientPageRecords - count) * kClientBytes);
}

void write(ReplyWriter& out, const std::vector<ManualSample>& samples) {
  const auto count = std::min<std::size_t>(samples.size(), kManualListSamples);
  out.u32(static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i) {
    out.time(samples[i].when);
    out.real(samples[i].slewed_offset);
    out.real(samples[i].original_offset);
    out.real(samples[i].residual);
  }
  constexpr std::size_t kSampleBytes = 24;
  out.fill(0, (kManualListSamples - count) * kSampleBytes);
}

void write_server_stats2(ReplyWriter& out, const ServerStats& s) {
  out.saturated(s.ntp_hits);
  out.saturated(s.nts_ke_hits);
  out.saturated(s.command_hits);
  out.saturated(s.ntp_drops);
  out.saturated(s.nts_ke_drops);
  out.saturated(s.command_drops);
  out.saturated(s.log_drops);
  out.saturated(s.ntp_authenticated);
}

void write_server_stats3(ReplyWriter& out, const ServerStats& s) {
  write_server_stats2(out, s);
  out.saturated(s.ntp_interleaved);
  out.saturated(s.timestamps_held);
  out.saturated(s.timestamp_span);
}

void write_server_stats4(ReplyWriter& out, const ServerStats& s) {
  out.u64(s.ntp_hits);
  out.u64(s.nts_ke_hits);
  out.u64(s.command_hits);
  out.u64(s.ntp_drops);
  out.u64(s.nts_ke_drops);
  out.u64(s.command_drops);
  out.u64(s.log_drops);
  out.u64(s.ntp_authenticated);
  out.u64(s.ntp_interleaved);
  out.u64(s.timestamps_held);
  out.u64(s.timestamp_span);
  out.u64(s.daemon_receive_timestamps);
  out.u64(s.daemon_transmit_timestamps);
  out.u64(s.kernel_receive_timestamps);
  out.u64(s.kernel_transmit_timestamps);
  out.u64(s.hardware_receive_timestamps);
  out.u64(s.hardware_transmit_timestamps);
  constexpr std::size_t kReservedBytes = 4 * sizeof(std::uint64_t);
  out.fill(kReserved, kReservedBytes);
}

void write_ntp_data(ReplyWriter& out, const NtpData& d) {
  constexpr std::size_t kReservedBytes = 3 * sizeof(std::uint32_t);
  write_ntp_data_head(out, d);
  out.fill(kReserved, kReservedBytes);
}

void write_ntp_data2(ReplyWriter& out, const NtpData& d) {
  constexpr std::size_t kReservedBytes = 4 * sizeof(std::uint32_t);
  write_ntp_data_head(out, d);
  out.u32(d.kernel_transmit_timestamps);
  out.u32(d.kernel_receive_timestamps);
  out.u32(d.hardware_transmit_timestamps);
  out.u32(d.hardware_receive_timestamps);
  out.fill(kReserved, kReservedBytes);
}

}  // namespace wiretime::status
