// SPDX-License-Identifier: BSD-3-Clause
// SourceManager's names: one lookup at a time, retries, pools filled from one answer, and other addresses for
// sources that no longer answer.
#include <fmt/format.h>

#include <algorithm>

#include "control/source_manager.hpp"

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

constexpr Nanoseconds kFirstRetry = 7s;
constexpr unsigned kMostDoublings = 9;  // then about once an hour

}  // namespace

void SourceManager::want_address(std::uint32_t line, std::optional<SourceId> replace) {
  for (const Lookup& l : lookups_)
    if (l.line == line && l.replace == replace) return;
  lookups_.push_back({line, replace});
  look_up_next();
}

void SourceManager::look_up_next() {
  while (!looking_up_ && !lookups_.empty()) {
    const auto wanted = std::find_if(sources_.begin(), sources_.end(),
                                     [&](const auto& s) { return s->line == lookups_.front().line; });
    if (wanted == sources_.end()) {  // removed meanwhile
      lookups_.pop_front();
      continue;
    }
    looking_up_ = true;
    host_.look_up((*wanted)->ntp->config.name, (*wanted)->ntp->config.family);
  }
}

void SourceManager::looked_up(const Result<std::vector<IpAddress>>& answer) {
  if (!looking_up_) return;
  looking_up_ = false;
  const Lookup lookup = lookups_.front();
  lookups_.pop_front();
  if (!answer) {
    log(os::LogLevel::debug, answer.error().message);
    retry_later(lookup.line);
  } else {
    std::erase_if(retries_, [&](const Retry& r) { return r.line == lookup.line; });
    if (!lookup.replace)
      fill_line(lookup.line, *answer);
    else if (Source* source = find(*lookup.replace))
      replace_address(*source, *answer);
  }
  give_up_once();
  look_up_next();
}

void SourceManager::retry_later(std::uint32_t line) {
  auto retry = std::find_if(retries_.begin(), retries_.end(), [&](const Retry& r) { return r.line == line; });
  if (retry == retries_.end()) retry = retries_.insert(retries_.end(), Retry{line, 0, {}});
  retry->at = host_.monotonic() + kFirstRetry * (1 << std::min(retry->failures, kMostDoublings));
  ++retry->failures;
}

void SourceManager::retry_due() {
  const Nanoseconds now = host_.monotonic();
  for (Retry& retry : retries_) {
    if (retry.at > now) continue;
    retry.at = Nanoseconds::max();  // until the answer is there
    want_address(retry.line);
  }
}

bool SourceManager::address_in_use(const IpAddress& address) const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [&](const auto& s) { return s->ntp && s->ntp->address.address == address; });
}

void SourceManager::give_address(Source& source, const IpAddress& address) {
  source.ntp->address = {address, source.ntp->config.port, 0};
  start_source(source);
}

void SourceManager::fill_line(std::uint32_t line, const std::vector<IpAddress>& addresses) {
  auto next = addresses.begin();
  std::vector<Source*> waiting;
  for (const auto& s : sources_)
    if (s->ntp && s->line == line && !s->ntp->resolved()) waiting.push_back(s.get());
  for (Source* source : waiting) {
    while (next != addresses.end() && address_in_use(*next)) ++next;
    if (next == addresses.end()) break;
    give_address(*source, *next++);
  }
  const bool none = std::none_of(sources_.begin(), sources_.end(), [&](const auto& s) {
    return s->ntp && s->line == line && s->ntp->resolved();
  });
  if (none) retry_later(line);
}

void SourceManager::replace_address(Source& source, const std::vector<IpAddress>& addresses) {
  const bool listed =
      std::find(addresses.begin(), addresses.end(), source.ntp->address.address) != addresses.end();
  const bool serves = source.status.reach != 0 && !source.ntp->association.denied() &&
                      source.ntp->bad_samples < kBadToReplace;
  if (listed && serves) return;
  const auto unused = std::find_if(addresses.begin(), addresses.end(),
                                   [&](const IpAddress& a) { return !address_in_use(a); });
  if (unused == addresses.end()) return;
  const std::string before = source.ntp->address.address.to_string();
  if (selected_ == source.id) selected_.reset();
  host_.close_socket(source.id);
  give_address(source, *unused);
  log(os::LogLevel::info,
      fmt::format("Source {} replaced with {} ({})", before, unused->to_string(), source.ntp->config.name));
}

void SourceManager::unreachable(Source& source, ntp::Unreachable::Reason /*reason*/) {
  update_selection();  // so that the log hears of it when no source ever answered
  if (!source.ntp->config_is_numeric) want_address(source.line, source.id);
}

void SourceManager::refresh() {
  refreshed_at_ = host_.monotonic();
  for (const auto& s : sources_) {
    if (!s->ntp || s->ntp->config_is_numeric) continue;
    if (s->ntp->resolved())
      want_address(s->line, s->id);
    else
      want_address(s->line);
  }
}

}  // namespace wiretime::control
