// SPDX-License-Identifier: BSD-3-Clause
#include "status/cmdmon.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "status/decode.hpp"
#include "status/encode.hpp"
#include "status/request_table.hpp"

namespace wiretime::status {

namespace {

// Offsets in both headers.
constexpr std::size_t kAtVersion = 0;
constexpr std::size_t kAtType = 1;
constexpr std::size_t kAtReserved = 2;
constexpr std::size_t kAtCommand = 4;
constexpr std::size_t kAtReplyCode = 6;
constexpr std::size_t kAtStatus = 8;
constexpr std::size_t kAtRequestSequence = 8;
constexpr std::size_t kAtReplySequence = 16;

// A request at least this long comes from a client that reads the newer layout. Libraries that pad every
// request to one size look new; chronyd gives them the new layout too.
constexpr std::size_t kServerStats3Request = 72;
constexpr std::size_t kServerStats4Request = 196;
constexpr std::size_t kNtpData2Request = 172;

}  // namespace

// Fills a Reply: header first, then either a status or a reply code with its data.
class ReplyBuilder {
 public:
  explicit ReplyBuilder(std::span<const std::byte> request) noexcept {
    std::byte* p = reply_.buffer_.data();
    store_u8(p + kAtVersion, kProtocolVersion);
    store_u8(p + kAtType, kTypeReply);
    store_be16(p + kAtCommand, load_be16(request.data() + kAtCommand));
    store_be32(p + kAtReplySequence, load_be32(request.data() + kAtRequestSequence));
    reply_.size_ = kReplyHeader;
    status(Status::success);
  }

  void status(Status s) noexcept {
    store_be16(reply_.buffer_.data() + kAtReplyCode, static_cast<std::uint16_t>(ReplyCode::null));
    store_be16(reply_.buffer_.data() + kAtStatus, static_cast<std::uint16_t>(s));
  }

  template <typename WriteBody>
  void data(ReplyCode code, WriteBody&& write_body) {
    store_be16(reply_.buffer_.data() + kAtReplyCode, static_cast<std::uint16_t>(code));
    ReplyWriter out{std::span<std::byte>{reply_.buffer_}.subspan(kReplyHeader)};
    write_body(out);
    reply_.size_ = kReplyHeader + out.written();
  }

  template <typename Model>
  void model(ReplyCode code, const Model& m) {
    data(code, [&](ReplyWriter& out) { write(out, m); });
  }

  template <typename Model>
  void model_or(Status missing, ReplyCode code, const std::optional<Model>& m) {
    if (m) {
      model(code, *m);
    } else {
      status(missing);
    }
  }

  [[nodiscard]] Reply finish(std::size_t request_size) noexcept {
    if (reply_.size_ > request_size) reply_.size_ = 0;
    return reply_;
  }

