// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/memif_slots.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace wiretime::dpdk {

namespace {

// The memif protocol, version 2: a region begins with the rings, those from client to server first.
constexpr std::uint32_t kCookie = 0x3E31F20;  // begins a ring
constexpr std::uintptr_t kHead = 6;           // 16 bits: frames that the client has written, or has room for
constexpr std::uintptr_t kTail = 64;          // 16 bits: frames that the server has taken, or written
constexpr std::uintptr_t kDescriptors = 128;
constexpr unsigned kLog2MostSlots = 14;
constexpr unsigned kMostRings = 512;

constexpr unsigned kMostSearches = 60;  // one a second; workers wait meanwhile

struct Descriptor {
  std::uint16_t flags;
  std::uint16_t region;
  std::uint32_t length;
  std::uint32_t offset;  // of the slot, in its region
  std::uint32_t metadata;
};
static_assert(sizeof(Descriptor) == 16);

constexpr std::uintptr_t ring_bytes(unsigned log2_slots) {
  return kDescriptors + (sizeof(Descriptor) << log2_slots);
}

// What lies at an address of this process; nothing where there is no memory. A client may have shrunk the
// file behind a mapping, and to read that directly would be the end of us.
template <typename T>
std::optional<T> peek(std::uintptr_t address) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  const iovec here{&value, sizeof value};
  const iovec there{reinterpret_cast<void*>(address), sizeof value};
  if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != sizeof value) return std::nullopt;
  return value;
}

bool is_ring(std::uintptr_t address) noexcept {
  return peek<std::uint32_t>(address) == kCookie;
}

struct Rings {
  unsigned count = 0;  // both ways
  unsigned log2_slots = 0;
};

// Nothing: there are none. They do not say how large they are, but there are two at least.
std::optional<Rings> find_rings(std::uintptr_t region) noexcept {
  if (!is_ring(region)) return std::nullopt;
  Rings rings{2, 1};
  while (!is_ring(region + ring_bytes(rings.log2_slots)))
    if (++rings.log2_slots > kLog2MostSlots) return std::nullopt;
  while (rings.count < kMostRings && is_ring(region + rings.count * ring_bytes(rings.log2_slots)))
    ++rings.count;
  return rings;
}

// Ring `number`. Unknown: its slots do not lie side by side, or not with the rings.
MemifSlots::Ring read_ring(std::uintptr_t region, const Rings& rings, unsigned number) noexcept {
  const std::uintptr_t ring = region + number * ring_bytes(rings.log2_slots);
  const auto slot = [&](unsigned i) {
    return peek<Descriptor>(ring + kDescriptors + i * sizeof(Descriptor));
  };
  const std::uint32_t mask = (1U << rings.log2_slots) - 1;
  const auto position = peek<std::uint16_t>(ring + kTail);
  const auto first = slot(0), second = slot(1), last = slot(mask);
  if (!position || !first || !second || !last) return {};
  const std::uint32_t stride = second->offset - first->offset;
  const bool with_rings = first->region == 0 && second->region == 0 && last->region == 0;
  if (!with_rings || last->offset != first->offset + mask * stride) return {};
  return {region + first->offset, stride, mask, *position,
          reinterpret_cast<const std::uint16_t*>(ring + kHead)};
}

// For a client with as many queues one way as the other, as clients have.
MemifSlots::Ring incoming_ring(std::uintptr_t region, unsigned queue) noexcept {
  const auto rings = find_rings(region);
  return rings && queue < rings->count / 2 ? read_ring(region, *rings, queue) : MemifSlots::Ring{};
}
MemifSlots::Ring outgoing_ring(std::uintptr_t region, unsigned queue) noexcept {
  const auto rings = find_rings(region);
  return rings && queue < rings->count / 2 ? read_ring(region, *rings, rings->count / 2 + queue)
                                           : MemifSlots::Ring{};
}

struct Mapping {
  std::uintptr_t start = 0;
  std::uint64_t file = 0;  // inode
};

// Memory shared without a file system between its users, from its beginning on; each file once.
std::vector<Mapping> shared_memory() {
  std::vector<Mapping> found;
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields{line};
    Mapping m;
    std::uintptr_t end = 0, offset = 0;
    char dash = 0;
    std::string permissions, device, path;
    fields >> std::hex >> m.start >> dash >> end >> permissions >> offset >> device >> std::dec >> m.file >>
        path;
    if (!fields || permissions != "rw-s" || offset != 0 || path.rfind("/memfd:", 0) != 0) continue;
    if (std::none_of(found.begin(), found.end(), [&](const Mapping& f) { return f.file == m.file; }))
      found.push_back(m);
  }
  return found;
}

}  // namespace

void MemifSlots::follow(std::span<MemifSlots* const> queues) {
  std::vector<MemifSlots*> unknown;
  for (MemifSlots* queue : queues) {
    queue->look_again();
    if (queue->worth_a_search()) unknown.push_back(queue);
  }
  if (unknown.empty()) return;
  const std::vector<Mapping> regions = shared_memory();
  for (MemifSlots* queue : unknown) {
    const auto may_be_its = [&](const Mapping& region) {
      const auto is_others = [&](const MemifSlots* other) {
        return other->queue_ == queue->queue_ && other->file_ == region.file;
      };
      if (std::any_of(queues.begin(), queues.end(), is_others)) return false;
      const Ring ring = incoming_ring(region.start, queue->queue_);
      return ring.known() && ring.position == static_cast<std::uint16_t>(queue->incoming_.position);
    };
    const auto match = std::find_if(regions.begin(), regions.end(), may_be_its);
    if (match == regions.end() || std::any_of(match + 1, regions.end(), may_be_its)) continue;
    queue->file_ = match->file;
    queue->region_ = match->start;
    queue->look_again();
  }
}

// Not all clients' slots lie side by side; and two that came at once and have sent as many frames cannot be
// told apart until one has sent another.
bool MemifSlots::worth_a_search() noexcept {
  const bool again = searches_ > 0 && searched_ == incoming_.position;
  if (incoming_.known() || again || searches_ == kMostSearches) return false;
  ++searches_;
  searched_ = incoming_.position;
  return true;
}

// Positions too: a frame may have taken more than one slot.
void MemifSlots::look_again() noexcept {
  if (region_ == 0) return;
  incoming_ = incoming_ring(region_, queue_);
  outgoing_ = outgoing_ring(region_, queue_);
  if (!incoming_.known()) forget();
}

}  // namespace wiretime::dpdk
