// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/exception_path.hpp"

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.hpp"
#include "net/headers.hpp"
#include "os/tsc.hpp"

namespace wiretime::dpdk {

namespace {

constexpr unsigned kBatch = 32;
constexpr unsigned kCarried = 64;  // each way and call: the loop has other things to do
constexpr std::size_t kMacs = net::ethernet::kEtherType;

void free_all(std::span<rte_mbuf*> mbufs) noexcept {
  for (rte_mbuf* m : mbufs) rte_pktmbuf_free(m);
}

}  // namespace

std::string_view name(KernelFrame ended) {
  static constexpr std::string_view kNames[] = {
#define X(name) #name,
      WIRETIME_KERNEL_FRAMES(X)
#undef X
  };
  return kNames[static_cast<std::size_t>(ended)];
}

// --- worker ---

ExceptionLane::Ring::~Ring() {
  std::array<rte_mbuf*, kBatch> left;
  while (const std::size_t n = pop(left)) free_all({left.data(), n});
}

ExceptionLane::ExceptionLane(std::size_t up_frames, std::size_t down_frames, const ExceptionRates& rates,
                             Sleeper& control_thread, const os::Wakeup& wakeup)
    : up_{up_frames},
      down_{down_frames},
      ordinary_{rte_get_tsc_hz(), rates.ordinary, rates.burst, os::read_tsc()},
      vital_{rte_get_tsc_hz(), rates.vital, rates.burst, os::read_tsc()},
      control_thread_{control_thread},
      wakeup_{wakeup} {}

bool ExceptionLane::take(rte_mbuf* m, net::KernelShare share, Ticks now) noexcept {
  if (share == net::KernelShare::none) return false;
  if (!(share == net::KernelShare::vital ? vital_ : ordinary_).allow(now)) {
    counters_.add(KernelFrame::to_kernel_rate_limited);
    return false;
  }
  if (!up_.push(m)) {
    counters_.add(KernelFrame::to_kernel_queue_full);
    return false;
  }
  untold_ = true;
  return true;
}

void ExceptionLane::wake() noexcept {
  untold_ = false;
  if (control_thread_.must_wake()) wakeup_.signal();
}

void ExceptionLane::transmit(std::uint16_t port, std::uint16_t queue, bool up) noexcept {
  std::array<rte_mbuf*, kBatch> mbufs;
  const auto n = static_cast<unsigned>(down_.pop(mbufs));
  if (n == 0) return;
  const unsigned sent = up ? rte_eth_tx_burst(port, queue, mbufs.data(), static_cast<std::uint16_t>(n)) : 0U;
  counters_.add(KernelFrame::from_kernel, sent);
  counters_.add(KernelFrame::from_kernel_unsent, n - sent);
  free_all({mbufs.data() + sent, n - sent});
}

// --- control thread ---

Result<std::unique_ptr<ExceptionPath>> ExceptionPath::create(os::Tap tap, const Options& options) {
  auto wakeup = os::Wakeup::create();
  if (!wakeup) return tl::make_unexpected(wakeup.error());
  return std::unique_ptr<ExceptionPath>{new ExceptionPath{std::move(tap), std::move(*wakeup), options}};
}

ExceptionPath::ExceptionPath(os::Tap tap, os::Wakeup wakeup, const Options& options)
    : tap_{std::move(tap)},
      wakeup_{std::move(wakeup)},
      vlan_{options.vlan},
      pool_{options.pool},
      from_kernel_{rte_get_tsc_hz(), options.rates.from_kernel, options.rates.burst, os::read_tsc()} {
  ExceptionRates rates = options.rates;
  rates.ordinary = std::max(rates.ordinary / options.queues, 1U);
  rates.vital = std::max(rates.vital / options.queues, 1U);
  for (unsigned q = 0; q < options.queues; ++q)
    lanes_.push_back(std::unique_ptr<ExceptionLane>{
        new ExceptionLane{options.ring_size, q == 0 ? options.ring_size : 1, rates, sleeper_, wakeup_}});
}

ExceptionPath::~ExceptionPath() = default;

void ExceptionPath::carry() noexcept {
  carry_down();
  carry_up();
}

bool ExceptionPath::anything_up() const noexcept {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return !lane->up_.empty(); });
}

void ExceptionPath::carry_up() noexcept {
  wakeup_.clear();
  const unsigned share = std::max(kCarried / static_cast<unsigned>(lanes_.size()), 1U);
  for (auto& lane : lanes_) {
    for (unsigned carried = 0; carried < share;) {
      std::array<rte_mbuf*, kBatch> mbufs;
      const auto n = static_cast<unsigned>(lane->up_.pop({mbufs.data(), std::min(kBatch, share - carried)}));
      if (n == 0) break;
      for (unsigned i = 0; i < n; ++i) deliver(mbufs[i]);
      carried += n;
    }
  }
  if (sleeper_.asleep()) return;               // nobody woke us, nobody has to know
  if (anything_up()) return wakeup_.signal();  // the next round
  sleeper_.fall_asleep();
  if (anything_up() && sleeper_.must_wake()) wakeup_.signal();
}

void ExceptionPath::deliver(rte_mbuf* m) noexcept {
  // The worker has seen to it that the tag is there.
  if (vlan_) {
    std::byte* const data = rte_pktmbuf_mtod(m, std::byte*);
    std::memmove(data + net::ethernet::kTagSize, data, kMacs);
    (void)rte_pktmbuf_adj(m, net::ethernet::kTagSize);
  }
  const bool taken = tap_.write({rte_pktmbuf_mtod(m, const std::byte*), rte_pktmbuf_data_len(m)});
  counters_.add(taken ? KernelFrame::to_kernel : KernelFrame::to_kernel_refused);
  rte_pktmbuf_free(m);
}

void ExceptionPath::carry_down() noexcept {
  ExceptionLane& lane = *lanes_.front();
  constexpr std::size_t kTag = net::ethernet::kTagSize;
  std::array<std::byte, RTE_MBUF_DEFAULT_DATAROOM> frame;
  for (unsigned i = 0; i < kCarried; ++i) {
    // Read past the place of the tag, so that only the MACs move.
    const auto size = tap_.read({frame.data() + kTag, frame.size() - kTag});
    if (!size || *size < net::ethernet::kHeaderSize) return;
    if (!from_kernel_.allow(os::read_tsc())) {
      counters_.add(KernelFrame::from_kernel_rate_limited);
      continue;
    }
    std::byte* data = frame.data() + kTag;
    std::size_t length = *size;
    if (vlan_) {
      std::memmove(frame.data(), data, kMacs);
      store_be16(frame.data() + kMacs, net::ethernet::kTypeVlan);
      store_be16(frame.data() + kMacs + 2, *vlan_);
      data = frame.data();
      length += kTag;
    }
    const auto padded = static_cast<std::uint16_t>(std::max(length, net::ethernet::kMinimumFrame));
    rte_mbuf* const m = rte_pktmbuf_alloc(pool_);
    char* const room = m != nullptr ? rte_pktmbuf_append(m, padded) : nullptr;
    if (room != nullptr) {
      std::memcpy(room, data, length);
      std::memset(room + length, 0, padded - length);
    }
    if (room == nullptr || !lane.down_.push(m)) {
      counters_.add(KernelFrame::from_kernel_queue_full);
      rte_pktmbuf_free(m);
    }
  }
}

Counters<KernelFrame>::Values ExceptionPath::counts() const noexcept {
  Counters<KernelFrame>::Values sum{};
  counters_.add_to(sum);
  for (const auto& lane : lanes_) lane->counters_.add_to(sum);
  return sum;
}

}  // namespace wiretime::dpdk
