// SPDX-License-Identifier: BSD-3-Clause
// TSC cycles per request of server::answer + finish, by class of request: bursts of 32 synthetic frames, no
// driver. Writing the frames before each burst is not counted. "alone" rows answer one frame at a time: what
// a request costs whose cache misses overlap with nobody else's. Medians and spread:
// --benchmark_repetitions=9 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <algorithm>
#include <random>

#include "allocations.hpp"
#include "base/bytes.hpp"
#include "net/checksum.hpp"
#include "server/fixture.hpp"

using namespace wiretime;
using net::test::Bytes;
using net::test::Spec;

namespace {

constexpr std::size_t kSlot = 128;  // bytes a frame

struct Case {
  Spec spec;
  std::uint64_t clients = 64;  // distinct ones, in random order
  std::vector<std::byte> message = test::ntp_request();
  Verdict expected = Verdict::answered;
  bool allow = true;
  bool rate_limit = false;
  std::size_t burst = server::kBurstSize;
  unsigned prefixes = 1;  // rules in the access list besides the ones for everywhere
};

// One frame after the other, each from a random client, as a NIC would write them.
class Traffic {
 public:
  explicit Traffic(const Case& c)
      : clients_{c.clients},
        frame_{test::frame_with(c.spec, c.message)},
        ipv6_{c.spec.is_ipv6()},
        l3_{c.spec.l3()} {}

  void write(server::Frame& f, NtpTimestamp receive) {
    const std::size_t client = l3_ + (ipv6_ ? 8 + 12 : 12);
    std::memcpy(f.data, frame_.data(), frame_.size());
    const auto before = load_be32(f.data + client);
    const auto after = 0x0A00'0000U + static_cast<std::uint32_t>(random_() % clients_);
    store_be32(f.data + client, after);
    const auto fix = [&](std::size_t at) {
      const std::uint16_t sum = net::update_checksum32(load_be16(f.data + at), before, after);
      store_be16(f.data + at, sum == 0 ? std::uint16_t{0xFFFF} : sum);  // UDP's 0 would mean "none"
    };
    if (!ipv6_) fix(l3_ + 10);
    fix(l3_ + (ipv6_ ? 40 : 20) + 6);
    f.length = static_cast<std::uint32_t>(frame_.size());
    f.receive = receive;
  }

 private:
  std::mt19937_64 random_{1};
  std::uint64_t clients_;
  Bytes frame_;
  bool ipv6_;
  std::size_t l3_;
};

ntp::AccessList access_of(const Case& c) {
  ntp::AccessRules rules;
  rules.set_everywhere(c.allow, false);
  std::mt19937_64 random{2};
  for (unsigned i = 0; i < c.prefixes; ++i) {
    rules.set(*IpPrefix::of(IpAddress::v4(static_cast<std::uint32_t>(random())), 16 + i % 9), c.allow, false);
    auto six = net::test::ip("2001::");
    for (std::size_t b = 2; b < 6; ++b) six.bytes[b] = static_cast<std::uint8_t>(random());
    rules.set(*IpPrefix::of(six, 32 + i % 17), c.allow, false);
  }
  return ntp::AccessList{rules};
}

void run(benchmark::State& state, const Case& c) {
  test::Fixture fixture;
  fixture.tables.access = access_of(c);
  if (c.rate_limit) fixture.tables.rate_limit = ntp::RateLimit::of({});
  const ntp::ClientCapacity capacity{c.spec.is_ipv6() ? 0 : c.clients, c.spec.is_ipv6() ? c.clients : 0};
  const auto make_table = [&] {
    return std::make_unique<ntp::ClientTable>(capacity, std::array<std::uint64_t, 2>{3, 4});
  };
  fixture.state.clients = make_table();
  Traffic traffic{c};
  std::vector<std::byte> buffer(server::kBurstSize * kSlot);
  std::array<server::Frame, server::kBurstSize> frames;
  for (std::size_t i = 0; i < frames.size(); ++i) frames[i].data = buffer.data() + i * kSlot;
  const auto write_burst = [&] {
    for (server::Frame& f : frames) traffic.write(f, fixture.snapshot.anchor_time);
  };
  const auto answer_burst = [&] {
    for (std::span<server::Frame> left{frames}; !left.empty(); left = left.subspan(c.burst)) {
      server::answer(left.first(c.burst), fixture.snapshot, fixture.tables, fixture.ours, fixture.state);
      server::finish(left.first(c.burst), fixture.snapshot.anchor_time, fixture.snapshot, fixture.state);
    }
  };
  // The table as it is after a while: nearly every client known.
  for (std::uint64_t i = 0; i < 4 * c.clients / server::kBurstSize; ++i) {
    write_burst();
    answer_burst();
  }

  std::vector<std::uint32_t>
      cycles;  // of each burst; their median shrugs off what interrupts a shared machine
  cycles.reserve(1 << 22);
  std::uint64_t requests = 0;
  const std::size_t allocated = perf::allocations();
  for (auto _ : state) {
    write_burst();
    if (requests % 4096 == 0) fixture.snapshot.uptime += 16 * 64;  // nobody is over the limit for long
    const auto start = __rdtsc();
    answer_burst();
    const auto end = __rdtsc();
    if (cycles.size() < cycles.capacity()) cycles.push_back(static_cast<std::uint32_t>(end - start));
    requests += frames.size();
    if (frames[0].verdict != c.expected) return state.SkipWithError("unexpected verdict");
  }
  if (perf::allocations() != allocated) return state.SkipWithError("the hot path allocates memory");
  const auto middle = cycles.begin() + static_cast<std::ptrdiff_t>(cycles.size() / 2);
  std::nth_element(cycles.begin(), middle, cycles.end());
  state.counters["cycles/request"] = static_cast<double>(*middle) / static_cast<double>(frames.size());
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
Case routed(Case c) {
  c.prefixes = 200'000;
  return c;
}
Case vlan() {
  Case c = plain(k64K);
  c.spec = tagged();
  return c;
}
Case denied(Case c) {
  c.allow = false;
  c.expected = Verdict::denied;
  return c;
}
Case malformed() {
  Case c;
  c.message = test::ntp_request(4, 4);
  c.expected = Verdict::ntp_mode_response;
  return c;
}

BENCHMARK_CAPTURE(run, plain_64, plain(64));
BENCHMARK_CAPTURE(run, plain_64K, plain(k64K));
BENCHMARK_CAPTURE(run, plain_1M, plain(k1M));
BENCHMARK_CAPTURE(run, plain_16M, plain(k16M));
BENCHMARK_CAPTURE(run, limited_1M, limited(plain(k1M)));
BENCHMARK_CAPTURE(run, full_routing_table_1M, routed(plain(k1M)));
BENCHMARK_CAPTURE(run, alone_64K, alone(plain(k64K)));
BENCHMARK_CAPTURE(run, alone_1M, alone(plain(k1M)));
BENCHMARK_CAPTURE(run, ipv6_64K, ipv6(k64K));
BENCHMARK_CAPTURE(run, ipv6_1M, ipv6(k1M));
BENCHMARK_CAPTURE(run, ipv6_full_routing_table_1M, routed(ipv6(k1M)));
BENCHMARK_CAPTURE(run, vlan_64K, vlan());
BENCHMARK_CAPTURE(run, denied, denied(plain(k64K)));
BENCHMARK_CAPTURE(run, denied_ipv6, denied(ipv6(k64K)));
BENCHMARK_CAPTURE(run, malformed, malformed());

}  // namespace

BENCHMARK_MAIN();
