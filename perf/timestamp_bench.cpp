// SPDX-License-Identifier: BSD-3-Clause
// What timestamps add to a request: rows of burst_bench where each client asks once a round. "plain" asks in
// basic mode; "stamped" has the NIC's receive stamp of each frame judged and told in NTP time, as a worker
// does; "interleaved" has every client in interleaved mode, each request with the origin of the reply before.
// Rows of one number of clients compare: they differ in nothing else. Not in them: on the plain transmit rung
// a worker remembers such replies once more when the driver has taken them.
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <cstring>

#include "allocations.hpp"
#include "base/bytes.hpp"
#include "dpdk/receive_time.hpp"
#include "measure.hpp"
#include "net/checksum.hpp"
#include "net/plain_frame.hpp"
#include "server/fixture.hpp"

using namespace wiretime;
using net::test::Spec;

namespace {

struct Case {
  std::uint64_t clients;
  bool stamped = false;
  bool interleaved = false;
};

constexpr std::uint64_t kGap = 100;       // ticks from request to request; of the TSC and the NIC's clock
constexpr std::uint64_t kWaited = 2'000;  // ticks that a frame was in a queue for

// A NIC's clock that counts as the TSC does, and time that goes with both: 2^-32 s a tick.
class Server {
 public:
  explicit Server(const Case& c) {
    fixture.state.clients = perf::table_for({c.clients, 0});
    fixture.tables.access = [] {
      ntp::AccessRules rules;
      rules.set_everywhere(true, false);
      return ntp::AccessList{rules};
    }();
    fixture.snapshot.precision = -32;
    fixture.snapshot.rate = std::uint64_t{1} << clock::TimeSnapshot::kRateShift;
    fixture.snapshot.anchor_ticks = {std::uint64_t{1} << 40};
    clock::NicSnapshot map;
    map.anchor_nic = std::uint64_t{1} << 50;
    map.anchor_ticks = fixture.snapshot.anchor_ticks;
    map.rate = std::uint64_t{1} << clock::NicSnapshot::kRateShift;
    map.expires = {~std::uint64_t{0} >> 1};
    map.oldest = 50'000'000;
    map.newest = 100'000;
    map.wire_rate = 1 << 16;
    nic.store(map);
    path.nic_stamps.clock = &nic;
    path.nic_stamps.field = offsetof(rte_mbuf, dynfield1);
    path.nic_stamps.flag = std::uint64_t{1} << 23;
  }

  // The TSC now, and what the NIC's clock shows then.
  [[nodiscard]] Ticks now() const { return {fixture.snapshot.anchor_ticks.value + since_anchor}; }
  [[nodiscard]] std::uint64_t nic_now() const { return (std::uint64_t{1} << 50) + since_anchor; }

  test::Fixture fixture;
  Seqlock<clock::NicSnapshot> nic;
  dpdk::ClockOffsets offsets;
  dpdk::ReceivePath path;
  std::uint64_t since_anchor = 0;
};

class Rounds {
 public:
  explicit Rounds(const Case& c)
      : case_{c}, told_(c.clients, 1), frame_{test::frame_with(Spec{}, test::ntp_request())} {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      frames[i].data = buffer_.data() + i * kSlot;
      mbufs[i].ol_flags = std::uint64_t{1} << 23;
      handles[i] = &mbufs[i];
    }
  }

