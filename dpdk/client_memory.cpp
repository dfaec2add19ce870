// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/client_memory.hpp"

#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1; glibc 2.36 does not know it
#endif

namespace wiretime::dpdk {

namespace {

// Small pages are what the kernel gives where it finds no huge one at once; the second call has them moved
// into huge ones. An older kernel refuses: then memory comes with the first requests, as it is.
void populate(std::byte* pages, std::size_t size) {
  (void)madvise(pages, size, MADV_POPULATE_WRITE);
  (void)madvise(pages, size, MADV_COLLAPSE);
}

}  // namespace

ntp::ClientMemory client_memory(std::size_t size) {
  void* const pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return ntp::ClientTable::heap_memory(size);
  (void)madvise(pages, size, MADV_HUGEPAGE);  // random access to megabytes: TLB misses are half of its cost
  return {static_cast<std::byte*>(pages), size, [](std::byte* p, std::size_t n) { munmap(p, n); }, populate};
}

}  // namespace wiretime::dpdk
