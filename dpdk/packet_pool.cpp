// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/packet_pool.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include <algorithm>

#include "dpdk/devargs.hpp"

namespace wiretime::dpdk {

// Not rte_pktmbuf_pool_create: it leaves gaps at page boundaries, and the AF_XDP driver of DPDK 22.11 takes
// the umem's size to be buffers * size, so that with small pages the buffers behind the gaps' sum lie outside
// and receiving stops for good once all others are spent. NO_IOVA_CONTIG lets buffers cross pages instead,
// but takes their IOVAs away: a PCI device would write what it receives to an address that is nobody's.
Result<PacketPool> make_packet_pool(const std::string& name, unsigned buffers, int socket,
                                    PoolLayout layout) {
  const unsigned cache = std::min(256U, buffers / 4);
  constexpr unsigned kElement = sizeof(rte_mbuf) + kBufferRoom;
  PacketPool pool{rte_mempool_create_empty(name.c_str(), buffers, kElement, cache,
                                           sizeof(rte_pktmbuf_pool_private), socket,
                                           layout == PoolLayout::umem ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0)};
  if (pool == nullptr)
    return fail(fmt::format("cannot create {} packet buffers: {}", buffers, rte_strerror(rte_errno)));
  rte_pktmbuf_pool_private sizes{};
  sizes.mbuf_data_room_size = kBufferRoom;
  rte_pktmbuf_pool_init(pool.get(), &sizes);
  if (const int made = rte_mempool_populate_default(pool.get()); made < 0)
    return fail(fmt::format("no memory for {} packet buffers: {}", buffers, rte_strerror(-made)));
  rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace wiretime::dpdk
