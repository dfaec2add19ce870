// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/client_table.hpp"

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::ntp;

namespace {

constexpr std::array<std::uint64_t, 2> kSecret{0x1234'5678'9ABC'DEF0U, 42};
constexpr RateLimit kNoLimit{};
constexpr ClientCapacity kSmall{1000, 1000};

IpAddress client(std::uint32_t n) {
  return IpAddress::v4(0x0A00'0000U + n);
}
IpAddress client6(std::uint64_t n) {
  IpAddress a = *IpAddress::parse("2001:db8::");
  for (std::size_t i = 0; i < 8; ++i) a.bytes[15 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  return a;
}

void hit(ClientTable& table, const IpAddress& a, std::uint32_t now) {
  CHECK(table.admit(a, now, kNoLimit, 0) == Admission::answer);
}
std::optional<ClientRecord> find(const ClientTable& table, const IpAddress& a) {
  const auto slot = table.slot_of(a);
  return slot ? table.at(*slot) : std::nullopt;
}
std::map<IpAddress, ClientRecord> list(const ClientTable& table) {
  std::map<IpAddress, ClientRecord> all;
  for (std::size_t slot = 0; slot < table.slots(); ++slot)
    if (const auto r = table.at(slot)) {
      CHECK(all.emplace(r->address, *r).second);
      CHECK(table.slot_of(r->address) == slot);
    }
  return all;
}

}  // namespace

TEST_CASE("each client is listed once, by its own address, with its true count") {
  for (const auto& secret :
       {std::array<std::uint64_t, 2>{0, 0}, std::array<std::uint64_t, 2>{1, 2}, kSecret}) {
    for (const ClientCapacity& capacity : {ClientCapacity{}, ClientCapacity{100'000, 12'345}}) {
      ClientTable table{capacity, secret};
      std::map<IpAddress, std::uint32_t> truth;
      std::mt19937_64 random{1};
      for (std::uint32_t i = 0; i < 20'000; ++i) {
        auto a = client(static_cast<std::uint32_t>(random() % 1000));
        if (i % 3 == 0) a = client6(random() % 1000);
        if (i % 5 == 0) a = IpAddress::v4(static_cast<std::uint32_t>(random() % 200 * 0x0123'4567U));
        hit(table, a, i + 1);
        ++truth[a];
      }
      REQUIRE(table.evicted() == 0);
      CHECK(table.used() == truth.size());
      const auto listed = list(table);
      REQUIRE(listed.size() == truth.size());
      for (const auto& [address, record] : listed) CHECK(record.hits == truth.at(address));
    }
  }
}

TEST_CASE("the search for hits finds what looking at every slot finds, from and to anywhere") {
  const unsigned seed = 20261123;
  CAPTURE(seed);
  std::mt19937 random{seed};
  ClientTable table{kSmall, kSecret};
  for (int i = 0; i < 3000; ++i) {
    const std::uint32_t who = static_cast<std::uint32_t>(random() % 600);
    for (auto n = 1 + random() % 3; n > 0; --n) hit(table, who % 2 != 0 ? client(who) : client6(who), 100);
  }
  for (int i = 0; i < 2000; ++i) {
    const std::size_t a = random() % (table.slots() + 1);
    const std::size_t b = random() % (table.slots() + 1);
    const auto hits = static_cast<std::uint32_t>(1 + random() % 25);
    const auto [from, to] = std::minmax(a, b);
    std::size_t expected = from;
    while (expected < to && table.at(expected).value_or(ClientRecord{}).hits < hits) ++expected;
    REQUIRE(table.next_with_hits(from, to, hits) == expected);
  }
}

TEST_CASE("an IPv4 address and the IPv6 address with the same bytes are two clients") {
  ClientTable table{kSmall, kSecret};
  IpAddress six = client(7);
  six.family = Family::ipv6;
  hit(table, client(7), 1);
  hit(table, six, 1);
  CHECK(list(table).size() == 2);
}

TEST_CASE("as many clients as the table was made for stay in it, but for a few percent") {
  constexpr std::size_t kClients = 50'000;
  ClientTable table{{kClients, kClients}, kSecret};
  std::mt19937_64 random{5};
  std::uint32_t now = 1;
  for (std::size_t i = 0; i < kClients; ++i) {
    hit(table, IpAddress::v4(static_cast<std::uint32_t>(random())), ++now);
    hit(table, client6(random()), ++now);
  }
  CHECK(table.used() > 2 * kClients * 95 / 100);
  CHECK(list(table).size() == table.used());
}

TEST_CASE("an IPv4 client costs at most 24 bytes") {
  constexpr std::size_t kClients = 1 << 20;
  const auto without = ClientTable::memory_needed({0, 0});
  const auto smallest = ClientTable::memory_needed({1, 0});
  REQUIRE(smallest == without);
  CHECK(ClientTable::memory_needed({kClients, 0}) - without <= 24 * kClients);
}

TEST_CASE("populating a table asks for the clients' memory and not for that of interleaved mode") {
  struct Call {
    std::byte* data;
    std::size_t size;
  };
  static std::vector<Call> allocated;
  static std::vector<Call> populated;
  allocated.clear();
  populated.clear();
  const ClientTable table{kSmall, kSecret, [](std::size_t size) {
                            ClientMemory memory = ClientTable::heap_memory(size);
                            memory.populate = [](std::byte* data, std::size_t n) {
                              populated.push_back({data, n});
                            };
                            allocated.push_back({memory.data, memory.size});
                            return memory;
                          }};
  REQUIRE(allocated.size() == 2);
  CHECK(populated.empty());
  table.populate();
  REQUIRE(populated.size() == 1);
  CHECK(populated[0].data == allocated[0].data);
  CHECK(populated[0].size == allocated[0].size);
  CHECK(allocated[0].size >= ClientTable::memory_needed(kSmall));

  const ClientTable on_the_heap{kSmall, kSecret};
  on_the_heap.populate();  // nothing to do there
}

TEST_CASE("a full bucket gives up its longest silent client and counts that") {
  ClientTable table{{}, kSecret};
  std::mt19937_64 random{11};
  std::map<IpAddress, std::uint32_t> last;
  for (std::uint32_t now = 1; now < 40'000; ++now) {
    const auto a = IpAddress::v4(static_cast<std::uint32_t>(random()));
    const auto before = table.evicted();
    std::set<IpAddress> bucket;  // before the client comes in
    hit(table, a, now);
    last[a] = now;
    if (table.evicted() == before) continue;
    const auto slot = table.slot_of(a);
    REQUIRE(slot);
    std::uint32_t oldest = now;
    for (std::size_t s = *slot / 8 * 8; s < *slot / 8 * 8 + 8; ++s)
      if (s != *slot) oldest = std::min(oldest, table.at(s)->last_hit);
    // Whoever went was silent for longer than all that are left.
    std::uint32_t gone = 0;
    for (const auto& [address, when] : last)
      if (when < oldest && !table.slot_of(address)) gone = std::max(gone, when);
    CHECK(gone < oldest);
    if (table.evicted() > 50) break;
  }
  CHECK(table.evicted() > 50);
  CHECK(table.used() + table.evicted() == last.size());
}

TEST_CASE("a client that replaced another counts from one") {
  ClientTable table{{}, kSecret};
  std::mt19937_64 random{12};
  while (table.evicted() == 0) {
    const auto a = IpAddress::v4(static_cast<std::uint32_t>(random()));
    hit(table, a, 5);
    hit(table, a, 6);
    const auto r = find(table, a);
    REQUIRE(r);
    CHECK(r->hits == 2);
  }
}

TEST_CASE("the interval is a moving average of log2 seconds") {
  ClientTable table{kSmall, kSecret};
  std::uint32_t now = 1;
  hit(table, client(1), now);
  CHECK(find(table, client(1))->interval == ClientRecord::kNoInterval);
  for (int i = 0; i < 20; ++i) hit(table, client(1), now += 64 * 16);
  CHECK(find(table, client(1))->interval == 6 * 4);
  for (int i = 0; i < 40; ++i) hit(table, client(1), now += 2 * 16);
  CHECK(find(table, client(1))->interval == 1 * 4);
  for (int i = 0; i < 40; ++i) hit(table, client(1), now);
  CHECK(find(table, client(1))->interval == -5 * 4);
}

TEST_CASE("a reader beside the writer sees whole records") {
  ClientTable table{{}, kSecret};
  std::atomic<bool> stop{false};
  // Everything in a record is tied to its address, so that a torn read shows. No IPv4 client comes twice.
  std::thread writer([&] {
    for (std::uint32_t now = 1; now < 150'000; ++now) {
      (void)table.admit(IpAddress::v4(now), now, kNoLimit, 0);
      IpAddress a;
      a.family = Family::ipv6;
      const std::uint64_t n = now * 0x9E37'79B9'7F4A'7C15U;
      std::memcpy(a.bytes.data(), &n, sizeof n);
      std::memcpy(a.bytes.data() + 8, &n, sizeof n);
      (void)table.admit(a, now, kNoLimit, 0);
    }
    stop = true;
  });
  int torn = 0;
  std::uint64_t seen = 0;
  do {  // once at least: the writer may be done before this thread has a CPU again
    for (std::size_t slot = 0; slot < table.slots(); ++slot) {
      const auto r = table.at(slot);
      if (!r) continue;
      ++seen;
      if (r->address.family == Family::ipv4)
        torn += r->last_hit != r->address.v4_host_order() || r->hits > 1;
      else
        torn += std::memcmp(r->address.bytes.data(), r->address.bytes.data() + 8, 8) != 0;
    }
  } while (!stop.load());
  writer.join();
  CHECK(torn == 0);
  CHECK(seen > 0);
}
