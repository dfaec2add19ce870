// SPDX-License-Identifier: BSD-3-Clause
#include "control/client_listing.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace wiretime;
using control::ClientLog;
using ntp::ClientTable;

namespace {

constexpr std::array<std::uint64_t, 2> kSecret{0x9E3779B97F4A7C15U, 0xD1B54A32D192ED03U};

// The first `commands` of them log commands, the others NTP requests.
struct Tables {
  explicit Tables(std::size_t count, std::size_t commands = 0, ntp::ClientCapacity capacity = {}) {
    for (std::size_t i = 0; i < count; ++i) {
      owned.push_back(std::make_unique<ClientTable>(capacity, kSecret));
      logs.push_back({owned.back().get(), i < commands});
    }
  }

  void hit(std::size_t table, const IpAddress& client, std::uint32_t uptime) {
    CHECK(owned[table]->admit(client, uptime, {}, 0) == ntp::Admission::answer);
  }

  // Every page after the other, as chronyc asks for them: one that is not full is its last, and records
  // without an address are none.
  std::vector<status::ClientRecord> list(std::uint32_t min_hits = 0, bool reset = false,
                                         std::uint32_t uptime = 1600, std::uint32_t per_page = 8) {
    std::vector<status::ClientRecord> all;
    std::uint32_t index = 0;
    for (;;) {
      const auto page = listing.page(logs, index, per_page, min_hits, reset, uptime);
      REQUIRE(page.count <= per_page);
      for (std::uint32_t i = 0; i < page.count; ++i)
        if (page.records[i].address.family != Family::unspecified) all.push_back(page.records[i]);
      if (page.next_index >= page.indices || page.count < per_page) return all;
      REQUIRE(page.next_index > index);
      index = page.next_index;
    }
  }

