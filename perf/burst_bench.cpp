// SPDX-License-Identifier: BSD-3-Clause
// TSC cycles per request of server::answer + finish, by class of request: bursts of 32 synthetic frames, no
// driver. Restoring the frames before each burst is not counted.
// Medians and spread: --benchmark_repetitions=9 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <random>

#include "ntp/keys.hpp"
#include "ntp/mac.hpp"
#include "server/fixture.hpp"

using namespace wiretime;
using net::test::Bytes;
using net::test::Spec;

namespace {

constexpr std::size_t kSlot = 128;  // bytes a frame

// As many frames as clients, up to a bound that keeps the frames themselves in cache.
struct Traffic {
  Traffic(const Spec& base, std::size_t clients, const std::vector<std::byte>& message) {
    std::mt19937_64 random{1};
    for (std::size_t i = 0; i < 64 * server::kBurstSize; ++i) {
      Spec spec = base;
      const auto n = static_cast<std::uint32_t>(random() % clients);
      if (!spec.is_ipv6()) {
        spec.from = IpAddress::v4(0x0A00'0000U + n);
      } else {
        for (unsigned b = 0; b < 4; ++b)
          spec.from.bytes[12 + b] = static_cast<std::uint8_t>(n >> (24 - 8 * b));
      }
      frames.push_back(test::frame_with(spec, message));
    }
    buffer.resize(server::kBurstSize * kSlot);
  }

  void restore(std::span<server::Frame> burst, NtpTimestamp receive) {
    for (server::Frame& f : burst) {
      const Bytes& from = frames[next];
      next = (next + 1) % frames.size();
      std::memcpy(f.data, from.data(), from.size());
      f.length = static_cast<std::uint32_t>(from.size());
      f.receive = receive;
    }
  }

  std::vector<Bytes> frames;
  std::vector<std::byte> buffer;
  std::size_t next = 0;
};

void run(benchmark::State& state, const Spec& spec, std::size_t clients,
         const std::vector<std::byte>& message, Verdict expected, bool allow = true) {
  test::Fixture fixture;
  ntp::AccessRules rules;
  rules.set_everywhere(allow, false);
  rules.set(*IpPrefix::of(net::test::ip("172.16.0.0"), 12), false, false);
  fixture.tables.access = ntp::AccessList{rules};
  fixture.tables.keys = ntp::KeyTable{test::key_of_every_type()};
  fixture.state.clients = std::make_unique<ntp::ClientTable>(2 * clients, std::array<std::uint64_t, 2>{3, 4});
  Traffic traffic{spec, clients, message};
  std::array<server::Frame, server::kBurstSize> burst;
  for (std::size_t i = 0; i < burst.size(); ++i) burst[i].data = traffic.buffer.data() + i * kSlot;

  std::uint64_t cycles = 0;
  std::uint64_t requests = 0;
  for (auto _ : state) {
    traffic.restore(burst, fixture.snapshot.anchor_time);
    const auto start = __rdtsc();
    server::answer(burst, fixture.snapshot, fixture.tables, fixture.ours, fixture.state);
    server::finish(burst, fixture.snapshot.anchor_time, fixture.snapshot, fixture.state);
    cycles += __rdtsc() - start;
    requests += burst.size();
    if (burst[0].verdict != expected) return state.SkipWithError("unexpected verdict");
  }
  state.counters["cycles/request"] = static_cast<double>(cycles) / static_cast<double>(requests);
  state.SetItemsProcessed(static_cast<std::int64_t>(requests));
}

Spec tagged() {
  Spec s;
  s.tags = {{0x8100, 7}};
  return s;
}

std::vector<std::byte> authenticated(ntp::KeyType type) {
  const ntp::KeyTable keys{test::key_of_every_type()};
  auto message = test::ntp_request();
  message.resize(48 + ntp::kMaxMacLengthV4);
  message.resize(ntp::write_mac(*keys.find(static_cast<std::uint32_t>(type)), message, 48));
  return message;
}

BENCHMARK_CAPTURE(run, plain_64, Spec{}, 64, test::ntp_request(), Verdict::answered);
BENCHMARK_CAPTURE(run, plain_2k, Spec{}, 2048, test::ntp_request(), Verdict::answered);
BENCHMARK_CAPTURE(run, ipv6_2k, net::test::ipv6_spec(), 2048, test::ntp_request(), Verdict::answered);
BENCHMARK_CAPTURE(run, vlan_2k, tagged(), 2048, test::ntp_request(), Verdict::answered);
BENCHMARK_CAPTURE(run, md5_2k, Spec{}, 2048, authenticated(ntp::KeyType::md5), Verdict::answered);
BENCHMARK_CAPTURE(run, sha1_2k, Spec{}, 2048, authenticated(ntp::KeyType::sha1), Verdict::answered);
BENCHMARK_CAPTURE(run, aes128_2k, Spec{}, 2048, authenticated(ntp::KeyType::aes128), Verdict::answered);
BENCHMARK_CAPTURE(run, denied, Spec{}, 2048, test::ntp_request(), Verdict::denied, false);
BENCHMARK_CAPTURE(run, malformed, Spec{}, 2048, test::ntp_request(4, 4), Verdict::ntp_mode_response);

}  // namespace

BENCHMARK_MAIN();
