// SPDX-License-Identifier: BSD-3-Clause
// A DPDK port made of two rings, and the EAL it needs: tests put frames in at one end and find the answers at
// the other. No privileges, no hugepages.
#pragma once

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

#include "catch.hpp"
#include "dpdk/eal.hpp"
#include "dpdk/packet_pool.hpp"
#include "dpdk/worker.hpp"
#include "net/frames.hpp"
#include "os/tsc.hpp"
#include "server/fixture.hpp"

namespace wiretime::dpdk::test {

using net::test::Bytes;

// DPDK starts once per process; the first user starts it, process exit ends it.
inline Eal& eal() {
  struct Environment {
    DriverLog log;
    std::unique_ptr<Eal> eal;
  };
  static const auto environment = [] {
    auto e = std::make_unique<Environment>();
    EalOptions options;
    options.hugepages = server::Hugepages::off;
    options.memory = std::size_t{96} << 20;
    options.drivers = {"librte_mempool_ring.so", "librte_net_failsafe.so", "librte_net_memif.so"};
    auto started = Eal::start(options, e->log);
    if (!started) throw std::runtime_error(started.error().message);
    e->eal = std::move(*started);
    return e;
  }();
  return *environment->eal;
}

class RingPort {
 public:
  // Each ring holds size - 1 frames; `size` is a power of two.
  explicit RingPort(const std::string& name, unsigned in_size = 64, unsigned out_size = 64,
                    unsigned buffers = 255) {
    (void)eal();
    auto made = make_packet_pool(name, buffers, SOCKET_ID_ANY, PoolLayout::device);
    REQUIRE(made.has_value());
    pool_ = std::move(*made);
    in_ = rte_ring_create((name + "_in").c_str(), in_size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    out_ = rte_ring_create((name + "_out").c_str(), out_size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    const int id = rte_eth_from_rings(name.c_str(), &in_, 1, &out_, 1, 0);
    REQUIRE(id >= 0);
    id_ = static_cast<std::uint16_t>(id);
    const rte_eth_conf conf{};
    REQUIRE(rte_eth_dev_configure(id_, 1, 1, &conf) == 0);
    REQUIRE(rte_eth_rx_queue_setup(id_, 0, 64, 0, nullptr, pool_.get()) == 0);
    REQUIRE(rte_eth_tx_queue_setup(id_, 0, 64, 0, nullptr) == 0);
    REQUIRE(rte_eth_dev_start(id_) == 0);
  }
  RingPort(const RingPort&) = delete;
  RingPort& operator=(const RingPort&) = delete;
  ~RingPort() {
    while (take()) {
    }
    rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
    rte_ring_free(in_);
    rte_ring_free(out_);
  }

  [[nodiscard]] std::uint16_t id() const { return id_; }
  [[nodiscard]] rte_mbuf* allocate(const Bytes& frame) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool_.get());
    REQUIRE(m != nullptr);
    std::memcpy(rte_pktmbuf_append(m, static_cast<std::uint16_t>(frame.size())), frame.data(), frame.size());
    return m;
  }
  void give(rte_mbuf* m) { REQUIRE(rte_ring_enqueue(in_, m) == 0); }
  void give(const Bytes& frame) { give(allocate(frame)); }

  // The buffer of the oldest frame sent and not yet taken, for the caller to free; null: none.
  [[nodiscard]] rte_mbuf* take_buffer() {
    void* sent = nullptr;
    return rte_ring_dequeue(out_, &sent) == 0 ? static_cast<rte_mbuf*>(sent) : nullptr;
  }
  // The oldest frame sent and not yet taken.
  [[nodiscard]] std::optional<Bytes> take() {
    void* sent = nullptr;
    if (rte_ring_dequeue(out_, &sent) != 0) return std::nullopt;
    auto* m = static_cast<rte_mbuf*>(sent);
    const auto* data = rte_pktmbuf_mtod(m, const std::byte*);
    Bytes frame(data, data + rte_pktmbuf_data_len(m));
    REQUIRE(m->pkt_len == m->data_len);
    rte_pktmbuf_free(m);
    return frame;
  }
  // Frames in and out of the rings aside, every buffer is home again.
  [[nodiscard]] unsigned buffers_out() const { return rte_mempool_in_use_count(pool_.get()); }

  [[nodiscard]] PortQueue queue(server::WorkerState& state) const {
    PortQueue q;
    q.port = id_;
    q.pool = pool_.get();
    q.state = &state;
    return q;
  }

 private:
  PacketPool pool_;
  rte_ring* in_ = nullptr;
  rte_ring* out_ = nullptr;
  std::uint16_t id_ = 0;
};

// A worker on one ring port, walked by hand; serves what wiretime::test::Fixture describes.
struct Serving {
  explicit Serving(const std::string& name, unsigned out_size = 64) : port(name, 64, out_size) {
    auto tables = std::make_unique<server::Tables>();
    tables->access = fixture.tables.access;
    tables->host_addresses = fixture.ours;
    channels.tables.publish(std::move(tables));
    publish_time();
  }
  // Time stands at the fixture's anchor, or nearly: 2^-48 of a unit per tick.
  void publish_time() {
    fixture.snapshot.anchor_ticks = os::read_tsc();
    fixture.snapshot.rate = 1;
    channels.time.store(fixture.snapshot);
  }
  void start() {
    worker.add_queue(queue ? *queue : port.queue(fixture.state));
    worker.keep_house();
  }
  [[nodiscard]] std::uint64_t count(Verdict v) const { return fixture.state.verdicts.get(v); }
  [[nodiscard]] std::uint64_t count(server::Stamp s) const { return fixture.state.stamps.get(s); }

  wiretime::test::Fixture fixture;
  RingPort port;
  std::optional<PortQueue> queue;  // set before start() to serve otherwise than a kernel-owned port
  server::Channels channels{std::make_unique<server::Tables>()};
  ClockOffsets offsets;
  Worker worker{0, server::WorkerIdle::spin, channels, offsets};
};

}  // namespace wiretime::dpdk::test
