// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/memif_slots.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include "dpdk/memif_links.hpp"
#include "dpdk/served_port.hpp"
#include "os/file_descriptor.hpp"
#include "os/temporary_directory.hpp"
#include "ring_port.hpp"

using namespace wiretime;
using dpdk::MemifSlots;
using dpdk::test::Bytes;
using net::test::ip;
using test::frame_with;
using test::ntp_request;

namespace {

constexpr unsigned kSlots = 8;
constexpr std::uint32_t kStride = 2048;

// A client's memory as the memif protocol, version 2, lays it out: rings, then buffers.
class Region {
 public:
  explicit Region(unsigned rings = 2)
      : size_(rings * (kRing + kSlots * kStride)), fd_(memfd_create("region", MFD_CLOEXEC)) {
    REQUIRE(ftruncate(fd_.get(), static_cast<off_t>(size_)) == 0);
    map();
    for (unsigned ring = 0; ring < rings; ++ring) {
      set<std::uint32_t>(ring, 0, 0x3E31F20);
      for (unsigned slot = 0; slot < kSlots; ++slot)
        set(ring, 128 + 16 * slot + 8, static_cast<std::uint32_t>(rings * kRing) + offset(ring, slot));
    }
    buffers_ = rings * kRing;
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region() { unmap(); }

  void map() { memory_ = address(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0)); }
  void unmap() {
    if (memory_ != 0) munmap(reinterpret_cast<void*>(memory_), size_);
    memory_ = 0;
  }
  void shrink() const { REQUIRE(ftruncate(fd_.get(), 0) == 0); }
  [[nodiscard]] int file() const { return fd_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

  // At a byte of a ring.
  template <typename T>
  void set(unsigned ring, std::size_t at, T value) {
    std::memcpy(reinterpret_cast<void*>(memory_ + ring * kRing + at), &value, sizeof value);
  }
  void set_tail(unsigned ring, std::uint16_t tail) { set(ring, 64, tail); }
  [[nodiscard]] std::uintptr_t slot(unsigned ring, unsigned slot) const {
    return memory_ + buffers_ + offset(ring, slot);
  }

  static constexpr std::size_t kRing = 128 + 16 * kSlots;

 private:
  static std::uintptr_t address(void* memory) {
    REQUIRE(memory != MAP_FAILED);
    return reinterpret_cast<std::uintptr_t>(memory);
  }
  static std::uint32_t offset(unsigned ring, unsigned slot) { return (ring * kSlots + slot) * kStride; }

  std::size_t size_;
  std::size_t buffers_ = 0;
  os::FileDescriptor fd_;
  std::uintptr_t memory_ = 0;
};

template <typename... Slots>
void follow(Slots&... slots) {
  const std::array<MemifSlots*, sizeof...(slots)> all{&slots...};
  MemifSlots::follow(all);
}

}  // namespace

TEST_CASE("a memif client's slots are known when it has come, and where the next frames lie in them") {
  Region region;
  MemifSlots slots;
  CHECK_FALSE(slots.incoming().known());
  follow(slots);
  REQUIRE(slots.incoming().known());
  REQUIRE(slots.outgoing().known());
  slots.received(6);
  slots.sent(3);
  CHECK(slots.incoming().slot(0) == region.slot(0, 6));
  CHECK(slots.incoming().slot(1) == region.slot(0, 7));
  CHECK(slots.incoming().slot(2) == region.slot(0, 0));
  CHECK(slots.outgoing().slot(0) == region.slot(1, 3));

  // Frames that nobody counted: larger than a slot, or not ours.
  region.set_tail(0, 9);
  region.set_tail(1, 8);
  follow(slots);
  CHECK(slots.incoming().slot(0) == region.slot(0, 1));
  CHECK(slots.outgoing().slot(0) == region.slot(1, 0));
}

TEST_CASE("each queue of a memif client has its ring, those to the server first") {
  Region region{6};
  MemifSlots first{0}, last{2}, none{3};
  follow(first, last, none);
  CHECK(first.incoming().slot(0) == region.slot(0, 0));
  CHECK(first.outgoing().slot(0) == region.slot(3, 0));
  CHECK(last.incoming().slot(0) == region.slot(2, 0));
  CHECK(last.outgoing().slot(0) == region.slot(5, 0));
  CHECK_FALSE(none.incoming().known());
}

TEST_CASE("only what a memif's client has done with is fetched") {
  Region region;
  MemifSlots slots;
  follow(slots);
  REQUIRE(slots.incoming().known());
  CHECK(slots.incoming().ready() == 0);
  CHECK(slots.outgoing().ready() == 0);
  region.set<std::uint16_t>(0, 6, 5);
  region.set<std::uint16_t>(1, 6, kSlots);
  CHECK(slots.incoming().ready() == 5);
  CHECK(slots.outgoing().ready() == kSlots);
  slots.received(3);
  slots.sent(1);
  CHECK(slots.incoming().ready() == 2);
  CHECK(slots.outgoing().ready() == kSlots - 1);
  slots.received(3);  // cannot be: nothing rather than 65535
  CHECK(slots.incoming().ready() == 0);
}

TEST_CASE("of two memif clients that came at once each is known once their frames tell them apart") {
  Region a, b;
  MemifSlots of_a, of_b;
  follow(of_a, of_b);
  CHECK_FALSE(of_a.incoming().known());
  CHECK_FALSE(of_b.incoming().known());
  follow(of_a, of_b);
  CHECK_FALSE(of_a.incoming().known());

  of_b.received(70'000);
  b.set_tail(0, static_cast<std::uint16_t>(70'000));
  follow(of_a, of_b);
  REQUIRE(of_b.incoming().known());
  CHECK(of_b.incoming().slot(0) == b.slot(0, 70'000 % kSlots));
  of_a.received(1);
  a.set_tail(0, 1);
  follow(of_a, of_b);
  REQUIRE(of_a.incoming().known());
  CHECK(of_a.incoming().slot(0) == a.slot(0, 1));
}

TEST_CASE("a memif client is found beside another that is known and has sent as much") {
  Region a;
  MemifSlots of_a, of_b;
  follow(of_a);
  REQUIRE(of_a.incoming().known());
  Region b;
  follow(of_a, of_b);
  REQUIRE(of_b.incoming().known());
  CHECK(of_a.incoming().slot(0) == a.slot(0, 0));
  CHECK(of_b.incoming().slot(0) == b.slot(0, 0));
}

TEST_CASE("memif clients may come and go as often as they like") {
  auto region = std::make_unique<Region>();
  MemifSlots slots;
  follow(slots);
  for (unsigned i = 0; i < 100; ++i) {
    slots.received(5);
    region = std::make_unique<Region>();  // made before the old one ends: it lies elsewhere
    follow(slots);
    REQUIRE(slots.incoming().known());
    REQUIRE(slots.incoming().slot(0) == region->slot(0, 0));
  }
}

TEST_CASE("a memif client's memory that is mapped twice is one") {
  Region region;
  void* const again = mmap(nullptr, region.size(), PROT_READ | PROT_WRITE, MAP_SHARED, region.file(), 0);
  REQUIRE(again != MAP_FAILED);
  MemifSlots slots;
  follow(slots);
  CHECK(slots.incoming().known());
  munmap(again, region.size());
}

TEST_CASE("a memif client that has gone is forgotten, and the next one found") {
  std::optional<Region> region{std::in_place};
  MemifSlots slots;
  follow(slots);
  slots.received(5);
  REQUIRE(slots.incoming().known());
  SECTION("unmapped") {
    region->unmap();
    follow(slots);
  }
  SECTION("shrunk by the client while it is mapped") {
    region->shrink();
    follow(slots);
  }
  SECTION("as its link says") {
    slots.forget();
  }
  CHECK_FALSE(slots.incoming().known());
  CHECK_FALSE(slots.outgoing().known());
  region.reset();

  Region next;
  slots.received(1);
  next.set_tail(0, 1);
  follow(slots);
  REQUIRE(slots.incoming().known());
  CHECK(slots.incoming().slot(0) == next.slot(0, 1));
}

TEST_CASE("memory that is not laid out side by side by the memif protocol is left alone") {
  Region region{4};
  MemifSlots slots{1};
  SECTION("no ring at the beginning") {
    region.set<std::uint32_t>(0, 0, 0x3E31F21);
  }
  SECTION("one ring") {
    region.set<std::uint32_t>(1, 0, 0);
  }
  SECTION("no ring for this queue") {
    region.set<std::uint32_t>(2, 0, 0);
  }
  SECTION("slots here and there") {
    region.set<std::uint32_t>(1, 128 + 16 * 7 + 8, 77);
  }
  SECTION("slots in another region") {
    region.set<std::uint16_t>(1, 128 + 2, 1);
  }
  SECTION("as many frames as this queue has not had") {
    region.set_tail(1, 2);
  }
  follow(slots);
  CHECK_FALSE(slots.incoming().known());
}

TEST_CASE("slots that are nowhere to be found are not looked for for ever") {
  MemifSlots slots;
  for (unsigned i = 0; i < 60; ++i) {
    slots.received(1);
    follow(slots);
  }
  Region region;
  slots.received(1);
  region.set_tail(0, 61);
  follow(slots);
  CHECK_FALSE(slots.incoming().known());
  slots.forget();
  region.set_tail(0, 0);
  follow(slots);
  CHECK(slots.incoming().known());
}

namespace {

// A worker on two queues of net_memif as the data plane has them, and net_memif for a client, in one process.
struct Pair {
  Pair() {
    (void)dpdk::test::eal();
    auto tables = std::make_unique<server::Tables>();
    tables->access = fixture.tables.access;
    channels.tables.publish(std::move(tables));
    fixture.snapshot.anchor_ticks = os::read_tsc();
    fixture.snapshot.rate = 1;
    channels.time.store(fixture.snapshot);
    server = open("192.0.2.1", server::DataplaneConfig::MemifRole::server);
    client = open("192.0.2.9", server::DataplaneConfig::MemifRole::client);
    for (const unsigned number : {0U, 1U}) worker.add_queue(server->queue(number, fixture.state));
    worker.keep_house();
    follow_links();
  }
  ~Pair() { links.reset(); }  // opens the gate, which closing ports waits for

  std::unique_ptr<dpdk::ServedPort> open(const char* address, server::DataplaneConfig::MemifRole role) {
    server::DataplaneConfig config;
    config.kind = server::DataplaneConfig::Kind::memif;
    config.device = directory / "m.sock";
    config.memif_role = role;
    config.addresses = {{ip(address), 24}};
    config.queues = 2;
    dpdk::PortOptions options;
    options.number = role == server::DataplaneConfig::MemifRole::server ? 0 : 1;
    auto port = dpdk::Port::open(config, options, driver_log);
    INFO((port ? std::string{} : port.error().message));
    REQUIRE(port);
    auto served = std::make_unique<dpdk::ServedPort>(std::move(*port), clock::NicOptions{}, false);
    REQUIRE(served->start(log));
    return served;
  }
  void follow_links() {
    links.emplace(std::vector<dpdk::MemifLinks::Link>{{&server->port(), &server->serve(), server->slots()}},
                  std::vector<dpdk::Worker*>{});
  }
  // The client's end, and that the server has seen it.
  [[nodiscard]] bool disconnected() {
    links.reset();  // opens the gate, which closing a port waits for
    client.reset();
    follow_links();
    for (int i = 0; i < 6000; ++i) {
      links->update();
      if (!server->serve().load()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
  }
  [[nodiscard]] bool connected() {
    for (int i = 0; i < 6000; ++i) {
      links->update();
      if (server->serve().load() && client->port().link_up()) {
        for (const unsigned queue : {0U, 1U}) CHECK_FALSE(take(queue));  // makes room for replies
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return false;
  }
  void send(const Bytes& frame, unsigned queue) const {
    rte_mbuf* m = rte_pktmbuf_alloc(client->port().pool(queue));
    REQUIRE(m != nullptr);
    std::memcpy(rte_pktmbuf_append(m, static_cast<std::uint16_t>(frame.size())), frame.data(), frame.size());
    const auto q = client->port().queue(queue);
    REQUIRE(rte_eth_tx_burst(q.device, q.queue, &m, 1) == 1);
  }
  [[nodiscard]] std::optional<Bytes> take(unsigned queue) const {
    const auto q = client->port().queue(queue);
    rte_mbuf* m = nullptr;
    if (rte_eth_rx_burst(q.device, q.queue, &m, 1) == 0) return std::nullopt;
    const auto* data = rte_pktmbuf_mtod(m, const std::byte*);
    Bytes frame(data, data + rte_pktmbuf_data_len(m));
    rte_pktmbuf_free(m);
    return frame;
  }

  const TemporaryDirectory directory;
  dpdk::DriverLog driver_log;
  os::Log log = os::Log::to_stderr(os::LogLevel::warning);
  wiretime::test::Fixture fixture;
  server::Channels channels{std::make_unique<server::Tables>()};
  dpdk::ClockOffsets offsets;
  std::unique_ptr<dpdk::ServedPort> server, client;
  dpdk::Worker worker{0, server::WorkerIdle::spin, channels, offsets};
  std::optional<dpdk::MemifLinks> links;
};

bool lies_at(std::uintptr_t address, const Bytes& frame) {
  return std::memcmp(reinterpret_cast<const void*>(address), frame.data(), frame.size()) == 0;
}

}  // namespace

TEST_CASE("a worker knows where net_memif's next request lies, and where its reply will") {
  Pair p;
  REQUIRE(p.connected());
  CHECK(p.client->slots().empty());
  const auto slots = p.server->slots();
  REQUIRE(slots.size() == 2);
  for (const MemifSlots& s : slots) {
    REQUIRE(s.incoming().known());
    REQUIRE(s.outgoing().known());
  }
  for (unsigned i = 0; i < 5; ++i) {
    const unsigned queue = i < 3 ? 1 : 0;
    net::test::Spec spec;
    spec.source_port = static_cast<std::uint16_t>(10000 + i);
    const Bytes request = frame_with(spec, ntp_request());
    p.send(request, queue);
    CHECK(lies_at(slots[queue].incoming().slot(0), request));
    const std::uintptr_t to = slots[queue].outgoing().slot(0);
    CHECK(p.worker.walk() == 1);
    const auto reply = p.take(queue);
    REQUIRE(reply);
    CHECK(lies_at(to, *reply));
  }
  CHECK(p.fixture.state.verdicts.get(Verdict::answered) == 5);
  const std::uintptr_t next = slots[1].incoming().slot(0);
  p.links->update();
  CHECK(slots[1].incoming().slot(0) == next);

  REQUIRE(p.disconnected());
  for (const MemifSlots& s : slots) CHECK_FALSE(s.incoming().known());
}
