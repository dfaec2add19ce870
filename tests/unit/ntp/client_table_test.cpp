// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/client_table.hpp"

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::ntp;

namespace {

constexpr std::array<std::uint64_t, 2> kSecret{0x1234'5678'9ABC'DEF0U, 42};
IpAddress client(std::uint32_t n) {
  return IpAddress::v4(0x0A00'0000U + n);
}

std::size_t listed(const ClientTable& table) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < table.capacity(); ++i) n += table.at(i).has_value();
  return n;
}

}  // namespace

TEST_CASE("each client is listed once with its true count") {
  ClientTable table{4096, kSecret};
  std::map<IpAddress, std::uint32_t> truth;
  std::mt19937_64 random{1};
  for (int i = 0; i < 20'000; ++i) {
    auto a = client(static_cast<std::uint32_t>(random() % 500));
    if (i % 3 == 0) a = *IpAddress::parse(("2001:db8::" + std::to_string(random() % 500)).c_str());
    table.record_hit(a, ClientService::ntp, static_cast<std::uint32_t>(i + 1));
    ++truth[a];
  }
  REQUIRE(table.evicted() == 0);
  CHECK(table.used() == truth.size());
  std::size_t seen = 0;
  for (std::size_t slot = 0; slot < table.capacity(); ++slot) {
    const auto r = table.at(slot);
    if (!r) continue;
    ++seen;
    CHECK(r->ntp.hits == truth.at(r->address));
    CHECK(r->command.hits == 0);
    CHECK(table.find(r->address)->ntp == r->ntp);
  }
  CHECK(seen == truth.size());
}

TEST_CASE("an IPv4 address and the IPv6 address with the same bytes are two clients") {
  ClientTable table{64, kSecret};
  IpAddress six = client(7);
  six.family = Family::ipv6;
  table.record_hit(client(7), ClientService::ntp, 1);
  table.record_hit(six, ClientService::ntp, 1);
  CHECK(listed(table) == 2);
}

TEST_CASE("clients spread over the buckets whatever the secret") {
  for (const auto& secret :
       {std::array<std::uint64_t, 2>{0, 0}, std::array<std::uint64_t, 2>{1, 2}, kSecret}) {
    ClientTable table{4096, secret};
    for (std::uint32_t i = 0; i < 1024; ++i) table.record_hit(client(i), ClientService::ntp, 1);
    CHECK(table.evicted() == 0);
  }
}

TEST_CASE("a full bucket gives up its longest silent client and counts that") {
  ClientTable table{8, kSecret};
  for (std::uint32_t i = 0; i < 8; ++i) table.record_hit(client(i), ClientService::ntp, 100 + i);
  table.record_hit(client(0), ClientService::ntp, 200);
  table.record_hit(client(99), ClientService::ntp, 201);
  CHECK(table.evicted() == 1);
  CHECK(table.used() == 8);
  CHECK(table.find(client(0)));
  CHECK_FALSE(table.find(client(1)));
  CHECK(table.find(client(99))->ntp.hits == 1);
}

TEST_CASE("the interval is a moving average of log2 seconds") {
  ClientTable table{64, kSecret};
  std::uint32_t now = 1;
  table.record_hit(client(1), ClientService::ntp, now);
  CHECK(table.find(client(1))->ntp.interval == ClientRecord::kNoInterval);
  for (int i = 0; i < 20; ++i) table.record_hit(client(1), ClientService::ntp, now += 64 * 16);
  CHECK(table.find(client(1))->ntp.interval == 6 * 4);
  for (int i = 0; i < 40; ++i) table.record_hit(client(1), ClientService::ntp, now += 2 * 16);
  CHECK(table.find(client(1))->ntp.interval == 1 * 4);
  for (int i = 0; i < 40; ++i) table.record_hit(client(1), ClientService::ntp, now);
  CHECK(table.find(client(1))->ntp.interval == -5 * 4);
}

TEST_CASE("NTP and command use are kept apart") {
  ClientTable table{64, kSecret};
  table.record_hit(client(1), ClientService::command, 5);
  table.record_drop(client(1), ClientService::command, 6);
  table.record_hit(client(1), ClientService::ntp, 7);
  const auto r = table.find(client(1));
  REQUIRE(r);
  CHECK(r->command.hits == 1);
  CHECK(r->command.drops == 1);
  CHECK(r->ntp.hits == 1);
  CHECK(r->ntp.drops == 0);
}

TEST_CASE("a reset reads as zero at once and counts again from the next hit") {
  ClientTable table{64, kSecret};
  for (std::uint32_t i = 1; i < 6; ++i) table.record_hit(client(1), ClientService::ntp, i);
  for (std::size_t slot = 0; slot < table.capacity(); ++slot)
    if (table.at(slot)) table.request_reset(slot);
  CHECK(table.find(client(1))->ntp.hits == 0);
  table.record_hit(client(1), ClientService::ntp, 10);
  CHECK(table.find(client(1))->ntp.hits == 1);
}

TEST_CASE("a reader beside the writer sees whole records") {
  ClientTable table{64, kSecret};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    std::mt19937_64 random{9};
    std::uint32_t now = 1;
    for (int i = 0; i < 200'000; ++i) {
      // Both halves of the address are tied together, so that a torn read shows.
      IpAddress a;
      a.family = Family::ipv6;
      const auto n = static_cast<std::uint8_t>(random() % 200);
      a.bytes.fill(n);
      table.record_hit(a, ClientService::ntp, ++now);
    }
    stop = true;
  });
  int torn = 0;
  while (!stop.load()) {
    for (std::size_t slot = 0; slot < table.capacity(); ++slot) {
      const auto r = table.at(slot);
      if (r) torn += r->address.bytes[0] != r->address.bytes[15];
    }
    table.request_reset(3);
  }
  writer.join();
  CHECK(torn == 0);
  CHECK(table.used() == 64);
}
