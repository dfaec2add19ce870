// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/client_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "catch.hpp"

using namespace wiretime;

namespace {

std::size_t resident_pages(const ntp::ClientMemory& memory) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((memory.size + page - 1) / page);
  REQUIRE(mincore(memory.data, memory.size, pages.data()) == 0);
  return static_cast<std::size_t>(
      std::count_if(pages.begin(), pages.end(), [](auto p) { return (p & 1U) != 0; }));
}

}  // namespace

TEST_CASE("a client log's memory is asked for when it is made, and there once it is populated") {
  constexpr std::size_t kPages = 1025;  // two huge pages, and a small one
  const auto size = kPages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const ntp::ClientMemory memory = dpdk::client_memory(size);
  REQUIRE(memory.size == size);
  CHECK(resident_pages(memory) == 0);

  REQUIRE(memory.populate != nullptr);
  memory.populate(memory.data, memory.size);
  CHECK(resident_pages(memory) == kPages);
  CHECK(std::all_of(memory.data, memory.data + size, [](std::byte b) { return b == std::byte{}; }));
  memory.release(memory.data, memory.size);
}