  // Requests of the next clients, here by server.now().
  void write(Server& server) {
    server.since_anchor += kWaited;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      server.since_anchor += kGap;
      write(frames[i].data, first_ + i);
      frames[i].length = mbufs[i].pkt_len = static_cast<std::uint32_t>(frame_.size());
      frames[i].receive = server.fixture.snapshot.time_at(server.now());
      const std::uint64_t stamp = server.nic_now();
      std::memcpy(reinterpret_cast<std::byte*>(&mbufs[i]) + server.path.nic_stamps.field, &stamp,
                  sizeof stamp);
    }
    server.since_anchor += kWaited;
  }
  // After the replies: what their clients will have for an origin.
  void read() {
    for (std::size_t i = 0; i < frames.size(); ++i)
      told_[first_ + i] = ntp::timestamp(payload(frames[i].data), ntp::offset::kReceive).value;
    first_ = (first_ + frames.size()) % case_.clients;
  }

  std::array<server::Frame, server::kBurstSize> frames;
  std::array<rte_mbuf, server::kBurstSize> mbufs{};
  std::array<rte_mbuf*, server::kBurstSize> handles{};

 private:
  static constexpr std::size_t kSlot = 128;  // bytes a frame
  static constexpr std::size_t kIp = net::ethernet::kHeaderSize;
  static constexpr std::uint32_t kFirstClient = 0x0A00'0000;

  [[nodiscard]] static std::byte* payload(std::byte* frame) {
    return frame + kIp + net::ipv4::kHeaderSize + net::udp::kHeaderSize;
  }

  void write(std::byte* frame, std::uint64_t client) {
    std::memcpy(frame, frame_.data(), frame_.size());
    std::byte* const ip = frame + kIp;
    const std::uint32_t before = load_be32(ip + net::ipv4::kSource);
    const std::uint32_t address = kFirstClient + static_cast<std::uint32_t>(client);
    store_be32(ip + net::ipv4::kSource, address);
    store_be16(ip + net::ipv4::kChecksum,
               net::update_checksum32(load_be16(ip + net::ipv4::kChecksum), before, address));
    std::byte* const message = payload(frame);
    if (case_.interleaved) {
      store_be64(message + ntp::offset::kOrigin, told_[client]);
      store_be64(message + ntp::offset::kReceive, told_[client] + client);
    }
    store_be16(message - net::udp::kHeaderSize + net::udp::kChecksum, 0);
    net::finish_plain_checksum<net::PlainIpv4, ntp::kHeaderLength>(message - net::udp::kHeaderSize);
  }

  Case case_;
  std::vector<std::uint64_t> told_;  // by client: the receive timestamp of the reply before
  net::test::Bytes frame_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(server::kBurstSize * kSlot);
  std::uint64_t first_ = 0;
};

void answer(Server& s, Rounds& rounds, bool stamped) {
  test::Fixture& f = s.fixture;
  if (stamped) {
    dpdk::ReceiveBurst burst{s.path, s.now(), f.snapshot, s.offsets, f.state};
    std::array<server::Stamp, server::kBurstSize> by;
    burst.arrivals(rounds.handles, rounds.frames.data(), by.data());
  }
  server::answer(rounds.frames, f.snapshot, f.tables, f.ours, f.state);
  server::finish(rounds.frames, f.snapshot.time_at({s.now().value + kWaited}), f.snapshot, f.state);
}

void timestamps(benchmark::State& state, const Case& c) {
  Server server{c};
  Rounds rounds{c};
  const auto interleaved = [&] { return server.fixture.state.features.get(server::Feature::interleaved); };
  for (std::uint64_t i = 0; i < 2 * c.clients / server::kBurstSize; ++i) {
    rounds.write(server);
    answer(server, rounds, c.stamped);
    rounds.read();
  }
  perf::Cycles cycles;
  std::uint64_t requests = 0;
  const std::uint64_t before = interleaved();
  const std::size_t allocated = perf::allocations();
  for (auto _ : state) {
    rounds.write(server);
    const auto start = __rdtsc();
    answer(server, rounds, c.stamped);
    cycles.add(__rdtsc() - start);
    rounds.read();
    requests += rounds.frames.size();
    if (rounds.frames[0].verdict != Verdict::answered) return state.SkipWithError("unexpected verdict");
  }
  const double share = static_cast<double>(interleaved() - before) / static_cast<double>(requests);
  if (perf::allocations() != allocated) return state.SkipWithError("the hot path allocates memory");
  if (c.interleaved ? share < 0.99 : share > 0) return state.SkipWithError("not the mode that was asked for");
  if (c.stamped && server.fixture.state.nic_stamps.get(clock::StampVerdict::good) < requests)
    return state.SkipWithError("the NIC's stamps were refused");
  cycles.report(state);
  state.counters["interleaved"] = share;
}

constexpr std::uint64_t k1K = 1 << 10;  // in the first cache: what it takes but for memory
constexpr std::uint64_t k64K = 1 << 16;
constexpr std::uint64_t k1M = 1 << 20;
constexpr int kBursts = 30'000;

BENCHMARK_CAPTURE(timestamps, plain_1K, Case{k1K})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, stamped_1K, Case{k1K, true})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, interleaved_1K, Case{k1K, false, true})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, stamped_interleaved_1K, Case{k1K, true, true})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, plain_64K, Case{k64K})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, stamped_64K, Case{k64K, true})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, interleaved_64K, Case{k64K, false, true})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, stamped_interleaved_64K, Case{k64K, true, true})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, plain_1M, Case{k1M})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, stamped_1M, Case{k1M, true})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, interleaved_1M, Case{k1M, false, true})->Iterations(kBursts);
BENCHMARK_CAPTURE(timestamps, stamped_interleaved_1M, Case{k1M, true, true})->Iterations(kBursts);

}  // namespace