 private:
  Reply reply_;
};

namespace {

void change(RequestCode code, RequestReader body, const Report& report, Executor& executor,
            ReplyBuilder& reply) {
  // Only here chronyd looks at the state before the argument.
  if (code == RequestCode::smoothtime && !report.smoothing()) return reply.status(Status::not_enabled);
  const auto decoded = decode_command(code, body);
  if (const auto* refusal = std::get_if<Status>(&decoded)) return reply.status(*refusal);
  const Outcome outcome = executor.execute(std::get<Command>(decoded));
  if (code == RequestCode::settime && outcome.status == Status::success) {
    return reply.model(ReplyCode::manual_timestamp, outcome.manual);
  }
  reply.status(outcome.status);
}

void server_stats(std::size_t request_size, const Report& report, ReplyBuilder& reply) {
  const ServerStats s = report.server_stats();
  if (request_size >= kServerStats4Request) {
    reply.data(ReplyCode::server_stats4, [&](ReplyWriter& out) { write_server_stats4(out, s); });
  } else if (request_size >= kServerStats3Request) {
    reply.data(ReplyCode::server_stats3, [&](ReplyWriter& out) { write_server_stats3(out, s); });
  } else {
    reply.data(ReplyCode::server_stats2, [&](ReplyWriter& out) { write_server_stats2(out, s); });
  }
}

void ntp_data(std::size_t request_size, const std::optional<NtpData>& d, ReplyBuilder& reply) {
  if (!d) {
    reply.status(Status::no_such_source);
  } else if (request_size >= kNtpData2Request) {
    reply.data(ReplyCode::ntp_data2, [&](ReplyWriter& out) { write_ntp_data2(out, *d); });
  } else {
    reply.data(ReplyCode::ntp_data, [&](ReplyWriter& out) { write_ntp_data(out, *d); });
  }
}

void clients(RequestReader body, Report& report, ReplyBuilder& reply) {
  const std::uint32_t first = body.u32();
  const std::uint32_t wanted = std::min(body.u32(), kClientPageRecords);
  const std::uint32_t min_hits = body.u32();
  const bool reset = body.u32() != 0;
  reply.model_or(Status::inactive, ReplyCode::client_accesses,
                 report.clients(first, wanted, min_hits, reset));
}

void source_name(const std::optional<std::string>& name, ReplyBuilder& reply) {
  constexpr std::size_t kNameBytes = 256;
  if (!name) return reply.status(Status::no_such_source);
  reply.data(ReplyCode::source_name, [&](ReplyWriter& out) { out.text(*name, kNameBytes); });
}

Status access(bool allowed) {
  return allowed ? Status::access_allowed : Status::access_denied;
}

void read(RequestCode code, std::size_t request_size, RequestReader body, Report& report,
          ReplyBuilder& reply) {
  switch (code) {
    case RequestCode::n_sources:
      return reply.data(ReplyCode::n_sources, [&](ReplyWriter& out) { out.u32(report.source_count()); });
    case RequestCode::source_data:
      return reply.model_or(Status::no_such_source, ReplyCode::source_data, report.source(body.u32()));
    case RequestCode::source_stats:
      return reply.model_or(Status::no_such_source, ReplyCode::source_stats, report.source_stats(body.u32()));
    case RequestCode::select_data:
      return reply.model_or(Status::no_such_source, ReplyCode::select_data, report.select_data(body.u32()));
    case RequestCode::auth_data:
      return reply.model_or(Status::no_such_source, ReplyCode::auth_data, report.auth_data(body.address()));
    case RequestCode::ntp_data:
      return ntp_data(request_size, report.ntp_data(body.address()), reply);
    case RequestCode::source_name:
      return source_name(report.source_name(body.address()), reply);
    case RequestCode::tracking:
      return reply.model(ReplyCode::tracking, report.tracking());
    case RequestCode::activity:
      return reply.model(ReplyCode::activity, report.activity());
    case RequestCode::rtc_report:
      return reply.model_or(Status::no_rtc, ReplyCode::rtc, report.rtc());
    case RequestCode::smoothing:
      return reply.model_or(Status::not_enabled, ReplyCode::smoothing, report.smoothing());
    case RequestCode::manual_list:
      return reply.model(ReplyCode::manual_list, report.manual_samples());
    case RequestCode::server_stats:
      return server_stats(request_size, report, reply);
    case RequestCode::client_accesses:
      return clients(body, report, reply);
    case RequestCode::access_check:
      return reply.status(access(report.ntp_access(body.address().ip)));
    case RequestCode::cmd_access_check:
      return reply.status(access(report.command_access(body.address().ip)));
    default:
      return reply.status(Status::invalid);
  }
}

void answer(std::span<const std::byte> request, Privilege privilege, const OpenCommands& open, Report& report,
            Executor& executor, ReplyBuilder& reply) {
  if (load_u8(request.data() + kAtVersion) != kProtocolVersion) {
    return reply.status(Status::bad_packet_version);
  }
  const auto code = static_cast<RequestCode>(load_be16(request.data() + kAtCommand));
  const auto row = find_request(code);
  if (!row) return reply.status(Status::invalid);
  if (request.size() < row->min_length) return reply.status(Status::bad_packet_length);

  const RequestReader body{request.subspan(kRequestHeader)};
  switch (row->kind) {
    case RequestKind::no_operation:
      return;
    case RequestKind::logon:
      return reply.status(Status::failed);
    case RequestKind::change:
      if (privilege != Privilege::full) return reply.status(Status::unauthorised);
      return change(code, body, report, executor, reply);
    case RequestKind::read:
      if (privilege != Privilege::full && !open.contains(code)) return reply.status(Status::unauthorised);
      return read(code, request.size(), body, report, reply);
  }
}

struct OpenName {
  std::string_view name;
  RequestCode code;
  bool stable;
};
constexpr std::array kOpenNames{
    OpenName{"activity", RequestCode::activity, true},
    OpenName{"authdata", RequestCode::auth_data, false},
    OpenName{"clients", RequestCode::client_accesses, false},
    OpenName{"manual", RequestCode::manual_list, true},
    OpenName{"ntpdata", RequestCode::ntp_data, false},
    OpenName{"rtcdata", RequestCode::rtc_report, true},
    OpenName{"selectdata", RequestCode::select_data, false},
    OpenName{"serverstats", RequestCode::server_stats, false},
    OpenName{"smoothing", RequestCode::smoothing, true},
    OpenName{"sourcename", RequestCode::source_name, true},
    OpenName{"sources", RequestCode::source_data, true},
    OpenName{"sourcestats", RequestCode::source_stats, true},
    OpenName{"tracking", RequestCode::tracking, true},
};

bool walks_sources(RequestCode code) {
  return code == RequestCode::source_data || code == RequestCode::source_stats ||
         code == RequestCode::select_data || code == RequestCode::ntp_data || code == RequestCode::auth_data;
}

}  // namespace

OpenCommands OpenCommands::stable() {
  OpenCommands open;
  for (const auto& entry : kOpenNames) {
    if (entry.stable) open.add(entry.name);
  }
  return open;
}

bool OpenCommands::add(std::string_view name) {
  const auto* entry = std::find_if(kOpenNames.begin(), kOpenNames.end(),
                                   [&](const OpenName& candidate) { return candidate.name == name; });
  if (entry == kOpenNames.end()) return false;
  codes_.set(static_cast<std::size_t>(entry->code));
  // Their clients first ask how many sources there are.
  if (walks_sources(entry->code)) codes_.set(static_cast<std::size_t>(RequestCode::n_sources));
  return true;
}

Reply handle(std::span<const std::byte> request, Privilege privilege, const OpenCommands& open,
             Report& report, Executor& executor) {
  // Too short for even an error reply, or nothing a client sends: silence.
  if (request.size() < kReplyHeader || request.size() > kMaxRequest) return {};
  if (load_u8(request.data() + kAtType) != kTypeRequest || load_be16(request.data() + kAtReserved) != 0) {
    return {};
  }
  if (load_u8(request.data() + kAtVersion) < kOldestAnswerableVersion) return {};
  ReplyBuilder reply{request};
  answer(request, privilege, open, report, executor, reply);
  return reply.finish(request.size());
}

}  // namespace wiretime::status
