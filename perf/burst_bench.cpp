// SPDX-License-Identifier: BSD-3-Clause
// TSC cycles per request of server::answer + finish, by class of request: bursts of 32 synthetic frames, no
// driver. Writing the frames before each burst is not counted. "floor" swaps MAC and IP addresses and ports
// and does no more: what a machine takes for a reflector. "alone" rows answer one frame at a time: what a
// request costs whose cache misses overlap with nobody else's. "table" rows are the client log alone, with
// its lines fetched ahead and without. Counters: the median burst, and the tenth percentile, which a busy
// machine disturbs less. Spread over runs: --benchmark_repetitions=9 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <algorithm>
#include <bit>
#include <random>

#include "allocations.hpp"
#include "base/bytes.hpp"
#include "measure.hpp"
#include "net/checksum.hpp"
#include "net/plain_frame.hpp"
#include "routing_table.hpp"
#include "server/fixture.hpp"

using namespace wiretime;
using net::test::Bytes;
using net::test::Spec;
using perf::Cycles;
using perf::table_for;

namespace {

constexpr std::size_t kSlot = 128;  // bytes a frame

struct Case {
  Spec spec;
  std::uint64_t clients = 64;  // distinct ones, in random order
  std::vector<std::byte> message = test::ntp_request();
  std::vector<Verdict> expected = {Verdict::answered};
  bool allow = true;
  bool rate_limit = false;
  bool over_limit = false;
  std::uint64_t room = 0;  // clients that the table has room for; 0: for all
  std::size_t burst = server::kBurstSize;
  bool routed = false;  // the access list is a full routing table, and the clients are all over it
};

// Half of the prefixes of a full table denied, or all of what a case denies.
ntp::AccessRules rules_of(const Case& c) {
  ntp::AccessRules rules;
  rules.set_everywhere(c.allow, false);
  if (c.routed) rules.apply(perf::routing_table({}));
  return rules;
}

// Where there are routes, and allowed.
std::vector<IpAddress> routed_clients(const Case& c) {
  const ntp::AccessList list{rules_of(c)};
  const auto routes = perf::routing_table({});
  const Family family = c.spec.from.family;
  std::mt19937_64 random{3};
  std::vector<IpAddress> clients;
  while (clients.size() < c.clients) {
    const IpPrefix& route = routes[random() % routes.size()].prefix;
    if (route.address.family != family) continue;
    IpAddress a = route.address;
    for (std::size_t b = (route.length + 7) / 8; b < a.bit_length() / 8; ++b)
      a.bytes[b] = static_cast<std::uint8_t>(random());
    if (list.allows(a) && !a.is_loopback()) clients.push_back(a);
  }
  return clients;
}

// One frame after the other, each from a random client, as a NIC would write them.
class Traffic {
 public:
  explicit Traffic(const Case& c)
      : clients_{c.clients},
        frame_{test::frame_with(c.spec, c.message)},
        ipv6_{c.spec.is_ipv6()},
        l3_{c.spec.l3()} {
    if (c.routed) routed_ = routed_clients(c);
  }

  void write(server::Frame& f, NtpTimestamp receive) {
    std::memcpy(f.data, frame_.data(), frame_.size());
    const std::size_t address = l3_ + (ipv6_ ? 8 : 12);
    if (routed_.empty()) {
      set32(f.data, address + (ipv6_ ? 12 : 0),
            0x0A00'0000U + static_cast<std::uint32_t>(random_() % clients_));
    } else {
      const IpAddress& client = routed_[random_() % clients_];
      for (std::size_t i = 0; i < (ipv6_ ? 16 : 4); i += 4)
        set32(f.data, address + i, load_be32(reinterpret_cast<const std::byte*>(client.bytes.data()) + i));
    }
    f.length = static_cast<std::uint32_t>(frame_.size());
    f.receive = receive;
  }

 private:
  // Four bytes of the source address, and the checksums.
  void set32(std::byte* frame, std::size_t at, std::uint32_t after) const {
    const std::uint32_t before = load_be32(frame + at);
    store_be32(frame + at, after);
    const auto fix = [&](std::size_t sum_at) {
      store_be16(frame + sum_at,
                 net::udp_checksum(net::update_checksum32(load_be16(frame + sum_at), before, after)));
    };
    if (!ipv6_) fix(l3_ + 10);
    fix(l3_ + (ipv6_ ? 40 : 20) + 6);
  }

  std::mt19937_64 random_{1};
  std::vector<IpAddress> routed_;
  std::uint64_t clients_;
  Bytes frame_;
  bool ipv6_;
  std::size_t l3_;
};

class Burst {
 public:
  explicit Burst(const Case& c) : traffic_{c} {
    for (std::size_t i = 0; i < frames.size(); ++i) frames[i].data = buffer_.data() + i * kSlot;
  }
  void write(NtpTimestamp receive) {
    for (server::Frame& f : frames) traffic_.write(f, receive);
  }
  std::array<server::Frame, server::kBurstSize> frames;

