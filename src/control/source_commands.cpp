// SPDX-License-Identifier: BSD-3-Clause
// SourceManager: what chronyc can do to sources.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "control/source_manager.hpp"
#include "os/resolver.hpp"

namespace wiretime::control {

namespace {

using status::Status;

constexpr std::size_t kMostSources = 1024;
constexpr double kMostDelay = 1e3;  // s
constexpr double kMostRatio = 1e6;

NtpSource config_of(const status::AddSource& c) {
  using Kind = status::AddSource::Kind;
  NtpSource s;
  s.kind = c.kind == Kind::pool   ? NtpSource::Kind::pool
           : c.kind == Kind::peer ? NtpSource::Kind::peer
                                  : NtpSource::Kind::server;
  s.name = c.name;
  s.family = c.family;
  s.port = static_cast<std::uint16_t>(c.port);
  if (c.version >= 1 && c.version <= 4) s.version = static_cast<std::uint8_t>(c.version);
  s.min_poll = std::clamp(c.min_poll, -7, 24);
  s.max_poll = std::clamp(c.max_poll, s.min_poll, 24);
  s.poll_target = c.poll_target;
  if (c.presend_min_poll <= 24) s.presend_min_poll = c.presend_min_poll;
  s.iburst = c.iburst;
  s.burst = c.burst;
  s.offline = !c.online;
  s.auto_offline = c.auto_offline;
  if (c.max_unreach > 0) s.max_unreach = static_cast<unsigned>(c.max_unreach);
  s.xleave = c.interleaved;
  s.copy = c.copy;
  s.ext_mono_root = c.extension_f323;
  s.ext_net_correction = c.extension_f324;
  s.key_id = c.key_id;
  s.nts = c.nts;
  s.select = {c.prefer, c.no_select, c.trust, c.require};
  s.min_stratum = c.min_stratum;
  s.max_sources = std::clamp(c.max_sources, 1U, 16U);
  s.max_delay = Seconds{c.max_delay};
  s.max_delay_ratio = c.max_delay_ratio;
  s.max_delay_dev_ratio = c.max_delay_dev_ratio;
  s.max_delay_quant = c.max_delay_quantile;
  s.min_delay = Seconds{c.min_delay};
  if (std::fabs(c.asymmetry) <= 0.5) s.asymmetry = c.asymmetry;  // beyond that: not given
  s.offset = Seconds{c.offset};
  if (c.min_samples >= 0) s.min_samples = static_cast<unsigned>(c.min_samples);
  if (c.max_samples >= 0) s.max_samples = static_cast<unsigned>(c.max_samples);
  s.filter_length = static_cast<unsigned>(std::max(c.filter_length, 0));
  return s;
}

bool is_offline(const NtpPart& part) {
  const ntp::Connectivity now = part.association.connectivity();
  return now == ntp::Connectivity::offline || now == ntp::Connectivity::burst_offline;
}

}  // namespace

template <typename Action>
Status SourceManager::for_each(const status::SourceMask& mask, Action action) {
  bool any = false;
  for (const auto& s : sources_) {
    if (!s->ntp || !mask.selects(address_of(*s))) continue;
    any = true;
    action(*s);
  }
  return any || mask.address == status::SourceAddress{} ? Status::success : Status::no_such_source;
}

void SourceManager::set_online(Source& s) {
  const bool was_offline = is_offline(*s.ntp);
  s.ntp->config.offline = false;
  if (!s.ntp->resolved()) return s.ntp->association.begin_offline(false);
  act(s, s.ntp->association.go_online(moment(s)));
  if (was_offline) log(os::LogLevel::info, "Source " + s.label() + " online");
}

void SourceManager::set_offline(Source& s) {
  const bool was_offline = is_offline(*s.ntp);
  s.ntp->config.offline = true;
  if (!s.ntp->resolved()) return s.ntp->association.begin_offline(true);
  act(s, s.ntp->association.go_offline());
  if (!was_offline) log(os::LogLevel::info, "Source " + s.label() + " offline");
}

Status SourceManager::online(const status::SourceMask& mask) {
  return for_each(mask, [this](Source& s) { set_online(s); });
}

Status SourceManager::offline(const status::SourceMask& mask) {
  const Status status = for_each(mask, [this](Source& s) { set_offline(s); });
  update_selection();
  return status;
}

void SourceManager::online_where_routed() {
  static_cast<void>(for_each({}, [this](Source& s) {
    if (!s.ntp->resolved()) return;
    if (host_.has_route(s.ntp->address))
      set_online(s);
    else
      set_offline(s);
  }));
  update_selection();
}

Status SourceManager::burst(const status::Burst& command) {
  if (command.good_samples < 0 || command.total_samples < 0) return Status::invalid;
  return for_each(command.sources, [&](Source& s) {
    if (s.ntp->resolved())
      act(s, s.ntp->association.burst(moment(s), static_cast<unsigned>(command.good_samples),
                                      static_cast<unsigned>(command.total_samples)));
  });
}

// A value that makes no sense changes nothing and is no error, as with chronyd.
Status SourceManager::modify(const status::ModifySource& command) {
  using P = status::SourceParameter;
  Source* const s = find(command.source);
  if (s == nullptr) return Status::no_such_source;
  NtpPart& n = *s->ntp;
  const double v = command.value;
  if (!std::isfinite(v)) return Status::invalid;
  const auto whole = static_cast<int>(std::lround(std::clamp(v, -1e6, 1e6)));
  const bool is_poll = whole >= ntp::kLowestPoll && whole <= ntp::kHighestPoll;
  const auto changed = [&](const char* name, auto value) {
    log(os::LogLevel::info, fmt::format("Source {} new {} {}", s->label(), name, value));
  };
  switch (command.parameter) {
    case P::min_poll:
      if (!is_poll) return Status::success;
      n.config.min_poll = whole;
      n.config.max_poll = std::max(n.config.max_poll, whole);
      n.association.set_min_poll(whole);
      changed("minpoll", whole);
      break;
    case P::max_poll:
      if (!is_poll) return Status::success;
      n.config.max_poll = whole;
      n.config.min_poll = std::min(n.config.min_poll, whole);
      n.association.set_max_poll(whole);
      changed("maxpoll", whole);
      break;
    case P::max_delay:
      n.config.max_delay = Seconds{std::clamp(v, 0.0, kMostDelay)};
      n.association.set_max_delay(n.config.max_delay.count());
      changed("maxdelay", n.config.max_delay.count());
      break;
    case P::max_delay_ratio:
      n.config.max_delay_ratio = std::clamp(v, 0.0, kMostRatio);
      changed("maxdelayratio", n.config.max_delay_ratio);
      break;
    case P::max_delay_dev_ratio:
      n.config.max_delay_dev_ratio = std::clamp(v, 0.0, kMostRatio);
      changed("maxdelaydevratio", n.config.max_delay_dev_ratio);
      break;
    case P::min_stratum:
      n.config.min_stratum = static_cast<unsigned>(std::clamp(whole, 0, int{ntp::kMaxStratum}));
      n.association.set_min_stratum(std::max(n.config.min_stratum, settings_.min_stratum));
      changed("minstratum", n.config.min_stratum);
      break;
    case P::poll_target:
      n.config.poll_target = static_cast<unsigned>(std::max(whole, 1));
      changed("polltarget", n.config.poll_target);
      break;
  }
  n.polls = clock::PollControl{poll_config(n.config)};
  n.delays.set_limits(delay_limits(n.config, settings_));
  return Status::success;
}

Status SourceManager::set_offset(const status::SetOffset& command) {
  Source* const s = find(command.source, command.reference_id);
  if (s == nullptr) return Status::no_such_source;
  if (!std::isfinite(command.offset)) return Status::invalid;
  if (s->refclock) {
    s->refclock->clock.set_offset(command.offset);
  } else {
    s->ntp->config.offset = Seconds{command.offset};
    s->ntp->association.set_offset_correction(command.offset);
  }
  log(os::LogLevel::info, fmt::format("Source {} new offset {}", s->label(), command.offset));
  return Status::success;
}

Status SourceManager::add(const status::AddSource& command) {
  if (command.port < 1 || command.port > 65'535) return Status::invalid;
  if (sources_.size() >= kMostSources) return Status::too_many_sources;
  if (command.nts) return Status::not_enabled;  // not in this version
  const NtpSource config = config_of(command);
  if (config.name.empty()) return Status::invalid_name;
  if (const auto numeric = os::numeric_address(config.name)) {
    if (numeric->address.is_unspecified() || numeric->address.is_multicast()) return Status::invalid;
    if (address_in_use(numeric->address)) return Status::source_already_known;
  }
  add_line(config);
  return Status::success;
}

Status SourceManager::remove(const status::SourceAddress& address) {
  Source* const s = find(address);
  if (s == nullptr) return Status::no_such_source;
  remove_source(s->id);
  update_selection();
  return Status::success;
}

Status SourceManager::set_select_options(const status::SetSelectOptions& command) {
  Source* const s = find(command.source, command.reference_id);
  if (s == nullptr) return Status::no_such_source;
  const auto set = [&](std::uint32_t bit, bool& option) {
    if ((command.mask & bit) != 0) option = (command.options & bit) != 0;
  };
  set(status::kAddPrefer, s->select.prefer);
  set(status::kAddNoSelect, s->select.noselect);
  set(status::kAddTrust, s->select.trust);
  set(status::kAddRequire, s->select.require);
  update_selection();
  return Status::success;
}

void SourceManager::reselect() {
  selector_.reselect();
  update_selection();
}

void SourceManager::set_reselect_distance(double s) {
  selector_.set_reselect_distance(s);
  log(os::LogLevel::info, fmt::format("New reselect distance {:f}", s));
}

// Removed lines first: a changed one gives its address back before it is added again.
void SourceManager::set_directory_sources(const std::vector<NtpSource>& sources) {
  const auto wanted = [&](const NtpSource& line) {
    return std::find(sources.begin(), sources.end(), line) != sources.end();
  };
  const auto present = [&](const NtpSource& line) {
    return std::any_of(directory_lines_.begin(), directory_lines_.end(),
                       [&](const auto& known) { return known.first == line; });
  };
  for (const auto& [config, line] : directory_lines_)
    if (!wanted(config)) remove_line(line);
  std::erase_if(directory_lines_, [&](const auto& known) { return !wanted(known.first); });
  for (const NtpSource& config : sources)
    if (!present(config)) add_directory_line(config);
  update_selection();
}

void SourceManager::reset_sources() {
  for (const auto& s : sources_) {
    forget_measurements(*s);
    if (!s->ntp) continue;
    s->ntp->association.clock_lost();
    if (s->ntp->resolved()) act(*s, s->ntp->association.reset_poll(moment(*s)));
  }
  update_selection();
}

}  // namespace wiretime::control