  control::ClientListing listing;
  std::vector<std::unique_ptr<ClientTable>> owned;
  std::vector<ClientLog> logs;
};

IpAddress client(std::uint32_t n) {
  return IpAddress::v4(0x0A00'0000U + n);
}

}  // namespace

TEST_CASE("a client whose packets reached three workers is listed once with the sum") {
  Tables tables{4, 1};
  tables.hit(0, client(1), 16 * 20);
  for (int i = 0; i < 3; ++i) tables.hit(1, client(1), 16 * 10);
  for (int i = 0; i < 4; ++i) tables.hit(2, client(1), 16 * 40);
  const ntp::RateLimit strict = ntp::RateLimit::of({12, 1, 4, 0});
  std::uint64_t random = 1;
  while (tables.owned[3]->admit(client(1), 16 * 20, strict, random++ << 32) != ntp::Admission::drop) continue;
  const std::uint64_t hits = 7 + tables.owned[3]->at(*tables.owned[3]->slot_of(client(1)))->hits;
  const auto all = tables.list(0, false, 16 * 100);
  REQUIRE(all.size() == 1);
  CHECK(all[0].address == client(1));
  CHECK(all[0].ntp.hits == hits);
  CHECK(all[0].ntp.drops == 1);
  CHECK(all[0].command.hits == 1);
  CHECK(all[0].command.drops == 0);
  CHECK(all[0].ntp.last_hit == std::chrono::seconds{60});
  CHECK(all[0].command.last_hit == std::chrono::seconds{80});
}

TEST_CASE("paging over random tables shows every client once with its true count") {
  const unsigned seed = 20261123;
  CAPTURE(seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 20; ++round) {
    Tables tables{4};
    std::map<IpAddress, std::uint64_t> truth;
    for (int i = 0; i < 300; ++i) {
      const auto address = client(static_cast<std::uint32_t>(random() % 100));
      const std::size_t table = std::array<std::size_t, 3>{0, 1, 3}[random() % 3];
      tables.hit(table, address, 100);
      ++truth[address];
    }
    const auto min_hits = static_cast<std::uint32_t>(random() % 6);
    std::erase_if(truth, [&](const auto& client_and_hits) { return client_and_hits.second < min_hits; });
    const auto all = tables.list(min_hits, false, 1600, 1 + static_cast<std::uint32_t>(random() % 8));
    std::map<IpAddress, std::uint64_t> listed;
    for (const auto& record : all) {
      CHECK(listed.count(record.address) == 0);
      listed[record.address] = record.ntp.hits;
    }
    CHECK(listed == truth);
  }
}

TEST_CASE("the minimum of hits is compared with the sum over all workers") {
  Tables tables{2};
  for (int i = 0; i < 3; ++i) {
    tables.hit(0, client(1), 100);
    tables.hit(1, client(1), 100);
  }
  tables.hit(0, client(2), 100);
  const auto busy = tables.list(5);
  REQUIRE(busy.size() == 1);
  CHECK(busy[0].ntp.hits == 6);
  CHECK(tables.list(7).empty());
}

TEST_CASE("reset clears the counts of what was listed, in every table, and nothing else") {
  Tables tables{2};
  for (int i = 0; i < 3; ++i) {
    tables.hit(0, client(1), 100);
    tables.hit(1, client(1), 100);
  }
  tables.hit(1, client(2), 100);
  const auto before = tables.list(2, true);
  REQUIRE(before.size() == 1);
  CHECK(before[0].ntp.hits == 6);

  std::map<IpAddress, std::uint64_t> after;
  for (const auto& record : tables.list()) after[record.address] = record.ntp.hits;
  CHECK(after == std::map<IpAddress, std::uint64_t>{{client(1), 0}, {client(2), 1}});
}

TEST_CASE("two streams of one client are as frequent as both together") {
  Tables tables{2};
  // Every 4 s at each of two workers is every 2 s.
  for (std::uint32_t t = 1; t < 40; ++t) {
    tables.hit(0, client(1), t * 64);
    tables.hit(1, client(1), t * 64 + 32);
  }
  const auto all = tables.list();
  REQUIRE(all.size() == 1);
  CHECK(all[0].ntp.interval == 1);
  CHECK(all[0].command.interval == status::kIntervalUnknown);
  CHECK_FALSE(all[0].command.last_hit);
}

TEST_CASE("a page is full, or the last: chronyc asks no further behind a short one") {
  Tables tables{3};
  tables.hit(2, client(1), 100);  // behind two empty tables
  const auto page = tables.listing.page(tables.logs, 0, 8, 0, false, 100);
  CHECK(page.count == 1);
  CHECK(page.next_index == page.indices);
}

TEST_CASE("a large table with few who are wanted is read in parts, each a page that chronyc takes for full") {
  Tables tables{2, 0, {1U << 20, 1024}};
  for (std::uint32_t i = 0; i < 300; ++i) tables.hit(i % 2, client(i * 7919), 100);
  for (int i = 0; i < 9; ++i) tables.hit(1, client(7919), 100);
  unsigned pages = 0;
  for (std::uint32_t index = 0;; ++pages) {
    const auto page = tables.listing.page(tables.logs, index, 8, 1000, false, 100);
    for (std::uint32_t i = 0; i < page.count; ++i)
      CHECK(page.records[i].address.family == Family::unspecified);
    CHECK(page.count == (page.next_index < page.indices ? 8 : 0));
    CHECK(page.next_index - index <= 300'000);
    if (page.next_index >= page.indices) break;
    REQUIRE(page.next_index > index);
    index = page.next_index;
  }
  CHECK(pages >= 10);
  const auto busy = tables.list(10);
  REQUIRE(busy.size() == 1);
  CHECK(busy[0].address == client(7919));
  CHECK(tables.list().size() == 300);
}

TEST_CASE("an index beyond the tables is the end") {
  Tables tables{1};
  tables.hit(0, client(1), 100);
  const auto page = tables.listing.page(tables.logs, 4'000'000'000U, 8, 0, false, 100);
  CHECK(page.count == 0);
  CHECK(page.next_index >= page.indices);
}

TEST_CASE("the client log's use is the sum over all tables") {
  Tables tables{2};
  tables.hit(0, client(1), 100);
  tables.hit(1, client(2), 100);
  const auto use = control::client_log_use(tables.logs);
  CHECK(use.records == 2);
  CHECK(use.capacity == 2 * tables.owned[0]->slots());
}
