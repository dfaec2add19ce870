// SPDX-License-Identifier: BSD-3-Clause
#include "control/client_listing.hpp"

#include <algorithm>
#include <cmath>

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

// Sums of 32-bit counts need 64 bits: kept apart from the record's own.
struct Sum {
  std::uint64_t hits = 0;
  std::uint64_t drops = 0;
  std::uint32_t last_hit = 0;
  std::int8_t interval = ClientRecord::kNoInterval;

  void add(const ClientRecord::Use& use) {
    hits += use.hits;
    drops += use.drops;
    last_hit = std::max(last_hit, use.last_hit);
    interval = combined_interval(interval, use.interval);
  }

  [[nodiscard]] status::ClientActivity report(std::uint32_t uptime) const {
    status::ClientActivity activity;
    activity.hits = hits;
    activity.drops = drops;
    if (interval != ClientRecord::kNoInterval)
      activity.interval = static_cast<std::int8_t>(std::lround(interval / 4.0));
    if (last_hit != 0) {
      const std::uint32_t age = uptime > last_hit ? uptime - last_hit : 0;
      activity.last_hit = std::chrono::seconds{age / 16};
    }
    return activity;
  }
};

bool counts_nothing(const ClientRecord& r) {
  return r.ntp.hits == 0 && r.ntp.drops == 0 && r.command.hits == 0 && r.command.drops == 0;
}

struct Slot {
  std::size_t table = 0;
  std::size_t slot = 0;
};

class Pager {
 public:
  Pager(std::span<ClientTable* const> tables, std::uint32_t min_hits, bool reset, std::uint32_t uptime)
      : tables_{tables}, min_hits_{min_hits}, reset_{reset}, uptime_{uptime} {}

  // Adds the client in `where` to the page when this is the slot that shows it.
  void visit(Slot where, status::ClientPage& page) const {
    const auto record = tables_[where.table]->at(where.slot);
    if (!record || shown_before(where, record->address)) return;
    Sum ntp;
    Sum command;
    ntp.add(record->ntp);
    command.add(record->command);
    for (std::size_t t = where.table + 1; t < tables_.size(); ++t) {
      if (const auto other = tables_[t]->find(record->address)) {
        ntp.add(other->ntp);
        command.add(other->command);
      }
    }
    if (std::max(ntp.hits, command.hits) < min_hits_) return;
    if (reset_) tables_[where.table]->request_reset(where.slot);
    auto& out = page.records[page.count++];
    out.address = record->address;
    out.ntp = ntp.report(uptime_);
    out.command = command.report(uptime_);
  }

 private:
  // An earlier table has the client. When that record reads as nothing, this listing has reset it, and the
  // counts here were shown and go too.
  [[nodiscard]] bool shown_before(Slot where, const IpAddress& address) const {
    for (std::size_t t = 0; t < where.table; ++t) {
      const auto earlier = tables_[t]->find(address);
      if (!earlier) continue;
      if (reset_ && counts_nothing(*earlier)) tables_[where.table]->request_reset(where.slot);
      return true;
    }
    return false;
  }

  std::span<ClientTable* const> tables_;
  std::uint32_t min_hits_;
  bool reset_;
  std::uint32_t uptime_;
};

}  // namespace

status::ClientPage client_page(std::span<ClientTable* const> tables, std::uint32_t first_index,
                               std::uint32_t max_records, std::uint32_t min_hits, bool reset,
                               std::uint32_t uptime) {
  status::ClientPage page;
  std::uint64_t total = 0;
  for (const ClientTable* table : tables) total += table->capacity();
  page.indices = static_cast<std::uint32_t>(std::min<std::uint64_t>(total, UINT32_MAX));
  max_records = std::min(max_records, status::kClientPageRecords);

  Slot where{0, first_index};
  while (where.table < tables.size() && where.slot >= tables[where.table]->capacity())
    where.slot -= tables[where.table++]->capacity();

  const Pager pager{tables, min_hits, reset, uptime};
  std::uint32_t index = std::min(first_index, page.indices);
  for (std::uint32_t looked_at = 0;
       index < page.indices && page.count < max_records && looked_at < kClientSlotsPerPage;
       ++looked_at, ++index) {
    pager.visit(where, page);
    if (++where.slot == tables[where.table]->capacity()) where = {where.table + 1, 0};
  }
  page.next_index = index;
  return page;
}

status::ClientLogUse client_log_use(std::span<ClientTable* const> tables) {
  status::ClientLogUse use;
  for (const ClientTable* table : tables) {
    use.records += table->used();
    use.capacity += table->capacity();
  }
  return use;
}

}  // namespace wiretime::control