 private:
  Traffic traffic_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(server::kBurstSize * kSlot);
};

void run(benchmark::State& state, const Case& c) {
  test::Fixture fixture;
  fixture.tables.access = ntp::AccessList{rules_of(c)};
  if (c.rate_limit) fixture.tables.rate_limit = ntp::RateLimit::of({});
  const std::uint64_t room = c.room != 0 ? c.room : c.clients;
  fixture.state.clients = table_for({c.spec.is_ipv6() ? 0 : room, c.spec.is_ipv6() ? room : 0});
  Burst burst{c};
  const auto answer_burst = [&] {
    for (std::span<server::Frame> left{burst.frames}; !left.empty(); left = left.subspan(c.burst)) {
      server::answer(left.first(c.burst), fixture.snapshot, fixture.tables, fixture.ours, fixture.state);
      server::finish(left.first(c.burst), fixture.snapshot.anchor_time, fixture.snapshot, fixture.state);
    }
  };
  // The table as it is after a while: nearly every client known, or full of others.
  for (std::uint64_t i = 0; i < 4 * room / server::kBurstSize; ++i) {
    burst.write(fixture.snapshot.anchor_time);
    answer_burst();
  }

  Cycles cycles;
  std::uint64_t requests = 0;
  const std::size_t allocated = perf::allocations();
  for (auto _ : state) {
    burst.write(fixture.snapshot.anchor_time);
    // Nobody is over the limit for long.
    if (requests % 4096 == 0 && !c.over_limit) fixture.snapshot.uptime += 16 * 64;
    const auto start = __rdtsc();
    answer_burst();
    cycles.add(__rdtsc() - start);
    requests += burst.frames.size();
    if (std::count(c.expected.begin(), c.expected.end(), burst.frames[0].verdict) == 0)
      return state.SkipWithError("unexpected verdict");
  }
  if (perf::allocations() != allocated) return state.SkipWithError("the hot path allocates memory");
  cycles.report(state);
}

void reflector_floor(benchmark::State& state) {
  Burst burst{Case{}};
  const std::size_t ip = Spec{}.l3();
  Cycles cycles;
  for (auto _ : state) {
    burst.write({});
    const auto start = __rdtsc();
    for (const server::Frame& f : burst.frames) {
      std::byte* const addresses = f.data + ip + net::ipv4::kSource;
      net::swap_macs(f.data);
      store_raw(addresses, std::rotl(load_raw<std::uint64_t>(addresses), 32));
      store_raw(addresses + 8, std::rotl(load_raw<std::uint32_t>(addresses + 8), 16));
    }
    benchmark::ClobberMemory();
    cycles.add(__rdtsc() - start);
  }
  cycles.report(state);
}

void table(benchmark::State& state, std::uint64_t clients, bool prefetch) {
  const auto log = table_for({clients, 0});
  std::mt19937_64 random{1};
  std::array<std::uint32_t, server::kBurstSize> addresses;
  ntp::ClientTable::Batch batch;
  std::uint64_t dice = 1;
  const ntp::RateLimit limit;
  const auto admit_burst = [&](std::uint32_t uptime) {
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      batch.places[i] = log->place_v4(addresses[i]);
      if (prefetch) ntp::ClientTable::prefetch(batch.places[i]);
    }
    const std::size_t known = log->admit_known(batch, addresses.size(), uptime, limit, dice);
    log->admit_rest(batch, addresses.size(), known, uptime, limit, dice);
  };
  const auto choose = [&] {
    for (auto& a : addresses) a = 0x0A00'0000U + static_cast<std::uint32_t>(random() % clients);
  };
  for (std::uint64_t i = 0; i < 4 * clients / addresses.size(); ++i) {
    choose();
    admit_burst(1);
  }
  Cycles cycles;
  std::uint32_t uptime = 16;
  for (auto _ : state) {
    choose();
    const auto start = __rdtsc();
    admit_burst(uptime++ / 128);
    cycles.add(__rdtsc() - start);
  }
  cycles.report(state);
}

Spec tagged() {
  Spec s;
  s.tags = {{0x8100, 7}};
  return s;
}

constexpr std::uint64_t k64K = 1 << 16;
constexpr std::uint64_t k1M = 1 << 20;
constexpr std::uint64_t k16M = 1 << 24;

Case plain(std::uint64_t clients) {
  Case c;
  c.clients = clients;
  return c;
}
Case ipv6(std::uint64_t clients) {
  Case c = plain(clients);
  c.spec = net::test::ipv6_spec();
  return c;
}
Case alone(Case c) {
  c.burst = 1;
  return c;
}
Case limited(Case c) {
  c.rate_limit = true;
  return c;
}
Case over_limit(Case c) {
  c = limited(std::move(c));
  c.over_limit = true;
  c.expected = {Verdict::rate_limited, Verdict::answered};
  return c;
}
// Spoofed sources: hardly any comes twice.
Case flood(Case c) {
  c.room = c.clients;
  c.clients = 0x7F00'0000 - 0x0A00'0000;  // all below the loopback network
  return c;
}
Case routed(Case c) {
  c.routed = true;
  return c;
}
Case vlan() {
  Case c = plain(k64K);
  c.spec = tagged();
  return c;
}
Case denied(Case c) {
  c.allow = false;
  c.expected = {Verdict::denied};
  return c;
}
Case malformed() {
  Case c;
  c.message = test::ntp_request(4, 4);
  c.expected = {Verdict::ntp_mode_response};
  return c;
}

// Fixed, so that a large table is filled once.
constexpr int kBursts = 30'000;

BENCHMARK(reflector_floor)->Iterations(kBursts);
BENCHMARK_CAPTURE(run, plain_64, plain(64))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, plain_64K, plain(k64K))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, plain_1M, plain(k1M))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, plain_16M, plain(k16M))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, limited_1M, limited(plain(k1M)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, over_limit_64, over_limit(plain(64)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, new_clients_64K, flood(plain(k64K)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, new_clients_1M, flood(plain(k1M)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, full_routing_table_1M, routed(plain(k1M)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, alone_64K, alone(plain(k64K)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, alone_1M, alone(plain(k1M)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, ipv6_64K, ipv6(k64K))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, ipv6_1M, ipv6(k1M))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, ipv6_full_routing_table_1M, routed(ipv6(k1M)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, vlan_64K, vlan())->Iterations(kBursts);
BENCHMARK_CAPTURE(run, denied, denied(plain(k64K)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, denied_ipv6, denied(ipv6(k64K)))->Iterations(kBursts);
BENCHMARK_CAPTURE(run, malformed, malformed())->Iterations(kBursts);
BENCHMARK_CAPTURE(table, 64K_prefetched, k64K, true)->Iterations(kBursts);
BENCHMARK_CAPTURE(table, 64K_not_prefetched, k64K, false)->Iterations(kBursts);
BENCHMARK_CAPTURE(table, 1M_prefetched, k1M, true)->Iterations(kBursts);
BENCHMARK_CAPTURE(table, 1M_not_prefetched, k1M, false)->Iterations(kBursts);
BENCHMARK_CAPTURE(table, 16M_prefetched, k16M, true)->Iterations(kBursts);
BENCHMARK_CAPTURE(table, 16M_not_prefetched, k16M, false)->Iterations(kBursts);

}  // namespace

BENCHMARK_MAIN();
