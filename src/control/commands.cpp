// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.hpp"

#include <algorithm>
#include <variant>

namespace wiretime::control {

namespace {

using status::Status;
using Seconds = std::chrono::duration<double>;

Status edit_access(CommandTarget& target, const status::AllowDeny& command) {
  ntp::AccessRules& rules = command.command_port ? target.command_access() : target.ntp_access();
  if (command.prefix)
    rules.set(*command.prefix, command.allow, command.all);
  else
    rules.set_everywhere(command.allow, command.all);
  return target.access_changed() ? Status::success : Status::failed;
}

Status set_local(CommandTarget& target, const status::Local& command) {
  clock::LocalConfig local = target.local();
  local.enabled = command.on;
  if (command.on) {
    if (command.stratum < 1 || command.stratum > 15) return Status::failed;
    local.stratum = static_cast<std::uint8_t>(command.stratum);
    local.distance = Seconds{command.distance};
    local.orphan = command.orphan;
    const auto waits = command.waits.value_or(
        status::Local::Waits{0, 0, command.orphan ? target.default_orphan_wait().count() : 0.0});
    local.activate = Seconds{waits.activate};
    local.wait_synced = Seconds{waits.wait_synced};
    local.wait_unsynced = Seconds{waits.wait_unsynced};
  }
  target.set_local(local);
  return Status::success;
}

struct Execute {
  CommandTarget& target;

  Status operator()(const status::AllowDeny& c) const { return edit_access(target, c); }
  Status operator()(const status::Local& c) const { return set_local(target, c); }
  Status operator()(const status::CycleLogs&) const {
    return target.cycle_logs() ? Status::success : Status::failed;
  }
  Status operator()(const status::Shutdown&) const {
    target.begin_shutdown();
    return Status::success;
  }

  // There are no sources in this version.
  Status operator()(const status::Online&) const { return Status::no_such_source; }
  Status operator()(const status::Offline&) const { return Status::no_such_source; }
  Status operator()(const status::Burst&) const { return Status::no_such_source; }
  Status operator()(const status::ModifySource&) const { return Status::no_such_source; }
  Status operator()(const status::DeleteSource&) const { return Status::no_such_source; }
  Status operator()(const status::SetSelectOptions&) const { return Status::no_such_source; }
  Status operator()(const status::SetOffset&) const { return Status::no_such_source; }
  Status operator()(const status::AddSource&) const { return Status::not_enabled; }

  // Nothing to do is done.
  Status operator()(const status::OnOffline&) const { return Status::success; }
  Status operator()(const status::RefreshSources&) const { return Status::success; }
  Status operator()(const status::ReloadSources&) const { return Status::success; }
  Status operator()(const status::ResetSources&) const { return Status::success; }
  Status operator()(const status::Reselect&) const { return Status::success; }
  Status operator()(const status::SetReselectDistance&) const { return Status::success; }
  Status operator()(const status::SetMaxUpdateSkew&) const { return Status::success; }
  Status operator()(const status::SetMakestep&) const { return Status::success; }
  Status operator()(const status::Dump&) const { return Status::success; }
  Status operator()(const status::Rekey&) const { return Status::success; }

  // The clock is not ours to change.
  Status operator()(const status::Makestep&) const { return Status::failed; }
  Status operator()(const status::AdjustFrequency&) const { return Status::failed; }
  Status operator()(const status::AdjustOffset&) const { return Status::failed; }
  Status operator()(const status::SetTime&) const { return Status::not_enabled; }
  Status operator()(const status::Manual& c) const {
    return c.action == status::Manual::Action::on ? Status::not_enabled : Status::success;
  }
  Status operator()(const status::ManualDelete&) const { return Status::bad_sample; }
  Status operator()(const status::Smoothtime&) const { return Status::not_enabled; }
  Status operator()(const status::WriteRtc&) const { return Status::no_rtc; }
  Status operator()(const status::TrimRtc&) const { return Status::no_rtc; }
};

}  // namespace

status::Outcome Commands::execute(const status::Command& command) {
  return std::visit(Execute{target_}, command);
}

}  // namespace wiretime::control
