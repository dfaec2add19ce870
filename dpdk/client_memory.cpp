// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/client_memory.hpp"

#include <sys/mman.h>

namespace wiretime::dpdk {

ntp::ClientMemory client_memory(std::size_t size) {
  void* const pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return ntp::ClientTable::heap_memory(size);
  (void)madvise(pages, size, MADV_HUGEPAGE);  // random access to megabytes: TLB misses are half of its cost
  return {static_cast<std::byte*>(pages), size, [](std::byte* p, std::size_t n) { munmap(p, n); }};
}

}  // namespace wiretime::dpdk
