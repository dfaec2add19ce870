// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/worker.hpp"

#include <rte_launch.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "dpdk/interrupt_gate.hpp"
#include "ring_port.hpp"

using namespace wiretime;
using dpdk::test::Bytes;
using dpdk::test::Serving;
using net::test::checksums_right;
using net::test::ipv6_spec;
using net::test::Spec;
using test::frame_with;
using test::ntp_request;

namespace {

Spec qinq() {
  Spec s;
  s.tags = {{0x88A8, 100}, {0x8100, 7}};
  return s;
}

// The request's sender, as a reply must address it.
bool goes_back(const Bytes& reply, const Bytes& request) {
  return std::equal(reply.begin(), reply.begin() + 6, request.begin() + 6) &&
         std::equal(reply.begin() + 6, reply.begin() + 12, request.begin());
}

}  // namespace

TEST_CASE("a worker answers requests of both families, tagged or not, in one walk") {
  Serving s{"answers"};
  s.start();
  std::vector<Spec> specs{Spec{}, ipv6_spec(), qinq()};
  std::vector<Bytes> requests;
  for (const Spec& spec : specs) s.port.give(requests.emplace_back(frame_with(spec, ntp_request())));

  CHECK(s.worker.walk() == 3);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto reply = s.port.take();
    REQUIRE(reply);
    CHECK(goes_back(*reply, requests[i]));
    CHECK(checksums_right(*reply, specs[i].l3(), 56));
    CHECK(ntp::mode(reply->data() + specs[i].l4() + 8) == ntp::Mode::server);
  }
  CHECK(s.count(Verdict::answered) == 3);
  CHECK(s.count(server::Stamp::receive_daemon) == 3);
  CHECK(s.count(server::Stamp::transmit_daemon) == 3);
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("what is no request is counted, freed and not answered") {
  Serving s{"refuses"};
  s.start();
  Spec denied;
  denied.from = net::test::ip("192.0.2.66");
  Spec elsewhere;
  elsewhere.to = net::test::ip("192.0.2.77");
  s.port.give(frame_with(denied, ntp_request()));
  s.port.give(frame_with(elsewhere, ntp_request()));
  s.port.give(frame_with({}, ntp_request(4, 6)));
  s.port.give(frame_with({}, ntp_request()));  // among them one that is
  s.port.give(Bytes(9));

  CHECK(s.worker.walk() == 5);
  CHECK(s.port.take());
  CHECK_FALSE(s.port.take());
  CHECK(s.count(Verdict::denied) == 1);
  CHECK(s.count(Verdict::not_our_address) == 1);
  CHECK(s.count(Verdict::ntp_mode_control) == 1);
  CHECK(s.count(Verdict::frame_truncated) == 1);
  CHECK(s.count(Verdict::answered) == 1);
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("more frames than a burst take several walks") {
  Serving s{"bursts"};
  s.start();
  for (unsigned i = 0; i < 50; ++i) s.port.give(frame_with({}, ntp_request()));
  CHECK(s.worker.walk() == server::kBurstSize);
  CHECK(s.worker.walk() == 50 - server::kBurstSize);
  CHECK(s.worker.walk() == 0);
  CHECK(s.count(Verdict::answered) == 50);
}

TEST_CASE("answers that do not fit the transmit queue are counted as failed and freed") {
  Serving s{"full", 8};  // room for seven
  s.start();
  for (unsigned i = 0; i < 10; ++i) s.port.give(frame_with({}, ntp_request()));
  CHECK(s.worker.walk() == 10);
  CHECK(s.count(Verdict::answered) == 7);
  CHECK(s.count(Verdict::transmit_failed) == 3);
  CHECK(s.count(server::Stamp::transmit_daemon) == 7);
  while (s.port.take()) {
  }
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("answers to a process that is late wait for it") {
  Serving s{"late", 8};
  s.queue = s.port.queue(s.fixture.state);
  s.queue->awaits_peer = true;
  s.start();
  std::atomic<bool> stop{false};
  unsigned taken = 0;
  std::thread peer{[&] {
    while (!stop.load(std::memory_order_relaxed)) {
      if (s.port.take()) ++taken;
      std::this_thread::yield();
    }
  }};
  // A burst that is far too large for the ring, sent whole: in one of many tries, as this machine may keep
  // the peer from its CPU for longer than anybody waits.
  bool whole = false;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (!whole && std::chrono::steady_clock::now() < deadline) {
    const std::uint64_t failed = s.count(Verdict::transmit_failed);
    for (unsigned i = 0; i < 30; ++i) s.port.give(frame_with({}, ntp_request()));
    CHECK(s.worker.walk() == 30);
    whole = s.count(Verdict::transmit_failed) == failed;
    std::this_thread::yield();
  }
  CHECK(whole);
  stop = true;
  peer.join();
  while (s.port.take()) ++taken;
  CHECK(taken == s.count(Verdict::answered));
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("a process that takes nothing costs its answers, and its next ones too") {
  Serving s{"away", 8};
  s.queue = s.port.queue(s.fixture.state);
  s.queue->awaits_peer = true;
  s.start();
  for (const unsigned expected : {3U, 13U}) {
    for (unsigned i = 0; i < 10; ++i) s.port.give(frame_with({}, ntp_request()));
    CHECK(s.worker.walk() == 10);
    CHECK(s.count(Verdict::transmit_failed) == expected);
  }
  CHECK(s.count(Verdict::answered) == 7);
  while (s.port.take()) {
  }
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("a frame in two buffers is dropped by name") {
  Serving s{"chained"};
  s.start();
  const auto request = frame_with({}, ntp_request());
  rte_mbuf* head = s.port.allocate(request);
  REQUIRE(rte_pktmbuf_chain(head, s.port.allocate(Bytes(20))) == 0);
  s.port.give(head);
  CHECK(s.worker.walk() == 1);
  CHECK(s.count(Verdict::frame_multi_segment) == 1);
  CHECK_FALSE(s.port.take());
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("before the first time snapshot nothing is answered") {
  Serving s{"no_time"};
  s.channels.time.store({});
  s.start();
  s.port.give(frame_with({}, ntp_request()));
  CHECK(s.worker.walk() == 1);
  CHECK(s.count(Verdict::no_time) == 1);
}

TEST_CASE("a published access list counts from the next housekeeping on, and the old one is freed") {
  Serving s{"rcu"};
  s.start();
  s.channels.tables.reclaim();
  REQUIRE(s.channels.tables.retired() == 0);
  auto closed = std::make_unique<server::Tables>();
  closed->host_addresses = s.fixture.ours;
  s.channels.tables.publish(std::move(closed));
  CHECK(s.channels.tables.retired() == 1);

  s.port.give(frame_with({}, ntp_request()));
  s.worker.walk();
  CHECK(s.count(Verdict::answered) == 1);
  s.worker.keep_house();
  s.port.give(frame_with({}, ntp_request()));
  s.worker.walk();
  CHECK(s.count(Verdict::denied) == 1);
  s.channels.tables.reclaim();
  CHECK(s.channels.tables.retired() == 0);
}

TEST_CASE("a running worker answers, shows its pulse, returns when stopped and holds no table after that") {
  const auto idle = GENERATE(server::WorkerIdle::spin, server::WorkerIdle::nap);
  Serving s{idle == server::WorkerIdle::spin ? "spins" : "naps"};
  dpdk::Worker worker{1, idle, s.channels, s.offsets};
  worker.add_queue(s.port.queue(s.fixture.state));
  const auto run = [](void* w) {
    static_cast<dpdk::Worker*>(w)->run();
    return 0;
  };
  const unsigned lcore = dpdk::Eal::worker_lcore(0);
  REQUIRE(rte_eal_remote_launch(run, &worker, lcore) == 0);
  for (unsigned i = 0; i < 20; ++i) s.port.give(frame_with({}, ntp_request()));
  unsigned answers = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while ((answers < 20 || worker.heartbeat() < 2) && std::chrono::steady_clock::now() < deadline) {
    if (s.port.take()) ++answers;
    std::this_thread::yield();
  }
  CHECK(answers == 20);
  CHECK(worker.heartbeat() >= 2);
  worker.stop();
  CHECK(rte_eal_wait_lcore(lcore) == 0);
  CHECK(s.count(Verdict::answered) == 20);

  s.channels.tables.publish(std::make_unique<server::Tables>());
  s.channels.tables.reclaim();
  CHECK(s.channels.tables.retired() == 0);
}

TEST_CASE("a worker has the memory of its client log before it serves") {
  Serving s{"populates"};
  static std::atomic<unsigned> populated;
  populated = 0;
  const auto allocate = [](std::size_t size) {
    ntp::ClientMemory memory = ntp::ClientTable::heap_memory(size);
    memory.populate = [](std::byte*, std::size_t) { ++populated; };
    return memory;
  };
  server::WorkerState state{"test",
                            0,
                            {1, 2},
                            std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{},
                                                               std::array<std::uint64_t, 2>{3, 4}, allocate)};
  server::WorkerState without_log{"test", 0, {1, 2}, nullptr};
  s.worker.add_queue(s.port.queue(state));
  s.worker.add_queue(s.port.queue(without_log));
  const auto run = [](void* w) {
    static_cast<dpdk::Worker*>(w)->run();
    return 0;
  };
  CHECK(populated == 0);
  s.worker.stop();  // at once: it must not come to its queues first
  const unsigned lcore = dpdk::Eal::worker_lcore(0);
  REQUIRE(rte_eal_remote_launch(run, &s.worker, lcore) == 0);
  CHECK(rte_eal_wait_lcore(lcore) == 0);
  CHECK(populated == 1);
}

TEST_CASE("a queue that may not be served is left alone") {
  Serving s{"hands_off"};
  std::atomic<bool> serve{false};
  s.queue = s.port.queue(s.fixture.state);
  s.queue->serve = &serve;
  s.start();
  s.port.give(frame_with({}, ntp_request()));
  CHECK(s.worker.walk() == 0);
  serve = true;
  CHECK(s.worker.walk() == 1);
  CHECK(s.count(Verdict::answered) == 1);
}

TEST_CASE("a held worker touches no queue until it is released") {
  Serving s{"held"};
  s.worker.add_queue(s.port.queue(s.fixture.state));
  s.worker.hold();
  CHECK_FALSE(s.worker.held());
  const auto run = [](void* w) {
    static_cast<dpdk::Worker*>(w)->run();
    return 0;
  };
  const unsigned lcore = dpdk::Eal::worker_lcore(0);
  REQUIRE(rte_eal_remote_launch(run, &s.worker, lcore) == 0);
  const auto wait_for = [](const auto& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return condition();
  };
  CHECK(wait_for([&] { return s.worker.held(); }));
  s.port.give(frame_with({}, ntp_request()));
  std::this_thread::sleep_for(std::chrono::milliseconds{5});
  CHECK(s.count(Verdict::answered) == 0);
  s.worker.release();
  CHECK(wait_for([&] { return s.count(Verdict::answered) == 1; }));
  s.worker.stop();
  CHECK(rte_eal_wait_lcore(lcore) == 0);
}

TEST_CASE("EAL's interrupt thread can be shut in and let out, again and again") {
  (void)dpdk::test::eal();
  dpdk::InterruptGate gate;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(gate.close());
    CHECK(gate.closed());
    gate.open();
    CHECK_FALSE(gate.closed());
  }
}
