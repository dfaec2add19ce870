// SPDX-License-Identifier: BSD-3-Clause
// What joins a port that the kernel does not own to the kernel: a tap interface with the port's MAC and
// addresses, and rings between the workers and the control thread, which carries frames between the rings and
// the tap. A worker never waits, and calls the kernel only to wake a control thread that sleeps: once in each
// of its sleeps, after the burst's replies have left. All ways are rationed: excess is dropped and counted.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/counters.hpp"
#include "base/result.hpp"
#include "base/spsc_ring.hpp"
#include "net/kernel_share.hpp"
#include "net/rate_limiter.hpp"
#include "os/tap.hpp"
#include "os/wakeup.hpp"

namespace wiretime::dpdk {

// How a frame between wire and kernel ended; name, and which way.
#define WIRETIME_KERNEL_FRAMES(X)                                               \
  X(to_kernel)                /* taken by the kernel */                         \
  X(to_kernel_rate_limited)   /* over the rate */                               \
  X(to_kernel_queue_full)     /* the control thread is behind */                \
  X(to_kernel_refused)        /* the kernel does not want it: interface down */ \
  X(from_kernel)              /* on the wire */                                 \
  X(from_kernel_rate_limited) /* over the rate */                               \
  X(from_kernel_queue_full)   /* the worker is behind, or buffers exhausted */  \
  X(from_kernel_unsent)       /* transmit queue full, or no peer on the link */

enum class KernelFrame : std::uint8_t {
#define X(name) name,
  WIRETIME_KERNEL_FRAMES(X)
#undef X
      kCount
};
[[nodiscard]] std::string_view name(KernelFrame ended);

// Frames a second and at once; of those to the kernel each queue has its part.
struct ExceptionRates {
  std::uint32_t ordinary = 20'000;
  std::uint32_t vital = 5'000;
  std::uint32_t from_kernel = 20'000;
  std::uint32_t burst = 256;
};

// A worker queue's end. Single producer of `up`, and of queue 0 the single consumer of `down`.
class ExceptionLane {
 public:
  // Worker. True: the frame is the control thread's now. False: the caller's still, counted.
  [[nodiscard]] bool take(rte_mbuf* m, net::KernelShare share, Ticks now) noexcept;
  // Worker: the control thread learns of what was taken. Once a burst, when nothing waits for it any more.
  void tell() noexcept {
    if (__builtin_expect(untold_, false)) wake();
  }
  // Worker: what the kernel has sent goes to the wire; dropped when not `up`.
  void transmit(std::uint16_t port, std::uint16_t queue, bool up) noexcept;

 private:
  friend class ExceptionPath;
  // Frees what is left in it.
  struct Ring : SpscRing<rte_mbuf*> {
    using SpscRing::SpscRing;
    ~Ring();
  };
  ExceptionLane(std::size_t up_frames, std::size_t down_frames, const ExceptionRates& rates,
                Sleeper& control_thread, const os::Wakeup& wakeup);
  void wake() noexcept;

  Ring up_;
  Ring down_;            // queue 0 only
  bool untold_ = false;  // frames in up_ that the control thread may sleep over
  net::RateLimiter ordinary_;
  net::RateLimiter vital_;
  Sleeper& control_thread_;
  const os::Wakeup& wakeup_;
  Counters<KernelFrame> counters_;  // writer: the worker; reader: control thread
};

class ExceptionPath {
 public:
  struct Options {
    std::optional<std::uint16_t> vlan;  // taken off towards the kernel, put on towards the wire
    unsigned queues = 1;
    unsigned ring_size = 512;     // frames, each way and queue; a power of two, well below what `pool` has
    rte_mempool* pool = nullptr;  // for frames from the kernel; outlives this object
    ExceptionRates rates{};
  };
  [[nodiscard]] static Result<std::unique_ptr<ExceptionPath>> create(os::Tap tap, const Options& options);
  ExceptionPath(const ExceptionPath&) = delete;
  ExceptionPath& operator=(const ExceptionPath&) = delete;
  ~ExceptionPath();  // after the workers have returned

  [[nodiscard]] ExceptionLane& lane(unsigned queue) { return *lanes_[queue]; }
  [[nodiscard]] const std::string& interface() const { return tap_.name(); }
  // Control thread: to call carry() when one of them is readable. It carries so many frames at most, and
  // leaves the descriptors readable when there are more.
  [[nodiscard]] std::vector<int> descriptors() const { return {tap_.fd(), wakeup_.fd()}; }
  void carry() noexcept;
  [[nodiscard]] Counters<KernelFrame>::Values counts() const noexcept;

 private:
  ExceptionPath(os::Tap tap, os::Wakeup wakeup, const Options& options);
  void carry_up() noexcept;
  void carry_down() noexcept;
  void deliver(rte_mbuf* m) noexcept;
  [[nodiscard]] bool anything_up() const noexcept;

  os::Tap tap_;
  os::Wakeup wakeup_;
  const std::optional<std::uint16_t> vlan_;
  rte_mempool* const pool_;
  net::RateLimiter from_kernel_;
  Counters<KernelFrame> counters_;                     // control thread
  Sleeper sleeper_;                                    // the control thread
  std::vector<std::unique_ptr<ExceptionLane>> lanes_;  // by queue
};

}  // namespace wiretime::dpdk
