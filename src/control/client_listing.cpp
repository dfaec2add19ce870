// SPDX-License-Identifier: BSD-3-Clause
#include "control/client_listing.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string_view>

namespace wiretime::control {

namespace {

using ntp::ClientRecord;
using ntp::ClientTable;

// Two streams of packets at 2^-a and 2^-b a second (a, b in quarters) arrive 2^-a + 2^-b a second together.
std::int8_t combined_interval(std::int8_t a, std::int8_t b) {
  if (a == ClientRecord::kNoInterval) return b;
  if (b == ClientRecord::kNoInterval) return a;
  const double rate = std::exp2(-a / 4.0) + std::exp2(-b / 4.0);
  return static_cast<std::int8_t>(std::lround(-4.0 * std::log2(rate)));
}

std::int8_t whole_log2(std::int8_t quarters) {
  return quarters == ClientRecord::kNoInterval ? status::kIntervalUnknown
                                               : static_cast<std::int8_t>(std::lround(quarters / 4.0));
}

// The control thread has other things to do, so a page ends after that many slots, of which most only cost
// the memory that has to be read; one whose client is looked at in all tables counts for many.
constexpr std::size_t kSlotsPerPage = std::size_t{1} << 18;
constexpr std::size_t kVisitCost = 64;

// Whose sum over the logs of one kind reaches the minimum has as many in one of them.
std::uint32_t hits_in_one(std::span<const ClientLog> logs, std::uint32_t min_hits) {
  const auto commands = static_cast<std::size_t>(
      std::count_if(logs.begin(), logs.end(), [](const ClientLog& log) { return log.of_commands; }));
  const std::size_t most = std::max({commands, logs.size() - commands, std::size_t{1}});
  return static_cast<std::uint32_t>(std::max((min_hits + most - 1) / most, std::size_t{1}));
}

// Sums of 32-bit counts need 64 bits: kept apart from the record's own.
struct Sum {
  std::uint64_t hits = 0;
  std::uint64_t drops = 0;
  std::uint32_t last_hit = 0;
  std::int8_t interval = ClientRecord::kNoInterval;
  std::int8_t timeout_interval = ClientRecord::kNoInterval;

  void add(const ClientRecord& record) {
    hits += record.hits;
    drops += record.drops;
    last_hit = std::max(last_hit, record.last_hit);
    interval = combined_interval(interval, record.interval);
    timeout_interval = combined_interval(timeout_interval, record.timeout_interval);
  }

  [[nodiscard]] status::ClientActivity report(std::uint32_t uptime) const {
    status::ClientActivity activity;
    activity.hits = hits;
    activity.drops = drops;
    activity.interval = whole_log2(interval);
    if (last_hit != 0) {
      const std::uint32_t age = uptime > last_hit ? uptime - last_hit : 0;
      activity.last_hit = std::chrono::seconds{age / 16};
    }
    return activity;
  }
};

std::uint32_t hash_of(const IpAddress& a) {
  const std::string_view bytes{reinterpret_cast<const char*>(a.bytes.data()), a.bytes.size()};
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(bytes)) | 1U;
}

}  // namespace

ClientRecord ClientListing::since_reset(Slot where, ClientRecord record) const {
  if (where.log >= baselines_.size() || where.slot >= baselines_[where.log].size()) return record;
  const Baseline& b = baselines_[where.log][where.slot];
  if (b.client != hash_of(record.address) || record.hits < b.hits) return record;  // another's, or come back
  record.hits -= b.hits;
  record.drops -= std::min(b.drops, record.drops);
  return record;
}

void ClientListing::reset(std::span<const ClientLog> logs, const IpAddress& client) {
  baselines_.resize(logs.size());
  for (std::size_t i = 0; i < logs.size(); ++i) {
    const auto slot = logs[i].table->slot_of(client);
    const auto record = slot ? logs[i].table->at(*slot) : std::nullopt;
    if (!record) continue;
    baselines_[i].resize(logs[i].table->slots());
    baselines_[i][*slot] = {hash_of(client), record->hits, record->drops};
  }
}

// Adds the client in `where` to the page when this is the slot that shows it: the first log's that counts so
// many hits.
void ClientListing::visit(std::span<const ClientLog> logs, Slot where, const Wanted& wanted,
                          status::ClientPage& page) {
  const auto found = logs[where.log].table->at(where.slot);
  if (!found) return;
  Sum ntp;
  Sum command;
  for (std::size_t i = 0; i < logs.size(); ++i) {
    const auto slot = i == where.log ? where.slot : logs[i].table->slot_of(found->address);
    const auto record = slot ? logs[i].table->at(*slot) : std::nullopt;
    if (!record || record->address != found->address) continue;
    if (i < where.log && record->hits >= wanted.hits_in_one) return;
    (logs[i].of_commands ? command : ntp).add(since_reset({i, *slot}, *record));
  }
  if (std::max(ntp.hits, command.hits) < wanted.hits) return;
  auto& out = page.records[page.count++];
  out.address = found->address;
  out.ntp = ntp.report(wanted.uptime);
  out.command = command.report(wanted.uptime);
  out.ntp_timeout_interval = whole_log2(ntp.timeout_interval);
  if (wanted.reset) reset(logs, out.address);
}

status::ClientPage ClientListing::page(std::span<const ClientLog> logs, std::uint32_t first_index,
                                       std::uint32_t max_records, std::uint32_t min_hits, bool with_reset,
                                       std::uint32_t uptime) {
  status::ClientPage page;
  std::uint64_t total = 0;
  for (const ClientLog& log : logs) total += log.table->slots();
  page.indices = static_cast<std::uint32_t>(std::min<std::uint64_t>(total, UINT32_MAX));
  max_records = std::min(max_records, status::kClientPageRecords);
  const Wanted wanted{min_hits, hits_in_one(logs, min_hits), with_reset, uptime};

  Slot where{0, first_index};
  while (where.log < logs.size() && where.slot >= logs[where.log].table->slots())
    where.slot -= logs[where.log++].table->slots();

  std::size_t index = std::min(first_index, page.indices);
  std::size_t budget = kSlotsPerPage;
  while (index < page.indices && page.count < max_records && budget > 0) {
    const ClientTable& table = *logs[where.log].table;
    const std::size_t end = std::min(table.slots(), where.slot + std::min(budget, page.indices - index));
    const std::size_t next = table.next_with_hits(where.slot, end, wanted.hits_in_one);
    const std::size_t passed = std::min(next + 1, end) - where.slot;
    if (next < end) visit(logs, {where.log, next}, wanted, page);
    index += passed;
    budget -= std::min(budget, passed + (next < end ? kVisitCost : 0));
    where.slot += passed;
    if (where.slot == table.slots()) where = {where.log + 1, 0};
  }
  page.next_index = static_cast<std::uint32_t>(index);
  if (index < page.indices)
    while (page.count < max_records) page.records[page.count++] = {};
  return page;
}

status::ClientLogUse client_log_use(std::span<const ClientLog> logs) {
  status::ClientLogUse use;
  for (const ClientLog& log : logs) {
    use.records += log.table->used();
    use.capacity += log.table->slots();
  }
  return use;
}

}  // namespace wiretime::control
