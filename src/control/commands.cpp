// SPDX-License-Identifier: BSD-3-Clause
#include "control/commands.hpp"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "control/source_manager.hpp"

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

  // `otherwise`: where there are no sources and never will be.
  template <typename Action>
  Status with_sources(Action action, Status otherwise = Status::no_such_source) const {
    SourceManager* const sources = target.sources();
    if (sources == nullptr) return otherwise;
    if constexpr (std::is_void_v<decltype(action(*sources))>) {
      action(*sources);
      return Status::success;
    } else {
      return action(*sources);
    }
  }

  Status operator()(const status::AllowDeny& c) const { return edit_access(target, c); }
  Status operator()(const status::Local& c) const { return set_local(target, c); }
  Status operator()(const status::CycleLogs&) const {
    return target.cycle_logs() ? Status::success : Status::failed;
  }
  Status operator()(const status::Shutdown&) const {
    target.begin_shutdown();
    return Status::success;
  }

  // Sources, and the clock that follows them.
  Status operator()(const status::Online& c) const {
    return with_sources([&](SourceManager& s) { return s.online(c.sources); });
  }
  Status operator()(const status::Offline& c) const {
    return with_sources([&](SourceManager& s) { return s.offline(c.sources); });
  }
  Status operator()(const status::Burst& c) const {
    return with_sources([&](SourceManager& s) { return s.burst(c); });
  }
  Status operator()(const status::ModifySource& c) const {
    return with_sources([&](SourceManager& s) { return s.modify(c); });
  }
  Status operator()(const status::DeleteSource& c) const {
    return with_sources([&](SourceManager& s) { return s.remove(c.source); });
  }
  Status operator()(const status::SetSelectOptions& c) const {
    return with_sources([&](SourceManager& s) { return s.set_select_options(c); });
  }
  Status operator()(const status::SetOffset& c) const {
    return with_sources([&](SourceManager& s) { return s.set_offset(c); });
  }
  Status operator()(const status::OnOffline&) const {
    return with_sources([](SourceManager& s) { s.online_where_routed(); }, Status::success);
  }
  Status operator()(const status::ReloadSources&) const {
    target.reload_sources();
    return Status::success;
  }
  Status operator()(const status::Dump&) const { return target.dump() ? Status::success : Status::failed; }
  Status operator()(const status::AddSource& c) const {
    return with_sources([&](SourceManager& s) { return s.add(c); }, Status::not_enabled);
  }
  Status operator()(const status::RefreshSources&) const {
    return with_sources([](SourceManager& s) { s.refresh(); }, Status::success);
  }
  Status operator()(const status::ResetSources&) const {
    return with_sources([](SourceManager& s) { s.reset_sources(); }, Status::success);
  }
  Status operator()(const status::Reselect&) const {
    return with_sources([](SourceManager& s) { s.reselect(); }, Status::success);
  }
  Status operator()(const status::SetReselectDistance& c) const {
    return with_sources([&](SourceManager& s) { s.set_reselect_distance(c.distance); }, Status::success);
  }
  Status operator()(const status::SetMaxUpdateSkew& c) const {
    return with_sources([&](SourceManager& s) { s.set_max_update_skew(c.ppm); }, Status::success);
  }
  Status operator()(const status::SetMakestep& c) const {
    return with_sources([&](SourceManager& s) { s.set_makestep(c.threshold, c.limit); }, Status::success);
  }
  Status operator()(const status::Makestep&) const {
    return with_sources([](SourceManager& s) { return s.makestep(); }, Status::failed);
  }
  Status operator()(const status::AdjustFrequency& c) const {
    return with_sources([&](SourceManager& s) { return s.adjust_frequency(c.ppm); }, Status::failed);
  }
  Status operator()(const status::AdjustOffset& c) const {
    return with_sources([&](SourceManager& s) { return s.adjust_offset(c.offset); }, Status::failed);
  }

  Status operator()(const status::Rekey&) const {
    return target.reread_keys() ? Status::success : Status::failed;
  }

  status::Outcome operator()(const status::SetTime& c) const {
    SourceManager* const sources = target.sources();
    return sources == nullptr ? status::Outcome{Status::not_enabled} : sources->set_time(c.time);
  }
  Status operator()(const status::Manual& c) const {
    const bool on = c.action == status::Manual::Action::on;
    return with_sources([&](SourceManager& s) { return s.manual(c.action); },
                        on ? Status::not_enabled : Status::success);
  }
  Status operator()(const status::ManualDelete& c) const {
    return with_sources([&](SourceManager& s) { return s.delete_manual_sample(c.index); },
                        Status::bad_sample);
  }
  Status operator()(const status::Smoothtime& c) const {
    return with_sources([&](SourceManager& s) { return s.smooth_time(c.action); }, Status::not_enabled);
  }
  Status operator()(const status::WriteRtc&) const { return Status::no_rtc; }
  Status operator()(const status::TrimRtc&) const { return Status::no_rtc; }
};

}  // namespace

status::Outcome Commands::execute(const status::Command& command) {
  return std::visit([&](const auto& c) -> status::Outcome { return Execute{target_}(c); }, command);
}

}  // namespace wiretime::control
