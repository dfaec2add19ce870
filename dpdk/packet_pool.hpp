// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers of one queue pair. Made on the control thread, used by the worker that polls the queue; a
// pool per queue, because an AF_XDP queue's umem *is* its pool and so that no two workers share a cache line.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace wiretime::dpdk {

struct FreePool {
  void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
using PacketPool = std::unique_ptr<rte_mempool, FreePool>;

enum class PoolLayout : std::uint8_t {
  umem,    // one piece without gaps, for net_af_xdp; buffers have no IOVA: no device may be told of them
  device,  // every buffer has an IOVA
};

// `socket`: NUMA node, or SOCKET_ID_ANY.
[[nodiscard]] Result<PacketPool> make_packet_pool(const std::string& name, unsigned buffers, int socket,
                                                  PoolLayout layout);

}  // namespace wiretime::dpdk
