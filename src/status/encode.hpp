// SPDX-License-Identifier: BSD-3-Clause
// The reply layouts: each writes one model struct as chronyc reads it. Pure; private to src/status.
#pragma once

#include <cstdint>
#include <vector>

#include "status/command.hpp"
#include "status/report.hpp"
#include "status/wire.hpp"

namespace wiretime::status {

inline constexpr std::uint32_t kManualListSamples = 16;

void write(ReplyWriter& out, const Tracking& t);
void write(ReplyWriter& out, const Activity& a);
void write(ReplyWriter& out, const SourceReport& s);
void write(ReplyWriter& out, const SourceStats& s);
void write(ReplyWriter& out, const SelectData& s);
void write(ReplyWriter& out, const AuthData& a);
void write(ReplyWriter& out, const RtcReport& r);
void write(ReplyWriter& out, const Smoothing& s);
void write(ReplyWriter& out, const ManualResult& m);
void write(ReplyWriter& out, const ClientPage& page);
void write(ReplyWriter& out, const std::vector<ManualSample>& samples);  // the first sixteen

// By the client's generation (wire.hpp, ReplyCode).
void write_server_stats2(ReplyWriter& out, const ServerStats& s);
void write_server_stats3(ReplyWriter& out, const ServerStats& s);
void write_server_stats4(ReplyWriter& out, const ServerStats& s);
void write_ntp_data(ReplyWriter& out, const NtpData& d);
void write_ntp_data2(ReplyWriter& out, const NtpData& d);

}  // namespace wiretime::status
