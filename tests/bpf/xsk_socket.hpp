// SPDX-License-Identifier: BSD-3-Clause
// A bare AF_XDP receive socket: enough for the kernel to accept it in an XSKMAP and, once bound, to receive
// frames with whatever the XDP program wrote in front of them. For the tests of ebpf/.
#pragma once

#include <linux/if_xdp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

namespace wiretime::test {

class XskSocket {
 public:
  XskSocket() : fd_(socket(AF_XDP, SOCK_RAW, 0)) {
    require(fd_ >= 0, "AF_XDP socket");
    umem_ = map_memory(kChunk * kChunks, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    xdp_umem_reg umem{};
    umem.addr = reinterpret_cast<std::uintptr_t>(umem_);
    umem.len = kChunk * kChunks;
    umem.chunk_size = kChunk;
    set(XDP_UMEM_REG, &umem, sizeof umem);
    const int entries = kChunks;
    for (const int ring : {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING}) {
      set(ring, &entries, sizeof entries);
    }
    xdp_mmap_offsets offsets{};
    socklen_t length = sizeof offsets;
    require(getsockopt(fd_, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) == 0, "XDP_MMAP_OFFSETS");
    fill_ = Ring(*this, offsets.fr, XDP_UMEM_PGOFF_FILL_RING, sizeof(std::uint64_t));
    receive_ = Ring(*this, offsets.rx, XDP_PGOFF_RX_RING, sizeof(xdp_desc));
    for (std::uint32_t i = 0; i < kChunks; ++i) fill_.slot<std::uint64_t>(i) = i * kChunk;
    fill_.producer().store(kChunks, std::memory_order_release);
  }
  XskSocket(const XskSocket&) = delete;
  XskSocket& operator=(const XskSocket&) = delete;
  ~XskSocket() {
    close(fd_);
    munmap(umem_, kChunk * kChunks);
    fill_.unmap();
    receive_.unmap();
  }

  void bind(unsigned ifindex, std::uint32_t queue) {
    sockaddr_xdp address{};
    address.sxdp_family = AF_XDP;
    address.sxdp_flags = XDP_COPY;
    address.sxdp_ifindex = ifindex;
    address.sxdp_queue_id = queue;
    require(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind AF_XDP socket");
  }

  // The next frame with `before` bytes of what lies in front of it; at most kChunks frames in a lifetime.
  std::optional<std::vector<std::byte>> receive(std::size_t before, int timeout_milliseconds = 60'000) {
    const std::uint32_t consumer = receive_.consumer().load(std::memory_order_relaxed);
    if (receive_.producer().load(std::memory_order_acquire) == consumer) {
      pollfd p{fd_, POLLIN, 0};
      if (poll(&p, 1, timeout_milliseconds) <= 0) return std::nullopt;
    }
    const auto descriptor = receive_.slot<xdp_desc>(consumer);
    receive_.consumer().store(consumer + 1, std::memory_order_release);
    const std::byte* data = umem_ + descriptor.addr;
    return std::vector<std::byte>(data - before, data + descriptor.len);
  }

  [[nodiscard]] int fd() const { return fd_; }

 private:
  static constexpr std::size_t kChunk = 4096;
  static constexpr std::uint32_t kChunks = 64;

  class Ring {
   public:
    Ring() = default;
    Ring(const XskSocket& socket, const xdp_ring_offset& offsets, off_t page_offset, std::size_t entry)
        : offsets_(offsets), size_(static_cast<std::size_t>(offsets.desc) + kChunks * entry) {
      base_ = map_memory(size_, MAP_SHARED | MAP_POPULATE, socket.fd_, page_offset);
    }
    std::atomic<std::uint32_t>& producer() { return at(offsets_.producer); }
    std::atomic<std::uint32_t>& consumer() { return at(offsets_.consumer); }
    template <typename T>
    T& slot(std::uint32_t index) {
      return *reinterpret_cast<T*>(base_ + offsets_.desc + sizeof(T) * (index % kChunks));
    }
    void unmap() { munmap(base_, size_); }

   private:
    std::atomic<std::uint32_t>& at(std::uint64_t offset) {
      return *reinterpret_cast<std::atomic<std::uint32_t>*>(base_ + offset);
    }
    xdp_ring_offset offsets_{};
    std::size_t size_ = 0;
    std::byte* base_ = nullptr;
  };

  static void require(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(what);
  }
  static std::byte* map_memory(std::size_t size, int flags, int fd, off_t offset) {
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    require(p != MAP_FAILED, "mmap");
    return static_cast<std::byte*>(p);
  }
  void set(int option, const void* value, socklen_t size) const {
    require(setsockopt(fd_, SOL_XDP, option, value, size) == 0, "AF_XDP socket option");
  }

  int fd_;
  std::byte* umem_ = nullptr;
  Ring fill_;
  Ring receive_;
};

}  // namespace wiretime::test
