// SPDX-License-Identifier: BSD-3-Clause
#include "status/request_table.hpp"

namespace wiretime::status {

namespace {

constexpr std::size_t kBare = 28;      // no field, or 8 bytes at most: padded to the empty reply
constexpr std::size_t kOneField = 44;  // an address and one word

std::size_t change_length(RequestCode code) noexcept {
  switch (code) {
    case RequestCode::online:
    case RequestCode::offline:
      return 60;
    case RequestCode::burst:
      return 68;
    case RequestCode::modify_minpoll:
    case RequestCode::modify_maxpoll:
    case RequestCode::modify_maxdelay:
    case RequestCode::modify_maxdelayratio:
    case RequestCode::modify_maxdelaydevratio:
    case RequestCode::modify_minstratum:
    case RequestCode::modify_polltarget:
    case RequestCode::allow:
    case RequestCode::allow_all:
    case RequestCode::deny:
    case RequestCode::deny_all:
    case RequestCode::cmd_allow:
    case RequestCode::cmd_allow_all:
    case RequestCode::cmd_deny:
    case RequestCode::cmd_deny_all:
      return kOneField;
    case RequestCode::settime:
    case RequestCode::delete_source:
      return 40;
    case RequestCode::local2:
      return 36;
    case RequestCode::local3:
    case RequestCode::modify_offset:
      return 48;
    case RequestCode::modify_selectopts:
      return 52;
    case RequestCode::add_source:
      return 372;
    case RequestCode::dump:
    case RequestCode::modify_maxupdateskew:
    case RequestCode::manual:
    case RequestCode::rekey:
    case RequestCode::write_rtc:
    case RequestCode::adjust_frequency:
    case RequestCode::trim_rtc:
    case RequestCode::cycle_logs:
    case RequestCode::manual_delete:
    case RequestCode::makestep:
    case RequestCode::reselect:
    case RequestCode::reselect_distance:
    case RequestCode::modify_makestep:
    case RequestCode::smoothtime:
    case RequestCode::refresh:
    case RequestCode::shutdown:
    case RequestCode::onoffline:
    case RequestCode::reset_sources:
    case RequestCode::reload_sources:
    case RequestCode::adjust_offset:
      return kBare;
    default:
      return 0;
  }
}

// Where formats changed over time this is the shortest one still answered.
std::size_t read_length(RequestCode code) noexcept {
  switch (code) {
    case RequestCode::n_sources:
      return 32;
    case RequestCode::source_data:
    case RequestCode::select_data:
      return 76;
    case RequestCode::source_stats:
      return 84;
    case RequestCode::access_check:
    case RequestCode::cmd_access_check:
      return 40;
    case RequestCode::tracking:
      return 104;
    case RequestCode::rtc_report:
      return 56;
    case RequestCode::manual_list:
      return 416;
    case RequestCode::activity:
      return 48;
    case RequestCode::smoothing:
    case RequestCode::auth_data:
      return 52;
    case RequestCode::server_stats:
      return 60;
    case RequestCode::ntp_data:
      return 152;
    case RequestCode::source_name:
      return 284;
    case RequestCode::client_accesses:
      return 520;
    default:
      return 0;
  }
}

}  // namespace

std::optional<RequestRow> find_request(RequestCode code) noexcept {
  if (code == RequestCode::null) return RequestRow{kBare, RequestKind::no_operation};
  if (code == RequestCode::logon) return RequestRow{32, RequestKind::logon};
  if (const auto n = change_length(code); n != 0) return RequestRow{n, RequestKind::change};
  if (const auto n = read_length(code); n != 0) return RequestRow{n, RequestKind::read};
  return {};
}

}  // namespace wiretime::status
