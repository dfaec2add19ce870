// SPDX-License-Identifier: BSD-3-Clause
#include "status/decode.hpp"

#include <algorithm>

namespace wiretime::status {

namespace {

using Decoded = std::variant<Command, Status>;

constexpr std::size_t kNameBytes = 256;

// Flags of an add-source request.
constexpr std::uint32_t kAddOnline = 0x1;
constexpr std::uint32_t kAddAutoOffline = 0x2;
constexpr std::uint32_t kAddIburst = 0x4;
constexpr std::uint32_t kAddInterleaved = 0x80;
constexpr std::uint32_t kAddBurst = 0x100;
constexpr std::uint32_t kAddNts = 0x200;
constexpr std::uint32_t kAddCopy = 0x400;
constexpr std::uint32_t kAddExtensionF323 = 0x800;
constexpr std::uint32_t kAddExtensionF324 = 0x1000;
constexpr std::uint32_t kAddIpv4 = 0x2000;
constexpr std::uint32_t kAddIpv6 = 0x4000;

Decoded allow_deny(RequestReader& in, bool command_port, bool allow, bool all) {
  const SourceAddress subnet = in.address();
  const std::uint32_t bits = in.u32();
  AllowDeny command{command_port, allow, all, {}};
  if (subnet.ip.family == Family::unspecified) {
    if (subnet.unresolved || bits != 0) return Status::bad_subnet;
    return Command{command};
  }
  command.prefix = IpPrefix::of(subnet.ip, bits);
  if (!command.prefix) return Status::bad_subnet;
  return Command{command};
}

SourceMask source_mask(RequestReader& in) {
  SourceMask m;
  m.mask = in.address().ip;  // the mask comes first
  m.address = in.address();
  return m;
}

Command modify(RequestReader& in, SourceParameter parameter, bool real) {
  ModifySource command;
  command.source = in.address();
  command.parameter = parameter;
  command.value = real ? in.real() : in.i32();
  return command;
}

Command local(RequestReader& in, bool with_waits) {
  Local command;
  command.on = in.u32() != 0;
  command.stratum = in.u32();
  command.distance = in.real();
  command.orphan = in.u32() != 0;
  if (with_waits) {
    Local::Waits waits;
    waits.activate = in.real();
    waits.wait_synced = in.real();
    waits.wait_unsynced = in.real();
    command.waits = waits;
  }
  return command;
}

void add_source_flags(AddSource& command, std::uint32_t flags) {
  command.online = (flags & kAddOnline) != 0;
  command.auto_offline = (flags & kAddAutoOffline) != 0;
  command.iburst = (flags & kAddIburst) != 0;
  command.burst = (flags & kAddBurst) != 0;
  command.prefer = (flags & kAddPrefer) != 0;
  command.no_select = (flags & kAddNoSelect) != 0;
  command.trust = (flags & kAddTrust) != 0;
  command.require = (flags & kAddRequire) != 0;
  command.interleaved = (flags & kAddInterleaved) != 0;
  command.nts = (flags & kAddNts) != 0;
  command.copy = (flags & kAddCopy) != 0;
  command.extension_f323 = (flags & kAddExtensionF323) != 0;
  command.extension_f324 = (flags & kAddExtensionF324) != 0;
  command.family = (flags & kAddIpv4) != 0   ? Family::ipv4
                   : (flags & kAddIpv6) != 0 ? Family::ipv6
                                             : Family::unspecified;
}

Decoded add_source(RequestReader& in) {
  AddSource command;
  const std::uint32_t kind = in.u32();
  if (kind < 1 || kind > 3) return Status::invalid;
  command.kind = static_cast<AddSource::Kind>(kind - 1);

  const auto name = in.bytes(kNameBytes);
  const auto end = std::find(name.begin(), name.end(), std::byte{0});
  if (name.empty() || name.back() != std::byte{0}) return Status::invalid_name;
  for (auto it = name.begin(); it != end; ++it) command.name += static_cast<char>(*it);

  command.port = in.u32();
  command.min_poll = in.i32();
  command.max_poll = in.i32();
  command.presend_min_poll = in.i32();
  command.min_stratum = in.u32();
  command.poll_target = in.u32();
  command.version = in.u32();
  command.max_sources = in.u32();
  command.min_samples = in.i32();
  command.max_samples = in.i32();
  command.key_id = in.u32();
  command.nts_port = in.u32();
  command.max_delay = in.real();
  command.max_delay_ratio = in.real();
  command.max_delay_dev_ratio = in.real();
  command.min_delay = in.real();
  command.asymmetry = in.real();
  command.offset = in.real();
  add_source_flags(command, in.u32());
  command.filter_length = in.i32();
  command.certificate_set = in.u32();
  command.max_delay_quantile = in.real();
  command.max_unreach = in.i32();
  return Command{std::move(command)};
}

Decoded manual(RequestReader& in) {
  const std::uint32_t option = in.u32();
  if (option > 2) return Status::invalid;
  return Command{Manual{static_cast<Manual::Action>(option)}};
}

Decoded smoothtime(RequestReader& in) {
  const std::uint32_t option = in.u32();
  if (option > 1) return Status::invalid;
  return Command{Smoothtime{static_cast<Smoothtime::Action>(option)}};
}

Command burst(RequestReader& in) {
  Burst command;
  command.sources = source_mask(in);
  command.good_samples = in.i32();
  command.total_samples = in.i32();
  return command;
}

Command select_options(RequestReader& in) {
  SetSelectOptions command;
  command.source = in.address();
  command.reference_id = in.u32();
  command.mask = in.u32();
  command.options = in.u32();
  return command;
}

Command set_offset(RequestReader& in) {
  SetOffset command;
  command.source = in.address();
  command.reference_id = in.u32();
  command.offset = in.real();
  return command;
}

Command set_makestep(RequestReader& in) {
  SetMakestep command;
  command.limit = in.i32();
  command.threshold = in.real();
  return command;
}

Decoded access_command(RequestCode code, RequestReader& in) {
  switch (code) {
    case RequestCode::allow:
      return allow_deny(in, false, true, false);
    case RequestCode::allow_all:
      return allow_deny(in, false, true, true);
    case RequestCode::deny:
      return allow_deny(in, false, false, false);
    case RequestCode::deny_all:
      return allow_deny(in, false, false, true);
    case RequestCode::cmd_allow:
      return allow_deny(in, true, true, false);
    case RequestCode::cmd_allow_all:
      return allow_deny(in, true, true, true);
    case RequestCode::cmd_deny:
      return allow_deny(in, true, false, false);
    case RequestCode::cmd_deny_all:
      return allow_deny(in, true, false, true);
    default:
      return Status::invalid;
  }
}

Decoded source_command(RequestCode code, RequestReader& in) {
  switch (code) {
    case RequestCode::online:
      return Command{Online{source_mask(in)}};
    case RequestCode::offline:
      return Command{Offline{source_mask(in)}};
    case RequestCode::onoffline:
      return Command{OnOffline{}};
    case RequestCode::burst:
      return burst(in);
    case RequestCode::modify_minpoll:
      return modify(in, SourceParameter::min_poll, false);
    case RequestCode::modify_maxpoll:
      return modify(in, SourceParameter::max_poll, false);
    case RequestCode::modify_maxdelay:
      return modify(in, SourceParameter::max_delay, true);
    case RequestCode::modify_maxdelayratio:
      return modify(in, SourceParameter::max_delay_ratio, true);
    case RequestCode::modify_maxdelaydevratio:
      return modify(in, SourceParameter::max_delay_dev_ratio, true);
    case RequestCode::modify_minstratum:
      return modify(in, SourceParameter::min_stratum, false);
    case RequestCode::modify_polltarget:
      return modify(in, SourceParameter::poll_target, false);
    case RequestCode::modify_selectopts:
      return select_options(in);
    case RequestCode::modify_offset:
      return set_offset(in);
    case RequestCode::add_source:
      return add_source(in);
    case RequestCode::delete_source:
      return Command{DeleteSource{in.address()}};
    case RequestCode::refresh:
      return Command{RefreshSources{}};
    case RequestCode::reload_sources:
      return Command{ReloadSources{}};
    case RequestCode::reset_sources:
      return Command{ResetSources{}};
    default:
      return access_command(code, in);
  }
}

}  // namespace

Decoded decode_command(RequestCode code, RequestReader in) {
  switch (code) {
    case RequestCode::modify_makestep:
      return set_makestep(in);
    case RequestCode::modify_maxupdateskew:
      return Command{SetMaxUpdateSkew{in.real()}};
    case RequestCode::local2:
      return local(in, false);
    case RequestCode::local3:
      return local(in, true);
    case RequestCode::settime:
      return Command{SetTime{in.time()}};
    case RequestCode::manual:
      return manual(in);
    case RequestCode::manual_delete:
      return Command{ManualDelete{in.u32()}};
    case RequestCode::smoothtime:
      return smoothtime(in);
    case RequestCode::adjust_frequency:
      return Command{AdjustFrequency{in.real()}};
    case RequestCode::adjust_offset:
      return Command{AdjustOffset{in.real()}};
    case RequestCode::reselect:
      return Command{Reselect{}};
    case RequestCode::reselect_distance:
      return Command{SetReselectDistance{in.real()}};
    case RequestCode::makestep:
      return Command{Makestep{}};
    case RequestCode::dump:
      return Command{Dump{}};
    case RequestCode::cycle_logs:
      return Command{CycleLogs{}};
    case RequestCode::rekey:
      return Command{Rekey{}};
    case RequestCode::write_rtc:
      return Command{WriteRtc{}};
    case RequestCode::trim_rtc:
      return Command{TrimRtc{}};
    case RequestCode::shutdown:
      return Command{Shutdown{}};
    default:
      return source_command(code, in);
  }
}

}  // namespace wiretime::status
